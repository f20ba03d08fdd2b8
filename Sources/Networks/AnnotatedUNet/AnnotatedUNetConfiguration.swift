/// The configuration of an `AnnotatedUNet`.
public struct AnnotatedUNetConfiguration: Equatable, Sendable {
    /// The width that all others follow from.
    public var dim = 28
    /// Channels after the first convolution, two thirds of `dim` where `nil`.
    public var initDim: Int?
    /// Channels of the answer, those of the input where `nil`.
    public var outDim: Int?
    /// What each resolution multiplies `dim` by, from the highest.
    public var dimMults = [1, 2, 4]
    /// Channels of the noisy picture.
    public var channels = 1
    /// What the inner convolutions of a block multiply its channels by.
    public var convnextMult = 2
    /// The number of classes, `nil` where the network knows none; the annotated code has no such key.
    public var numClassEmbeds: Int?

    /// The network of the annotated code: 28, one channel, 1, 2 and 4.
    public init() {}

    /// Channels at each end of each resolution.
    var widths: [Int] { [initDim ?? dim / 3 * 2] + dimMults.map { dim * $0 } }

    /// Features of the embedded time.
    var timeWidth: Int { 4 * dim }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("dim", dim, within: 4...16_384)
        if let initDim { try checkRange("init_dim", initDim, within: 1...65_536) }
        if let outDim { try checkRange("out_dim", outDim, within: 1...65_536) }
        try checkRange("channels", channels, within: 1...65_536)
        try checkRange("convnext_mult", convnextMult, within: 1...16)
        if let numClassEmbeds { try checkRange("num_class_embeds", numClassEmbeds, within: 1...10_000_000) }
        guard (1...8).contains(dimMults.count) else {
            throw NetworkError("dim_mults", "must hold 1 to 8 numbers, not \(dimMults.count)")
        }
        for (index, factor) in dimMults.enumerated() {
            try checkRange("dim_mults[\(index)]", factor, within: 1...64)
        }
        guard dimMults[0] == 1 else {
            throw NetworkError("dim_mults", "must begin with 1, because the last block reads 'dim' channels")
        }
    }
}

extension AnnotatedUNetConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("dim", \.dim),
        .init("init_dim", \.initDim),
        .init("out_dim", \.outDim),
        .init("dim_mults", \.dimMults),
        .init("channels", \.channels),
        .init("convnext_mult", \.convnextMult),
        .init("num_class_embeds", \.numClassEmbeds),
    ]
}
