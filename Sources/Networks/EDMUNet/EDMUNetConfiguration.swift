/// The configuration of an `EDMUNet`, under the words of the networks that were published with EDM.
public struct EDMUNetConfiguration: Equatable, Sendable {
    /// The architecture.
    public enum ModelType: String, Sendable, CaseIterable {
        /// DDPM++ and NCSN++: one head, paths added with weight √½, the time added.
        case song = "SongUNet"
        /// ADM: heads of 64 channels, the time scales and shifts.
        case dhariwal = "DhariwalUNet"
    }

    /// What the noise level is before it is embedded, of DDPM++ and NCSN++.
    public enum EmbeddingType: String, Sendable, CaseIterable {
        case positional
        case fourier
    }

    /// What the way down reads beside, of DDPM++ and NCSN++.
    public enum EncoderType: String, Sendable, CaseIterable {
        /// Nothing.
        case standard
        /// The picture, halved at every level.
        case residual
    }

    /// Height and width of pictures.
    public var imgResolution = 32
    /// Channels of pictures.
    public var imgChannels = 3
    /// Channels of the output; those of pictures where `nil`, as of all published networks.
    public var outChannels: Int?
    /// The number of classes; 0 where the network knows none.
    public var labelDim = 0
    /// The architecture.
    public var modelType = ModelType.song
    /// Channels of which levels have multiples.
    public var modelChannels = 32
    /// Multiples of the channels, from the highest resolution.
    public var channelMult = [1, 2]
    /// Residual blocks of a level on the way down; there is one more on the way up.
    public var numBlocks = 1
    /// The sides at which pixels look at each other.
    public var attnResolutions = [16]
    /// The probability of dropout in residual blocks.
    public var dropout = 0.0
    /// What the noise level is before it is embedded.
    public var embeddingType = EmbeddingType.positional
    /// How many times more features than channels it has then.
    public var channelMultNoise = 1
    /// What the way down reads beside.
    public var encoderType = EncoderType.standard
    /// The filter that halves and doubles pictures, along a side.
    public var resampleFilter = [1, 1]
    /// Numbers that say how a picture was augmented in training; zeros, which add nothing, stand for as it is.
    public var augmentDim = 0

    /// Two levels of 32 and 64 channels.
    public init() {}

    /// Channels of each level.
    var widths: [Int] { channelMult.map { $0 * modelChannels } }
    /// Features of the embedded noise level.
    var timeWidth: Int { 4 * modelChannels }
    /// Features of the noise level before.
    var noiseFeatures: Int { modelType == .song ? channelMultNoise * modelChannels : modelChannels }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("channel_mult", channelMult.count, within: 1...12)
        try checkRange("model_channels", modelChannels, within: 4...4096)
        for (index, multiple) in channelMult.enumerated() {
            try checkRange("channel_mult[\(index)]", multiple, within: 1...64)
        }
        try checkRange("img_channels", imgChannels, within: 1...1024)
        if let outChannels { try checkRange("out_channels", outChannels, within: 1...2048) }
        try checkRange("label_dim", labelDim, within: 0...1_000_000)
        try checkRange("num_blocks", numBlocks, within: 1...64)
        try checkRange("channel_mult_noise", channelMultNoise, within: 1...16)
        try checkRange("augment_dim", augmentDim, within: 0...1024)
        try checkRange("attn_resolutions", attnResolutions.count, within: 0...12)
        for (index, side) in attnResolutions.enumerated() {
            try checkRange("attn_resolutions[\(index)]", side, within: 1...4096)
        }
        let multiple = 1 << (channelMult.count - 1)
        guard (1...4096).contains(imgResolution), imgResolution % multiple == 0 else {
            throw NetworkError(
                "img_resolution",
                "is \(imgResolution): \(channelMult.count) levels need a multiple of \(multiple)")
        }
        guard [[1, 1], [1, 3, 3, 1]].contains(resampleFilter) else {
            throw NetworkError(
                "resample_filter", "is another than the published ones: use [1, 1] or [1, 3, 3, 1]")
        }
        guard (0..<1).contains(dropout) else {
            throw NetworkError("dropout", "is \(dropout): use a probability from 0 to below 1")
        }
        for width in widths + [modelChannels] where width % min(32, width / 4) != 0 {
            throw NetworkError(
                "model_channels",
                "gives a level \(width) channels, which \(min(32, width / 4)) groups do not divide")
        }
        guard modelType == .dhariwal else { return }
        for (level, width) in widths.enumerated() where attends(at: level) && width % 64 != 0 {
            throw NetworkError("model_channels", "gives a level with heads of 64 channels \(width) channels")
        }
        guard widths.last! % 64 == 0 else {
            throw NetworkError(
                "model_channels", "gives the middle, with heads of 64 channels, \(widths.last!) channels")
        }
    }

    /// Whether pixels of a level look at each other.
    func attends(at level: Int) -> Bool { attnResolutions.contains(imgResolution >> level) }
}

extension EDMUNetConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("img_resolution", \.imgResolution),
        .init("img_channels", \.imgChannels),
        .init("out_channels", \.outChannels),
        .init("label_dim", \.labelDim),
        .init("model_type", choice: \.modelType),
        .init("model_channels", \.modelChannels),
        .init("channel_mult", \.channelMult),
        .init("num_blocks", \.numBlocks),
        .init("attn_resolutions", \.attnResolutions),
        .init("dropout", \.dropout),
        .init("embedding_type", choice: \.embeddingType),
        .init("channel_mult_noise", \.channelMultNoise),
        .init("encoder_type", choice: \.encoderType),
        .init("resample_filter", \.resampleFilter),
        .init("augment_dim", \.augmentDim),
    ]
}

extension EDMUNetConfiguration.ModelType: Named {}
extension EDMUNetConfiguration.EmbeddingType: Named {}
extension EDMUNetConfiguration.EncoderType: Named {}
