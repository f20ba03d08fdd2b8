import Layers

/// The configuration of a `CLIPVision`: the keys and defaults of transformers' `CLIPVisionConfig`
/// (version 5). Dropout of attention is left out: it acts in training only, and is 0 in what is published.
public struct CLIPVisionConfiguration: Equatable, Sendable {
    /// Features of a token.
    public var hiddenSize = 768
    /// Features inside the two-layer network of a layer.
    public var intermediateSize = 3072
    /// Features of the space that texts and pictures share, where there is a projection.
    public var projectionDim = 512
    /// Layers.
    public var numHiddenLayers = 12
    /// Heads of attention.
    public var numAttentionHeads = 12
    /// Channels of a picture.
    public var numChannels = 3
    /// Height and width of a picture.
    public var imageSize = 224
    /// Height and width of a patch, which becomes a token.
    public var patchSize = 32
    /// The non-linearity of a layer.
    public var hiddenAct = Activation.quickGELU
    /// Added to variances by the norms.
    public var layerNormEps = 1e-5

    /// The defaults of transformers.
    public init() {}

    /// Patches of a picture; what is left over at the right and bottom edges is not seen.
    public var patchCount: Int { (imageSize / patchSize) * (imageSize / patchSize) }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("projection_dim", projectionDim, within: 1...1_048_576)
        try checkRange("num_channels", numChannels, within: 1...65_536)
        try checkRange("image_size", imageSize, within: 1...65_536)
        try checkRange("patch_size", patchSize, within: 1...imageSize)
        try encoder.validate()
    }

    var encoder: CLIPEncoderOptions {
        CLIPEncoderOptions(
            width: hiddenSize, innerWidth: intermediateSize, layers: numHiddenLayers,
            heads: numAttentionHeads, activation: hiddenAct, epsilon: layerNormEps)
    }
}

extension CLIPVisionConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("hidden_size", \.hiddenSize),
        .init("intermediate_size", \.intermediateSize),
        .init("projection_dim", \.projectionDim),
        .init("num_hidden_layers", \.numHiddenLayers),
        .init("num_attention_heads", \.numAttentionHeads),
        .init("num_channels", \.numChannels),
        .init("image_size", \.imageSize),
        .init("patch_size", \.patchSize),
        .init("hidden_act", choice: \.hiddenAct),
        .init("layer_norm_eps", \.layerNormEps),
    ]
}
