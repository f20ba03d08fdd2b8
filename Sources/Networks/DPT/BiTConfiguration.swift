import Layers

/// The configuration of a `BiTBackbone`: the keys and defaults of transformers' `BitConfig` (version 5). Of its kinds of layers
/// there is the bottleneck, and of its paddings `same`, which are those of estimators of depth.
public struct BiTConfiguration: Equatable, Sendable {
    /// Channels of a picture.
    public var numChannels = 3
    /// Channels after the first convolution.
    public var embeddingSize = 64
    /// Channels of each stage.
    public var hiddenSizes = [256, 512, 1024, 2048]
    /// Layers of each stage.
    public var depths = [3, 4, 6, 3]
    /// Groups of the norms.
    public var numGroups = 32
    /// The non-linearity.
    public var hiddenAct = Activation.relu
    /// Whether the first pool pads as convolutions do; without, pixels that are left over at the edges are not seen.
    public var embeddingDynamicPadding = false
    /// How many times smaller than the picture the smallest features may become.
    public var outputStride = 32

    /// The defaults of transformers.
    public init() {}

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("num_channels", numChannels, within: 1...65_536)
        try checkRange("embedding_size", embeddingSize, within: 1...1_048_576)
        try checkRange("num_groups", numGroups, within: 1...embeddingSize)
        guard !depths.isEmpty, depths.count == hiddenSizes.count,
            depths.allSatisfy({ (1...1_000).contains($0) })
        else {
            throw NetworkError(
                "depths", "must hold a number of layers from 1 to 1000 for each of 'hidden_sizes'")
        }
        let norms = [embeddingSize] + hiddenSizes + hiddenSizes.map(Self.innerWidth)
        guard hiddenSizes.allSatisfy({ (8...1_048_576).contains($0) && $0 % 8 == 0 }),
            norms.allSatisfy({ $0 % numGroups == 0 })
        else {
            throw NetworkError(
                "hidden_sizes",
                "must be multiples of 8 to 1048576, and they and a quarter of them multiples of the 'num_groups' of \(numGroups)"
            )
        }
        guard outputStride >= 4 << (depths.count - 1) else {
            throw NetworkError(
                "output_stride",
                "is \(outputStride), where the stages make features \(4 << (depths.count - 1)) times smaller: dilated stages are not supported"
            )
        }
    }

    /// Channels inside a bottleneck: a quarter, in multiples of 8.
    static func innerWidth(_ width: Int) -> Int {
        let rounded = max(8, (width / 4 + 4) / 8 * 8)
        return Double(rounded) < 0.9 * Double(width) / 4 ? rounded + 8 : rounded
    }
}

extension BiTConfiguration: ConfigurationTable {
    package static let otherKeys: Set = [
        "drop_path_rate", "global_padding", "out_features", "out_indices", "stage_names",
    ]

    package static let keys: [ConfigurationKey<Self>] = [
        .init("num_channels", \.numChannels),
        .init("embedding_size", \.embeddingSize),
        .init("hidden_sizes", \.hiddenSizes),
        .init("depths", \.depths),
        .init("num_groups", \.numGroups),
        .init("hidden_act", choice: \.hiddenAct),
        .init("embedding_dynamic_padding", \.embeddingDynamicPadding),
        .init("output_stride", \.outputStride),
        .init("layer_type", always: "bottleneck", "must be \"bottleneck\" for a backbone"),
        .init("width_factor", always: 1, "must be 1"),
    ]

    package static func refuseOthers(_ values: KeyedDecodingContainer<ConfigurationName>) throws {
        var padding: String? = "same"
        try values.read("global_padding", into: &padding)
        guard padding?.lowercased() == "same" else {
            throw NetworkError("global_padding", "must be \"same\" for a backbone")
        }
    }
}
