/// The configuration of an `MMDiT`: the keys, values and defaults of diffusers' `SD3Transformer2DModel`
/// (version 0.42).
public struct MMDiTConfiguration: Equatable, Sendable {
    /// What is done to queries and keys before they meet, head by head.
    public enum QueryKeyNorm: String, Sendable, CaseIterable {
        /// Mean square 1, scaled: Stable Diffusion 3.5.
        case rms = "rms_norm"
        /// Mean 0 and variance 1, scaled and shifted.
        case layer = "layer_norm"
        /// Mean 0 and variance 1.
        case plainLayer = "fp32_layer_norm"
    }

    /// Height and width of the latents that the network was made for; it takes others.
    public var sampleSize = 128
    /// Height and width of the patch that is one token.
    public var patchSize = 2
    /// Channels of the noisy latents.
    public var inChannels = 16
    /// Blocks.
    public var numLayers = 18
    /// Features of one head of attention.
    public var attentionHeadDim = 64
    /// Heads of attention.
    public var numAttentionHeads = 18
    /// Features of a token of text.
    public var jointAttentionDim = 4096
    /// Features of a token of text inside the network: those of any token.
    public var captionProjectionDim = 1152
    /// Features of the text as a whole.
    public var pooledProjectionDim = 2048
    /// Channels of the answer, those of the latents where `nil`.
    public var outChannels: Int? = 16
    /// Patches along a side of the largest square whose places the network knows. Where `nil`, places are
    /// computed and stretched over latents of any size.
    public var posEmbedMaxSize: Int? = 96
    /// Blocks in which patches also attend to each other alone.
    public var dualAttentionLayers: [Int] = []
    /// What is done to queries and keys, if anything.
    public var qkNorm: QueryKeyNorm?

    /// diffusers' defaults.
    public init() {}

    /// Features of a token.
    public var width: Int { numAttentionHeads * attentionHeadDim }
}

extension MMDiTConfiguration {
    /// Stable Diffusion 3 medium.
    public static var stableDiffusion3Medium: Self {
        var configuration = Self()
        (configuration.numLayers, configuration.numAttentionHeads) = (24, 24)
        (configuration.captionProjectionDim, configuration.posEmbedMaxSize) = (1536, 192)
        return configuration
    }
}
