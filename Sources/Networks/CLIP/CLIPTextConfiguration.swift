import Layers

/// The configuration of a `CLIPText`: the keys and defaults of transformers' `CLIPTextConfig` (version 5).
/// Dropout of attention is left out: it acts in training only, and is 0 in what is published.
public struct CLIPTextConfiguration: Equatable, Sendable {
    /// Tokens that there are.
    public var vocabSize = 49408
    /// Features of a token.
    public var hiddenSize = 512
    /// Features inside the two-layer network of a layer.
    public var intermediateSize = 2048
    /// Features of the space that texts and pictures share, where there is a projection.
    public var projectionDim = 512
    /// Layers.
    public var numHiddenLayers = 12
    /// Heads of attention.
    public var numAttentionHeads = 8
    /// Tokens that a text can have.
    public var maxPositionEmbeddings = 77
    /// The non-linearity of a layer: `quickGELU` in OpenAI's networks, `gelu` in OpenCLIP's.
    public var hiddenAct = Activation.quickGELU
    /// Added to variances by the norms.
    public var layerNormEps = 1e-5
    /// The token that ends a text; 2 means that of the largest number, see `CLIPText`.
    public var eosTokenId = 49407
    /// Whether a pipeline hands over a mask that hides padding.
    public var useAttentionMask = false

    /// The defaults of transformers.
    public init() {}

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("vocab_size", vocabSize, within: 1...10_000_000)
        try checkRange("projection_dim", projectionDim, within: 1...1_048_576)
        try checkRange("max_position_embeddings", maxPositionEmbeddings, within: 1...1_048_576)
        try encoder.validate()
    }

    var encoder: CLIPEncoderOptions {
        CLIPEncoderOptions(
            width: hiddenSize, innerWidth: intermediateSize, layers: numHiddenLayers,
            heads: numAttentionHeads, activation: hiddenAct, epsilon: layerNormEps)
    }
}

extension CLIPTextConfiguration: Codable {
    /// The keys, as `config.json` writes them.
    public enum CodingKeys: String, CodingKey, CaseIterable, Sendable {
        case vocabSize = "vocab_size"
        case hiddenSize = "hidden_size"
        case intermediateSize = "intermediate_size"
        case projectionDim = "projection_dim"
        case numHiddenLayers = "num_hidden_layers"
        case numAttentionHeads = "num_attention_heads"
        case maxPositionEmbeddings = "max_position_embeddings"
        case hiddenAct = "hidden_act"
        case layerNormEps = "layer_norm_eps"
        case eosTokenId = "eos_token_id"
        case useAttentionMask = "use_attention_mask"
    }

    /// Reads a `config.json`; keys that are absent keep transformers' defaults, those that change nothing here are
    /// passed over.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.vocabSize, into: &vocabSize)
        try values.read(.hiddenSize, into: &hiddenSize)
        try values.read(.intermediateSize, into: &intermediateSize)
        try values.read(.projectionDim, into: &projectionDim)
        try values.read(.numHiddenLayers, into: &numHiddenLayers)
        try values.read(.numAttentionHeads, into: &numAttentionHeads)
        try values.read(.maxPositionEmbeddings, into: &maxPositionEmbeddings)
        try values.readChoice(.hiddenAct, into: &hiddenAct)
        try values.read(.layerNormEps, into: &layerNormEps)
        try values.read(.eosTokenId, into: &eosTokenId)
        try values.read(.useAttentionMask, into: &useAttentionMask)
        try validate()
    }

    /// Writes every key.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(vocabSize, forKey: .vocabSize)
        try values.encode(hiddenSize, forKey: .hiddenSize)
        try values.encode(intermediateSize, forKey: .intermediateSize)
        try values.encode(projectionDim, forKey: .projectionDim)
        try values.encode(numHiddenLayers, forKey: .numHiddenLayers)
        try values.encode(numAttentionHeads, forKey: .numAttentionHeads)
        try values.encode(maxPositionEmbeddings, forKey: .maxPositionEmbeddings)
        try values.encode(hiddenAct, forKey: .hiddenAct)
        try values.encode(layerNormEps, forKey: .layerNormEps)
        try values.encode(eosTokenId, forKey: .eosTokenId)
        try values.encode(useAttentionMask, forKey: .useAttentionMask)
    }
}
