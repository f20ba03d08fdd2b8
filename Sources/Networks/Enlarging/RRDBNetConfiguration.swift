/// The configuration of an `RRDBNet`, under the names of its published code.
public struct RRDBNetConfiguration: Equatable, Sendable {
    /// Channels of pictures.
    public var numInCh = 3
    /// Channels of the result.
    public var numOutCh = 3
    /// Channels of the features.
    public var numFeat = 64
    /// Residual-in-residual dense blocks.
    public var numBlock = 23
    /// Channels that each convolution of a dense block adds.
    public var numGrowCh = 32
    /// How often the features are doubled in size.
    public var numUpsample = 2
    /// The side of the squares of pixels that become channels at first: 2 and 4 make networks that enlarge by 2 and by 1 of
    /// one that enlarges by 4.
    public var unshuffle = 1

    /// Real-ESRGAN's network for four times the size.
    public init() {}

    /// How many times larger the result is.
    public var scale: Int { (1 << numUpsample) / unshuffle }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("num_in_ch", numInCh, within: 1...4096)
        try checkRange("num_out_ch", numOutCh, within: 1...4096)
        try checkRange("num_feat", numFeat, within: 1...16_384)
        try checkRange("num_block", numBlock, within: 1...1024)
        try checkRange("num_grow_ch", numGrowCh, within: 1...16_384)
        try checkRange("num_upsample", numUpsample, within: 0...5)
        try checkRange("unshuffle", unshuffle, within: 1...16)
        guard (1 << numUpsample) % unshuffle == 0 else {
            throw NetworkError(
                "unshuffle", "is \(unshuffle), which does not divide 2^num_upsample = \(1 << numUpsample)")
        }
    }
}

extension RRDBNetConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("num_in_ch", \.numInCh),
        .init("num_out_ch", \.numOutCh),
        .init("num_feat", \.numFeat),
        .init("num_block", \.numBlock),
        .init("num_grow_ch", \.numGrowCh),
        .init("num_upsample", \.numUpsample),
        .init("unshuffle", \.unshuffle),
    ]
}
