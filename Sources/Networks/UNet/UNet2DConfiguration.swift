import Layers

/// The configuration of a `UNet2D`: the keys, values and defaults of diffusers' `UNet2DModel`
/// (version 0.42), so that its `config.json` is read and written as it stands.
public struct UNet2DConfiguration: Equatable, Sendable {
    /// Height and width of pictures.
    public enum SampleSize: Equatable, Sendable {
        /// One number for both.
        case square(Int)
        /// Two numbers.
        case rectangle(height: Int, width: Int)

        /// Rows of pixels.
        public var height: Int {
            switch self {
            case .square(let size), .rectangle(let size, _): size
            }
        }

        /// Columns of pixels.
        public var width: Int {
            switch self {
            case .square(let size), .rectangle(_, let size): size
            }
        }
    }

    /// What a time is before it is embedded.
    public enum TimeEmbeddingType: String, Codable, Sendable, CaseIterable {
        case positional
        case fourier
        case learned
    }

    /// A block on the way down.
    public enum DownBlockType: String, Codable, Sendable, CaseIterable {
        case plain = "DownBlock2D"
        case attention = "AttnDownBlock2D"
        /// Halves by a residual block.
        case residual = "ResnetDownsampleBlock2D"
    }

    /// The block in the middle.
    public enum MidBlockType: String, Codable, Sendable, CaseIterable {
        case plain = "UNetMidBlock2D"
    }

    /// A block on the way up.
    public enum UpBlockType: String, Codable, Sendable, CaseIterable {
        case plain = "UpBlock2D"
        case attention = "AttnUpBlock2D"
        /// Doubles by a residual block.
        case residual = "ResnetUpsampleBlock2D"
    }

    /// How blocks with attention change the resolution.
    public enum ResamplingType: String, Codable, Sendable, CaseIterable {
        case conv
        case resnet
    }

    /// How blocks read the time.
    public enum TimeScaleShift: String, Codable, Sendable, CaseIterable {
        /// Added before the second norm.
        case added = "default"
        /// Scaling and shifting what the second norm gives (AdaGN).
        case scaleShift = "scale_shift"
    }

    /// How labels are embedded, where not by a table.
    public enum ClassEmbedType: String, Codable, Sendable, CaseIterable {
        case timestep
        case identity
    }

    /// Height and width of the pictures that the network was made for; it takes others.
    public var sampleSize: SampleSize?
    /// Channels of the noisy picture.
    public var inChannels = 3
    /// Channels of the answer.
    public var outChannels = 3
    /// Whether pictures come in 0 … 1 and are first moved to −1 … 1.
    public var centerInputSample = false
    /// What a time is before it is embedded.
    public var timeEmbeddingType = TimeEmbeddingType.positional
    /// Features of the embedded time, 4 times the first block's channels where `nil`.
    public var timeEmbeddingDim: Int?
    /// Taken from the number of frequencies when they are spaced: 1 ends them at 1/10,000, 0 just before.
    public var freqShift = 0
    /// Whether cosines come before sines.
    public var flipSinToCos = true
    /// The blocks on the way down, from the highest resolution.
    public var downBlockTypes: [DownBlockType] = [.plain, .attention, .attention, .attention]
    /// The block in the middle, if any.
    public var midBlockType: MidBlockType? = .plain
    /// The blocks on the way up, from the lowest resolution.
    public var upBlockTypes: [UpBlockType] = [.attention, .attention, .attention, .plain]
    /// Channels at each resolution, from the highest.
    public var blockOutChannels = [224, 448, 672, 896]
    /// Residual blocks at each resolution on the way down; there is one more on the way up.
    public var layersPerBlock = 2
    /// What the middle divides the sums of its paths by.
    public var midBlockScaleFactor = 1.0
    /// Padding of the convolutions that halve; 0 pads the right and bottom edges only.
    public var downsamplePadding = 1
    /// How blocks with attention halve.
    public var downsampleType = ResamplingType.conv
    /// How blocks with attention double.
    public var upsampleType = ResamplingType.conv
    /// The probability of dropout in residual blocks.
    public var dropout = 0.0
    /// The non-linearity of residual blocks.
    public var actFn = Activation.silu
    /// Channels of one attention head; one head takes them all where `nil`.
    public var attentionHeadDim: Int? = 8
    /// Groups of the norms.
    public var normNumGroups = 32
    /// Groups of the norm before the middle's attention; where `nil`, those of the others, or no norm
    /// with `scaleShift`.
    public var attnNormNumGroups: Int?
    /// Added to variances by the norms.
    public var normEps = 1e-5
    /// How blocks read the time.
    public var resnetTimeScaleShift = TimeScaleShift.added
    /// Whether the middle has attention.
    public var addAttention = true
    /// How labels are embedded; by a table of `numClassEmbeds` rows where `nil`.
    public var classEmbedType: ClassEmbedType?
    /// The number of classes, `nil` where the network knows none.
    public var numClassEmbeds: Int?
    /// The number of times, for the time embedding `learned`.
    public var numTrainTimesteps: Int?

    // MARK: Of networks around this one

    /// Heads of attention, the same number at every resolution, in place of a width. Not a key of diffusers' class.
    package var numAttentionHeads: Int?
    /// Features of a time before it is embedded; the first block's channels where `nil`. Not a key of diffusers' class.
    package var timeFeatureCount: Int?

    /// The defaults of diffusers.
    public init() {}

    /// Whether the network must be given labels.
    public var isConditional: Bool { classEmbedType != nil || numClassEmbeds != nil }
}
