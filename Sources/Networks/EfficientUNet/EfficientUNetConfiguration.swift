/// The configuration of an `EfficientUNet`. Lists have an entry for each resolution, from the highest.
public struct EfficientUNetConfiguration: Equatable, Sendable {
    /// Height and width of the pictures that the network was made for; it takes others.
    public var sampleSize: UNet2DConfiguration.SampleSize?
    /// Channels of the noisy picture.
    public var inChannels = 3
    /// Channels of the output, those of the picture where `nil`; twice as many where a variance is learned.
    public var outChannels: Int?
    /// Channels at the highest resolution.
    public var width = 32
    /// What each resolution multiplies `width` by.
    public var multipliers = [1, 2, 4]
    /// Residual blocks on the way down; there are as many on the way up. Most stand where pictures are small.
    public var residualBlocks = [1, 2, 4]
    /// Whether pixels look at each other, and at the context where there is one.
    public var attention = [false, false, true]
    /// Channels of a head.
    public var attentionHeadDim = 32
    /// Features of the context, such as an encoded text; `nil` where the network reads none.
    public var crossAttentionDim: Int?
    /// Whether attention reads the tokens of the context, where there is one.
    public var attendsToContext = true
    /// Whether the context as one vector is added to the time, where there is one.
    public var poolsContext = true
    /// Heads of the attention by which the context becomes one vector beside the time.
    public var poolingHeads = 1
    /// Groups of the norms.
    public var normNumGroups = 8
    /// The probability of dropout in residual blocks.
    public var dropout = 0.0
    /// The number of classes, `nil` where the network knows none.
    public var numClassEmbeds: Int?
    /// How many times larger a side is than that of the picture that is enlarged; `nil` where none is.
    public var lowResolutionFactor: Int?
    /// Whether the network reads how much noise lies on the picture that it enlarges.
    public var hasNoiseLevel = false

    /// Colour pictures, three resolutions.
    public init() {}

    /// Imagen's network from 64×64 to 256×256 pixels without the picture that it enlarges: 128, 2, 4, 8 and 8 blocks.
    /// Source: Saharia et al. 2022 (arXiv:2205.11487), appendix F.2.
    public static let imagen: EfficientUNetConfiguration = {
        var configuration = EfficientUNetConfiguration()
        configuration.sampleSize = .square(256)
        (configuration.width, configuration.multipliers) = (128, [1, 2, 4, 8])
        configuration.residualBlocks = [2, 4, 8, 8]
        configuration.attention = [false, false, false, true]
        (configuration.attentionHeadDim, configuration.normNumGroups) = (64, 32)
        (configuration.crossAttentionDim, configuration.poolingHeads) = (4096, 64)
        return configuration
    }()

    /// Channels at each resolution.
    var widths: [Int] { multipliers.map { width * $0 } }

    /// Features of the embedded time.
    var timeWidth: Int { 4 * width }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("in_channels", inChannels, within: 1...65_536)
        if let outChannels { try checkRange("out_channels", outChannels, within: 1...131_072) }
        if let sampleSize {
            try checkRange("sample_size", sampleSize.height, within: 1...65_536)
            try checkRange("sample_size", sampleSize.width, within: 1...65_536)
        }
        try checkRange("width", width, within: 4...16_384)
        guard (1...12).contains(multipliers.count) else {
            throw NetworkError("multipliers", "must hold 1 to 12 numbers, not \(multipliers.count)")
        }
        for (key, count) in [("residual_blocks", residualBlocks.count), ("attention", attention.count)]
        where count != multipliers.count {
            throw NetworkError(
                key, "has \(count) entries and 'multipliers' has \(multipliers.count): make them equal")
        }
        for level in multipliers.indices {
            try checkRange("multipliers[\(level)]", multipliers[level], within: 1...64)
            try checkRange("residual_blocks[\(level)]", residualBlocks[level], within: 1...256)
        }
        guard (0..<1).contains(dropout) else {
            throw NetworkError("dropout", "is \(dropout): use a probability from 0 to below 1")
        }
        try validateGroups()
        if let numClassEmbeds { try checkRange("num_class_embeds", numClassEmbeds, within: 1...10_000_000) }
        try checkEnlargement(by: lowResolutionFactor, hasNoiseLevel: hasNoiseLevel)
    }

    private func validateGroups() throws {
        try checkRange("norm_num_groups", normNumGroups, within: 1...16_384)
        try checkRange("attention_head_dim", attentionHeadDim, within: 1...65_536)
        try checkRange("pooling_heads", poolingHeads, within: 1...65_536)
        guard width % normNumGroups == 0 else {
            throw NetworkError(
                "norm_num_groups", "is \(normNumGroups), which does not divide the width \(width)")
        }
        for (channels, attends) in zip(widths, attention) where attends && channels % attentionHeadDim != 0 {
            throw NetworkError(
                "attention_head_dim",
                "is \(attentionHeadDim), which does not divide the \(channels) channels of a resolution")
        }
        guard let crossAttentionDim else { return }
        try checkRange("cross_attention_dim", crossAttentionDim, within: 1...1_048_576)
        guard (attendsToContext && attention.contains(true)) || poolsContext else {
            throw NetworkError(
                "context_attention",
                "is \(attendsToContext), 'attention' \(attention) and 'context_pooling' false: nothing reads the context of 'cross_attention_dim'; make one of them true"
            )
        }
        guard crossAttentionDim % poolingHeads == 0 else {
            throw NetworkError(
                "pooling_heads",
                "is \(poolingHeads), which does not divide the \(crossAttentionDim) features of the context")
        }
    }
}

extension EfficientUNetConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("sample_size", \.sampleSize),
        .init("in_channels", \.inChannels),
        .init("out_channels", \.outChannels),
        .init("width", \.width),
        .init("multipliers", \.multipliers),
        .init("residual_blocks", \.residualBlocks),
        .init("attention", \.attention),
        .init("attention_head_dim", \.attentionHeadDim),
        .init("cross_attention_dim", \.crossAttentionDim),
        .init("context_attention", \.attendsToContext),
        .init("context_pooling", \.poolsContext),
        .init("pooling_heads", \.poolingHeads),
        .init("norm_num_groups", \.normNumGroups),
        .init("dropout", \.dropout),
        .init("num_class_embeds", \.numClassEmbeds),
        .init("low_resolution_factor", \.lowResolutionFactor),
        .init("noise_level_embedding", \.hasNoiseLevel),
    ]
}
