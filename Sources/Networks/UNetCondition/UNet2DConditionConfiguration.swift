import Layers

/// The configuration of a `UNet2DCondition`: the keys, values and defaults of diffusers'
/// `UNet2DConditionModel` (version 0.42), so that its `config.json` is read and written as it stands.
public struct UNet2DConditionConfiguration: Equatable, Sendable {
    /// A block on the way down.
    public enum DownBlockType: String, Codable, Sendable, CaseIterable {
        case plain = "DownBlock2D"
        /// Pixels look at each other.
        case attention = "AttnDownBlock2D"
        /// Pixels look at each other and at the context.
        case crossAttention = "CrossAttnDownBlock2D"
        /// Halved by a residual block.
        case residual = "ResnetDownsampleBlock2D"
        /// Pixels look at the context and at each other at once; halved by a residual block.
        case simpleCrossAttention = "SimpleCrossAttnDownBlock2D"
    }

    /// The block in the middle.
    public enum MidBlockType: String, Codable, Sendable, CaseIterable {
        /// One residual block.
        case plain = "UNetMidBlock2D"
        /// A transformer between two residual blocks.
        case crossAttention = "UNetMidBlock2DCrossAttn"
        /// Attention to the context and among pixels at once, between two residual blocks.
        case simpleCrossAttention = "UNetMidBlock2DSimpleCrossAttn"
    }

    /// A block on the way up.
    public enum UpBlockType: String, Codable, Sendable, CaseIterable {
        case plain = "UpBlock2D"
        /// Pixels look at each other.
        case attention = "AttnUpBlock2D"
        /// Pixels look at each other and at the context.
        case crossAttention = "CrossAttnUpBlock2D"
        /// Doubled by a residual block.
        case residual = "ResnetUpsampleBlock2D"
        /// Pixels look at the context and at each other at once; doubled by a residual block.
        case simpleCrossAttention = "SimpleCrossAttnUpBlock2D"
    }

    /// What a time is before it is embedded.
    public enum TimeEmbeddingType: String, Codable, Sendable, CaseIterable {
        case positional
        case fourier
    }

    /// How labels are embedded, where not by a table.
    public enum ClassEmbedType: String, Codable, Sendable, CaseIterable {
        /// Labels are numbers, embedded as times are.
        case timestep
        /// Labels are vectors of the embedded time's width.
        case identity
        /// Labels are vectors, brought to that width by two layers.
        case projection
        /// Labels are vectors, brought to that width by one layer.
        case simpleProjection = "simple_projection"
    }

    /// What else is added to the embedded time.
    public enum AdditionEmbedType: String, Codable, Sendable, CaseIterable {
        /// A vector for the whole text beside embedded numbers (sizes, crops, a score), as in SDXL.
        case textTime = "text_time"
        /// The context as one vector, as in Imagen and DeepFloyd IF.
        case text
    }

    /// How the context is normed before attention of the kind `SimpleCrossAttn…`.
    public enum CrossAttentionNorm: String, Codable, Sendable, CaseIterable {
        case layer = "layer_norm"
        case group = "group_norm"
    }

    /// What is made of a context of another width than attention reads.
    public enum EncoderHidDimType: String, Codable, Sendable, CaseIterable {
        /// One layer brings it to the width of `crossAttentionDim`.
        case textProjection = "text_proj"
    }

