/// The configuration of a `ResNet`.
public struct ResNetConfiguration: Equatable, Sendable {
    /// Channels of the noisy picture.
    public var inChannels = 3
    /// Channels of the output, those of the picture where `nil`; twice as many where a variance is learned.
    public var outChannels: Int?
    /// Channels of every block.
    public var width = 32
    /// Residual blocks.
    public var layers = 6
    /// Groups of the norms; they divide the width.
    public var normNumGroups = 8
    /// The number of classes, `nil` where the network knows none.
    public var numClassEmbeds: Int?

    /// Colour pictures, six blocks of 32 channels.
    public init() {}

    /// Features of the embedded time.
    var timeWidth: Int { 4 * width }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("in_channels", inChannels, within: 1...65_536)
        if let outChannels { try checkRange("out_channels", outChannels, within: 1...131_072) }
        try checkRange("width", width, within: 4...16_384)
        try checkRange("layers", layers, within: 1...1024)
        try checkRange("norm_num_groups", normNumGroups, within: 1...16_384)
        guard width % normNumGroups == 0 else {
            throw NetworkError(
                "norm_num_groups", "is \(normNumGroups), which does not divide the width \(width)")
        }
        if let numClassEmbeds { try checkRange("num_class_embeds", numClassEmbeds, within: 1...10_000_000) }
    }
}

extension ResNetConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("in_channels", \.inChannels),
        .init("out_channels", \.outChannels),
        .init("width", \.width),
        .init("layers", \.layers),
        .init("norm_num_groups", \.normNumGroups),
        .init("num_class_embeds", \.numClassEmbeds),
    ]
}
