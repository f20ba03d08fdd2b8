/// The configuration of a `DiT`: the keys, values and defaults of diffusers' `DiTTransformer2DModel`
/// (version 0.42), which also reads what a `Transformer2DModel` of kind `ada_norm_zero` wrote.
public struct DiTConfiguration: Equatable, Sendable {
    /// Heads of attention in each block.
    public var numAttentionHeads = 16
    /// Features of one head.
    public var attentionHeadDim = 72
    /// Channels of the noisy picture.
    public var inChannels = 4
    /// Channels of the answer, those of the picture where `nil`; twice as many where the variance is learned.
    public var outChannels: Int?
    /// Blocks.
    public var numLayers = 28
    /// The probability of dropout in the blocks.
    public var dropout = 0.0
    /// Whether queries, keys and values have a bias.
    public var attentionBias = true
    /// Height and width of the pictures that the network was made for; it takes others.
    public var sampleSize = 32
    /// Height and width of the patch that is one token.
    public var patchSize = 2
    /// The non-linearity of the feed-forward layers.
    public var activationFn = FeedForwardActivation.geluApproximate
    /// Classes; the class after the last stands for none.
    public var numEmbedsAdaNorm = 1000
    /// Whether the norm before the feed-forward layers scales and shifts by itself.
    public var normElementwiseAffine = false
    /// Added to the variance by that norm.
    public var normEps = 1e-5

    /// diffusers' defaults: DiT-XL/2 without a learned variance.
    public init() {}

    /// Features of a token.
    public var width: Int { numAttentionHeads * attentionHeadDim }

    /// The label that stands for no class, which guidance needs.
    public var nullClass: Int { numEmbedsAdaNorm }
}

extension DiTConfiguration {
    /// The published sizes. Source: Peebles and Xie 2023 (arXiv:2212.09748), table 1.
    public enum Size: String, Sendable, CaseIterable {
        case small = "S"
        case base = "B"
        case large = "L"
        case extraLarge = "XL"

        var shape: (layers: Int, heads: Int, headSize: Int) {
            switch self {
            case .small: (12, 6, 64)
            case .base: (12, 12, 64)
            case .large: (24, 16, 64)
            case .extraLarge: (28, 16, 72)
            }
        }
    }

    /// A published network of 1,000 classes and learned variance on latents of four channels.
    public init(_ size: Size, patchSize: Int = 2, sampleSize: Int = 32) {
        (numLayers, numAttentionHeads, attentionHeadDim) = size.shape
        (self.patchSize, self.sampleSize, outChannels) = (patchSize, sampleSize, 8)
    }
}
