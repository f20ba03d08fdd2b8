/// The configuration of a `SwinIR`, under the names of its published code.
public struct SwinIRConfiguration: Equatable, Sendable {
    /// How features become a larger picture.
    public enum Upsampler: String, Sendable, CaseIterable {
        /// Convolutions whose channels become pixels, step by step, and a last one (classical).
        case pixelShuffle = "pixelshuffle"
        /// One convolution whose channels become the pixels of the result (lightweight).
        case pixelShuffleDirect = "pixelshuffledirect"
        /// Pixels repeated, and convolutions (real-world pictures).
        case nearestConvolution = "nearest+conv"
        /// None: the result has the picture's size and is added to it (noise, JPEG).
        case none = ""
    }

    /// What stands between the last block of a group and its residual.
    public enum ResidualConnection: String, Sendable, CaseIterable {
        /// One convolution.
        case one = "1conv"
        /// Three with fewer channels between them.
        case three = "3conv"
    }

    /// Channels of pictures.
    public var inChans = 3
    /// Channels of the features.
    public var embedDim = 180
    /// Blocks of each group.
    public var depths = [6, 6, 6, 6, 6, 6]
    /// Heads of attention in each group.
    public var numHeads = [6, 6, 6, 6, 6, 6]
    /// The side of the windows in which pixels attend to each other.
    public var windowSize = 8
    /// Features between the two layers of a block's network of each pixel.
    public var mlpHidden = 360
    /// How many times larger the result is.
    public var upscale = 4
    /// What pictures in 0 … 1 are multiplied with.
    public var imgRange = 1.0
    /// How features become a larger picture.
    public var upsampler = Upsampler.pixelShuffle
    /// What stands before the residual of a group.
    public var resiConnection = ResidualConnection.one
    /// Channels of the features that are enlarged.
    public var numFeat = 64
    /// Whether features are normed before the first group.
    public var patchNorm = true
    /// Whether queries, keys and values have biases.
    public var qkvBias = true

    /// The classical network for four times the size.
    public init() {}

    /// By how much each step of `pixelShuffle` enlarges.
    var shuffles: [Int] {
        upscale == 3 ? [3] : Array(repeating: 2, count: max(0, upscale.trailingZeroBitCount))
    }

    /// How often `nearestConvolution` doubles.
    var doublings: Int { upscale.trailingZeroBitCount }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("in_chans", inChans, within: 1...4096)
        try checkRange("embed_dim", embedDim, within: 1...16_384)
        try checkRange("depths", depths.count, within: 1...256)
        for (index, depth) in depths.enumerated() {
            try checkRange("depths[\(index)]", depth, within: 1...256)
        }
        guard numHeads.count == depths.count else {
            throw NetworkError(
                "num_heads",
                "has \(numHeads.count) entries and 'depths' has \(depths.count): make them equal")
        }
        for (index, heads) in numHeads.enumerated() where heads < 1 || embedDim % heads != 0 {
            throw NetworkError(
                "num_heads[\(index)]", "is \(heads), which does not divide embed_dim \(embedDim)")
        }
        try checkRange("window_size", windowSize, within: 1...64)
        try checkRange("mlp_hidden", mlpHidden, within: 1...65_536)
        try checkRange("num_feat", numFeat, within: 1...16_384)
        try checkRange("upscale", upscale, within: 1...16)
        guard imgRange.isFinite, imgRange > 0 else {
            throw NetworkError("img_range", "is \(imgRange): use a number above 0")
        }
        guard possibleScales.contains(upscale) else {
            throw NetworkError(
                "upscale",
                "is \(upscale): with the upsampler '\(upsampler.rawValue)' it is one of \(possibleScales)")
        }
    }

    private var possibleScales: [Int] {
        switch upsampler {
        case .pixelShuffle: [1, 2, 3, 4, 8, 16]
        case .pixelShuffleDirect: Array(1...16)
        case .nearestConvolution: [2, 4, 8, 16]
        case .none: [1]
        }
    }
}

extension SwinIRConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("in_chans", \.inChans),
        .init("embed_dim", \.embedDim),
        .init("depths", \.depths),
        .init("num_heads", \.numHeads),
        .init("window_size", \.windowSize),
        .init("mlp_hidden", \.mlpHidden),
        .init("upscale", \.upscale),
        .init("img_range", \.imgRange),
        .init("upsampler", choice: \.upsampler),
        .init("resi_connection", choice: \.resiConnection),
        .init("num_feat", \.numFeat),
        .init("patch_norm", \.patchNorm),
        .init("qkv_bias", \.qkvBias),
    ]
}

extension SwinIRConfiguration.Upsampler: Named {}
extension SwinIRConfiguration.ResidualConnection: Named {}
