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

extension CLIPVisionConfiguration: Codable {
    /// The keys, as `config.json` writes them.
    public enum CodingKeys: String, CodingKey, CaseIterable, Sendable {
        case hiddenSize = "hidden_size"
        case intermediateSize = "intermediate_size"
        case projectionDim = "projection_dim"
        case numHiddenLayers = "num_hidden_layers"
        case numAttentionHeads = "num_attention_heads"
        case numChannels = "num_channels"
        case imageSize = "image_size"
        case patchSize = "patch_size"
        case hiddenAct = "hidden_act"
        case layerNormEps = "layer_norm_eps"
    }

    /// Reads a `config.json`; keys that are absent keep transformers' defaults, those that change nothing here are
    /// passed over.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.hiddenSize, into: &hiddenSize)
        try values.read(.intermediateSize, into: &intermediateSize)
        try values.read(.projectionDim, into: &projectionDim)
        try values.read(.numHiddenLayers, into: &numHiddenLayers)
        try values.read(.numAttentionHeads, into: &numAttentionHeads)
        try values.read(.numChannels, into: &numChannels)
        try values.read(.imageSize, into: &imageSize)
        try values.read(.patchSize, into: &patchSize)
        try values.readChoice(.hiddenAct, into: &hiddenAct)
        try values.read(.layerNormEps, into: &layerNormEps)
        try validate()
    }

    /// Writes every key.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(hiddenSize, forKey: .hiddenSize)
        try values.encode(intermediateSize, forKey: .intermediateSize)
        try values.encode(projectionDim, forKey: .projectionDim)
        try values.encode(numHiddenLayers, forKey: .numHiddenLayers)
        try values.encode(numAttentionHeads, forKey: .numAttentionHeads)
        try values.encode(numChannels, forKey: .numChannels)
        try values.encode(imageSize, forKey: .imageSize)
        try values.encode(patchSize, forKey: .patchSize)
        try values.encode(hiddenAct, forKey: .hiddenAct)
        try values.encode(layerNormEps, forKey: .layerNormEps)
    }
}