    /// Height and width of the latents that the network was made for; it takes others.
    public var sampleSize: UNet2DConfiguration.SampleSize?
    /// Channels of the noisy picture, and of what is laid beside it.
    public var inChannels = 4
    /// Channels of the answer.
    public var outChannels = 4
    /// Whether pictures come in 0 … 1 and are first moved to −1 … 1.
    public var centerInputSample = false
    /// Whether cosines come before sines.
    public var flipSinToCos = true
    /// Taken from the number of frequencies when they are spaced: 1 ends them at 1/10,000, 0 just before.
    public var freqShift = 0
    /// The blocks on the way down, from the highest resolution.
    public var downBlockTypes: [DownBlockType] = [.crossAttention, .crossAttention, .crossAttention, .plain]
    /// The block in the middle, if any.
    public var midBlockType: MidBlockType? = .crossAttention
    /// The blocks on the way up, from the lowest resolution.
    public var upBlockTypes: [UpBlockType] = [.plain, .crossAttention, .crossAttention, .crossAttention]
    /// Whether blocks look at the context instead of among pixels, from the highest resolution. (A transformer
    /// in the middle always does both.)
    public var onlyCrossAttention = PerLevel.same(false)
    /// The same for a middle of the kind `simpleCrossAttention`; what all levels do where `nil`.
    public var midBlockOnlyCrossAttention: Bool?
    /// How the context is normed before attention of the kind `simpleCrossAttention`.
    public var crossAttentionNorm: CrossAttentionNorm?
    /// Channels at each resolution, from the highest.
    public var blockOutChannels = [320, 640, 1280, 1280]
    /// Residual blocks at each resolution on the way down; there is one more on the way up.
    public var layersPerBlock = PerLevel.same(2)
    /// Padding of the convolutions that halve; 0 pads the right and bottom edges only.
    public var downsamplePadding = 1
    /// What the middle divides the sums of its residual blocks by.
    public var midBlockScaleFactor = 1.0
    /// The probability of dropout in residual blocks.
    public var dropout = 0.0
    /// The non-linearity of residual blocks and of the embedding of the time.
    public var actFn = Activation.silu
    /// Groups of the norms.
    public var normNumGroups = 32
    /// Added to variances by the norms of residual blocks.
    public var normEps = 1e-5
    /// Features of the context that attention reads.
    public var crossAttentionDim = PerLevel.same(1280)
    /// Features of the context that the network is given, where they are others.
    public var encoderHidDim: Int?
    /// What is made of it; `textProjection` where `nil` and there is another width.
    public var encoderHidDimType: EncoderHidDimType?
    /// Layers of each transformer: one number, one for each resolution, or one for each of its transformers.
    public var transformerLayersPerBlock = PerLevel.same(PerLevel.same(1))
    /// The same for the way up, from the lowest resolution; the way down reversed where `nil`.
    public var reverseTransformerLayersPerBlock: [PerLevel<Int>]?
    /// The number of heads of transformers, in spite of its name. (Attention of other kinds takes it for the
    /// channels of a head, and on the way up without reversing it, as diffusers does.)
    public var attentionHeadDim = PerLevel.same(8)
    /// Whether transformers project pixels by linear layers rather than convolutions.
    public var useLinearProjection = false
    /// How labels are embedded; by a table of `numClassEmbeds` rows where `nil`.
    public var classEmbedType: ClassEmbedType?
    /// What else is added to the embedded time.
    public var additionEmbedType: AdditionEmbedType?
    /// Features of each of the numbers of `textTime`.
    public var additionTimeEmbedDim: Int?
    /// Heads of the attention by which `text` makes one vector of the context.
    public var additionEmbedTypeNumHeads = 64
    /// The number of classes, `nil` where there is no table of them.
    public var numClassEmbeds: Int?
    /// Whether scores of attention are computed in float32 where the network is of half precision.
    public var upcastAttention = false
    /// How blocks read the time.
    public var resnetTimeScaleShift = UNet2DConfiguration.TimeScaleShift.added
    /// Whether blocks that change the resolution by residual blocks read the embedded time as it is, without the
    /// non-linearity.
    public var resnetSkipTimeAct = false
    /// What such blocks divide the sums of their residual blocks by.
    public var resnetOutScaleFactor = 1.0
    /// What a time is before it is embedded.
    public var timeEmbeddingType = TimeEmbeddingType.positional
    /// Features of the embedded time; 4 times the first block's channels where `nil`, or twice for `fourier`.
    public var timeEmbeddingDim: Int?
    /// A non-linearity of the embedded time with all that is added to it.
    public var timeEmbeddingActFn: Activation?
    /// A non-linearity at the end of the embedding of the time.
    public var timestepPostAct: Activation?
    /// Features of the vector that tells a distilled network its guidance scale.
    public var timeCondProjDim: Int?
    /// The size of the first convolution.
    public var convInKernel = 3
    /// The size of the last convolution.
    public var convOutKernel = 3
    /// Features of labels that are vectors, or of `textTime`'s text and numbers together.
    public var projectionClassEmbeddingsInputDim: Int?
    /// Whether the embedded label is laid beside the embedded time rather than added.
    public var classEmbeddingsConcat = false

    /// The defaults of diffusers.
    public init() {}

    /// Whether the network must be given labels.
    public var isConditional: Bool { classEmbedType != nil || numClassEmbeds != nil }
}
