import Tensors

/// What a network takes and gives, as far as those who use it must know.
public struct NetworkTraits: Sendable {
    /// What one sample is.
    public enum Sample: Sendable, Equatable {
        /// `[channels, height, width]`
        case picture
        /// `[dimension]`
        case point

        /// The number of extents of its shape.
        public var rank: Int { self == .picture ? 3 : 1 }
    }

    /// Classes, or other labels, that are embedded beside the time.
    public struct Labels: Sendable, Equatable {
        /// Rows of the table of classes, the one that stands for none included; `nil` where labels are no classes.
        public var count: Int?
        /// The class that stands for none by the network's own definition.
        public var nullClass: Int?
        /// Whether the network must be given labels.
        public var isRequired: Bool

        /// Labels, classes where there is a count.
        public init(count: Int?, nullClass: Int? = nil, isRequired: Bool) {
            (self.count, self.nullClass, self.isRequired) = (count, nullClass, isRequired)
        }

        /// The number of classes that stand for something.
        public var namedCount: Int? { count.map { nullClass == nil ? $0 : $0 - 1 } }
    }

    /// A condition that is a vector, or one vector for each token.
    public struct Feature: Sendable, Equatable {
        /// Its width; `nil` where parts of the network take different ones.
        public var width: Int?
        /// The key of the configuration that says so.
        public var key: String

        /// A feature of a width.
        public init(width: Int?, key: String) { (self.width, self.key) = (width, key) }
    }

    /// Tokens of a text that the network encodes itself.
    public struct Tokens: Sendable, Equatable {
        /// Tokens of a text, the padding included.
        public var length: Int
        /// Tokens that there are; the last one fills a text up.
        public var vocabulary: Int

        /// Texts of a length over a vocabulary.
        public init(length: Int, vocabulary: Int) { (self.length, self.vocabulary) = (length, vocabulary) }
    }

    /// Numbers (sizes, crops, a score) that are embedded one by one and joined with a pooled text.
    public struct Numbers: Sendable, Equatable {
        /// Features of each embedded number.
        public var width: Int
        /// Features of all of them and the pooled text.
        public var total: Int
        /// The key of the configuration that says so.
        public var key: String

        /// Numbers of a width each.
        public init(width: Int, total: Int, key: String) {
            (self.width, self.total, self.key) = (width, total, key)
        }
    }

    /// A picture of lower resolution that the network is given beside the noisy one.
    public struct Enlargement: Sendable, Equatable {
        /// How many times larger a side of the network's pictures is.
        public var factor: Int
        /// Whether the network reads how much noise lies on the smaller picture.
        public var readsNoiseLevel: Bool
        /// Whether the smaller picture has the 256 levels of a byte, to which one that was drawn is rounded.
        public var isOfBytes: Bool

        /// An enlargement by a factor.
        public init(factor: Int, readsNoiseLevel: Bool, isOfBytes: Bool = false) {
            (self.factor, self.readsNoiseLevel, self.isOfBytes) = (factor, readsNoiseLevel, isOfBytes)
        }
    }

    /// The family that a model with this network belongs to, in a word.
    public var family: String
    /// The library that a `model_index.json` names for the class.
    public var library = "diffusers"
    /// What one sample is.
    public var sample = Sample.picture
    /// Channels of a picture, with what is laid beside it, or the dimension of a point.
    public var channels: Int
    /// Channels or dimensions of the output.
    public var outputChannels: Int
    /// Height and width of the pictures or latents that the network was made for, where it says so.
    public var pictureSize: (height: Int, width: Int)?
    /// Heights and widths must be multiples of this.
    public var sizeMultiple = 1
    /// The largest height or width, where places are kept in a table.
    public var largestSide: Int?
    /// The side of the patch that is one token, in a transformer.
    public var patch: Int?
    /// Classes or other labels.
    public var labels: Labels?
    /// The context that attention reads, such as an encoded text. It is required.
    public var context: Feature?
    /// The tokens of a text. They are required.
    public var tokens: Tokens?
    /// The text as a whole. It is required.
    public var pooled: Feature?
    /// Numbers beside a pooled text. Both are required.
    public var numbers: Numbers?
    /// The picture of lower resolution that it enlarges. It is required.
    public var enlargement: Enlargement?
    /// Whether it takes a picture of which a part is made anew. It is optional.
    public var inpaints = false
    /// Features of the embedded guidance scale of a distilled network.
    public var guidanceWidth: Int?
    /// The key of the configuration by which it takes the logarithm of times, which must be above 0 then.
    public var positiveTimeKey: String?
    /// Whether its deep layers can be reused from one call to the next (`DeepFeatures`).
    public var hasDeepFeatures = false
    /// The number of values, at the least, that live together while one sample of a shape passes.
    public var activationCount: @Sendable (_ sample: Shape) -> Double

    /// Traits of a network without conditions.
    public init(
        family: String, channels: Int, outputChannels: Int,
        activationCount: @escaping @Sendable (_ sample: Shape) -> Double
    ) {
        (self.family, self.channels, self.outputChannels) = (family, channels, outputChannels)
        self.activationCount = activationCount
    }

    /// Whether the second half of the output is a learned variance.
    public var learnsVariance: Bool { outputChannels == 2 * channels }
    /// The number of classes, the one that stands for none included.
    public var classCount: Int? { labels?.count }
}

/// The number of values, at the least, that live together while one sample passes: an estimate that errs on one
/// side, so that nothing is refused that would have fitted.
enum ActivationCount {
    /// Of a U-Net: what the way up takes from the way down, at the end of the way down or where the last level begins on
    /// the way up.
    static func ofUNet(_ channels: [Int], layers: @escaping @Sendable (_ level: Int) -> Int)
        -> @Sendable (Shape) -> Double
    {
        { sample in
            let (height, width) = (sample[1], sample[2])
            var total = 0.0
            for (level, channels) in channels.enumerated() {
                let pixels = Double(height >> level) * Double(width >> level)
                total += Double(channels) * pixels * Double(layers(level))
            }
            // In the first layer of the last level on the way up: what its other layers will take, what comes from
            // below and from the way down, the two joined, and what the layer's convolutions and its short cut give.
            let (first, below) = (channels[0], channels[min(1, channels.count - 1)])
            let joining = layers(0) * first + 2 * (first + below) + 3 * first
            // Kernels work on copies in layouts of their own: measured, a U-Net takes 2.2 to 3 times as much.
            return 2 * max(total, Double(joining) * Double(height) * Double(width))
        }
    }

    /// Of a transformer over patches: what one block reads and writes.
    static func ofTransformer(patch: Int, width: @escaping @Sendable () -> Int) -> @Sendable (Shape) -> Double
    {
        { Double($0[1] / patch) * Double($0[2] / patch) * Double(width()) * 2 }
    }
}
