/// The configuration of an `MLP`.
public struct MLPConfiguration: Equatable, Sendable {
    /// The dimension of a point.
    public var dimension = 2
    /// Numbers of the output for a point, `dimension` where `nil`; twice as many where a variance is learned.
    public var outputDimension: Int?
    /// Features of the layers and of the embedded time.
    public var width = 128
    /// Layers between the first and the last.
    public var layers = 4
    /// The number of classes, `nil` where the network knows none.
    public var numClassEmbeds: Int?

    /// Points of a plane, four layers of 128 features.
    public init() {}

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("dimension", dimension, within: 1...65_536)
        if let outputDimension { try checkRange("output_dimension", outputDimension, within: 1...131_072) }
        try checkRange("width", width, within: 4...16_384)
        try checkRange("layers", layers, within: 1...1024)
        if let numClassEmbeds { try checkRange("num_class_embeds", numClassEmbeds, within: 1...10_000_000) }
    }
}

extension MLPConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("dimension", \.dimension),
        .init("output_dimension", \.outputDimension),
        .init("width", \.width),
        .init("layers", \.layers),
        .init("num_class_embeds", \.numClassEmbeds),
    ]
}
