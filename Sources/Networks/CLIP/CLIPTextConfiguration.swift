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

extension CLIPTextConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("vocab_size", \.vocabSize),
        .init("hidden_size", \.hiddenSize),
        .init("intermediate_size", \.intermediateSize),
        .init("projection_dim", \.projectionDim),
        .init("num_hidden_layers", \.numHiddenLayers),
        .init("num_attention_heads", \.numAttentionHeads),
        .init("max_position_embeddings", \.maxPositionEmbeddings),
        .init("hidden_act", choice: \.hiddenAct),
        .init("layer_norm_eps", \.layerNormEps),
        .init("eos_token_id", \.eosTokenId),
        .init("use_attention_mask", \.useAttentionMask),
    ]
}
