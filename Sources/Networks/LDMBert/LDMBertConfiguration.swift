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

extension LDMBertConfiguration: ConfigurationTable {
    package static let otherKeys: Set = [
        "activation_dropout", "encoder_layerdrop", "init_std", "num_hidden_layers", "scale_embedding",
    ]

    package static let keys: [ConfigurationKey<Self>] = [
        .init("vocab_size", \.vocabSize),
        .init("max_position_embeddings", \.maxPositionEmbeddings),
        .init("encoder_layers", \.encoderLayers),
        .init("encoder_ffn_dim", \.encoderFfnDim),
        .init("encoder_attention_heads", \.encoderAttentionHeads),
        .init("head_dim", \.headDim),
        .init("activation_function", choice: \.activationFunction),
        .init("d_model", \.dModel),
    ]
}
