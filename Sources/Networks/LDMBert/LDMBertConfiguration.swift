import Layers

/// The configuration of an `LDMBert`: the keys and defaults of diffusers' `LDMBertConfig` (version 0.42).
/// Dropout is left out: it acts in training only. `scale_embedding` is written and read by nothing.
public struct LDMBertConfiguration: Equatable, Sendable {
    /// Tokens that there are.
    public var vocabSize = 30522
    /// Tokens that a text can have.
    public var maxPositionEmbeddings = 77
    /// Layers.
    public var encoderLayers = 32
    /// Features inside the two-layer network of a layer.
    public var encoderFfnDim = 5120
    /// Heads of attention; they need not have `dModel` features together.
    public var encoderAttentionHeads = 8
    /// Features of a head.
    public var headDim = 64
    /// The non-linearity of a layer.
    public var activationFunction = Activation.gelu
    /// Features of a token.
    public var dModel = 1280

    /// The defaults of diffusers, which are the published network's values.
    public init() {}

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("vocab_size", vocabSize, within: 1...10_000_000)
        try checkRange("max_position_embeddings", maxPositionEmbeddings, within: 1...1_048_576)
        try checkRange("encoder_layers", encoderLayers, within: 1...1_000)
        try checkRange("encoder_ffn_dim", encoderFfnDim, within: 1...1_048_576)
        try checkRange("encoder_attention_heads", encoderAttentionHeads, within: 1...65_536)
        try checkRange("head_dim", headDim, within: 1...65_536)
        try checkRange("d_model", dModel, within: 1...1_048_576)
    }
}

extension LDMBertConfiguration: Codable {
    /// The keys, as `config.json` writes them.
    public enum CodingKeys: String, CodingKey, CaseIterable, Sendable {
        case vocabSize = "vocab_size"
        case maxPositionEmbeddings = "max_position_embeddings"
        case encoderLayers = "encoder_layers"
        case encoderFfnDim = "encoder_ffn_dim"
        case encoderAttentionHeads = "encoder_attention_heads"
        case headDim = "head_dim"
        case activationFunction = "activation_function"
        case dModel = "d_model"
    }

    /// Reads a `config.json`; keys that are absent keep diffusers' defaults, those that change nothing here are
    /// passed over.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.vocabSize, into: &vocabSize)
        try values.read(.maxPositionEmbeddings, into: &maxPositionEmbeddings)
        try values.read(.encoderLayers, into: &encoderLayers)
        try values.read(.encoderFfnDim, into: &encoderFfnDim)
        try values.read(.encoderAttentionHeads, into: &encoderAttentionHeads)
        try values.read(.headDim, into: &headDim)
        try values.readChoice(.activationFunction, into: &activationFunction)
        try values.read(.dModel, into: &dModel)
        try validate()
    }

    /// Writes every key.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(vocabSize, forKey: .vocabSize)
        try values.encode(maxPositionEmbeddings, forKey: .maxPositionEmbeddings)
        try values.encode(encoderLayers, forKey: .encoderLayers)
        try values.encode(encoderFfnDim, forKey: .encoderFfnDim)
        try values.encode(encoderAttentionHeads, forKey: .encoderAttentionHeads)
        try values.encode(headDim, forKey: .headDim)
        try values.encode(activationFunction, forKey: .activationFunction)
        try values.encode(dModel, forKey: .dModel)
    }
}
