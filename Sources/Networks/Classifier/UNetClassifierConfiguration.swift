/// The configuration of a `UNetClassifier`: the keys of diffusers' `UNet2DModel` for the way down and the middle, and two
/// of its own.
public struct UNetClassifierConfiguration: Equatable, Sendable {
    /// How the features of all places become those of the picture.
    public enum Pool: String, Sendable, CaseIterable {
        /// A query from the mean of all places attends to them.
        case attention
        /// Their mean.
        case average
    }

    /// The way down; its keys of the way up, of outputs and of given classes do not count.
    public var encoder: UNet2DConfiguration
    /// The number of classes that are told apart.
    public var numClasses = 10
    /// How the features of all places become those of the picture.
    public var pool = Pool.attention

    /// Three resolutions of 32, 64 and 64 channels, with attention at the lowest.
    public init() {
        encoder = UNet2DConfiguration()
        encoder.sampleSize = .square(32)
        (encoder.blockOutChannels, encoder.layersPerBlock) = ([32, 64, 64], 1)
        encoder.downBlockTypes = [.plain, .plain, .attention]
        (encoder.attentionHeadDim, encoder.normNumGroups) = (32, 8)
        encoder.resnetTimeScaleShift = .scaleShift
    }

    /// Height and width of pictures are multiples of this.
    public var sizeMultiple: Int { 1 << (encoder.blockOutChannels.count - 1) }

    /// The way down as a U-Net's configuration that is whole, with a norm before every attention.
    var wholeEncoder: UNet2DConfiguration {
        var whole = encoder
        whole.upBlockTypes = Array(repeating: .plain, count: whole.blockOutChannels.count)
        (whole.midBlockType, whole.attnNormNumGroups) = (.plain, whole.normNumGroups)
        if whole.timeFeatureCount != nil { whole.timeEmbeddingDim = 4 * whole.timeFeatures }
        return whole
    }

    /// The number of places at the lowest resolution.
    var placeCount: Int {
        guard let size = encoder.sampleSize else { return 0 }
        return (size.height / sizeMultiple) * (size.width / sizeMultiple)
    }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("block_out_channels", encoder.blockOutChannels.count, within: 1...16)
        try wholeEncoder.validate()
        try checkRange("num_classes", numClasses, within: 2...10_000_000)
        guard let size = encoder.sampleSize else {
            throw NetworkError("sample_size", "is needed: give the height and width of the pictures")
        }
        guard size.height % sizeMultiple == 0, size.width % sizeMultiple == 0 else {
            throw NetworkError(
                "sample_size",
                "is \(size.height)×\(size.width), and \(encoder.blockOutChannels.count) resolutions need multiples of \(sizeMultiple)"
            )
        }
        guard pool == .attention, let width = encoder.blockOutChannels.last else { return }
        let headSize = encoder.attentionHeadDim ?? width
        guard width % headSize == 0 else {
            throw NetworkError(
                "attention_head_dim",
                "is \(headSize), which does not divide the \(width) channels of the pool")
        }
    }
}

extension UNetClassifierConfiguration: ConfigurationTable {
    /// The keys of a U-Net that the way down and the middle read.
    private static let encoderKeys: Set = [
        "sample_size", "in_channels", "time_embedding_dim", "freq_shift", "flip_sin_to_cos",
        "down_block_types",
        "block_out_channels", "layers_per_block", "downsample_padding", "downsample_type", "dropout",
        "act_fn",
        "attention_head_dim", "norm_num_groups", "norm_eps", "resnet_time_scale_shift",
    ]

    package static let keys: [ConfigurationKey<Self>] =
        UNet2DConfiguration.keys.filter { encoderKeys.contains($0.name) }.map { $0.within(\.encoder) } + [
            .init("num_classes", \.numClasses),
            .init("pool", choice: \.pool),
            .init("time_features", \.encoder.timeFeatureCount),
        ]
}

extension UNetClassifierConfiguration.Pool: Named {}

extension UNetClassifierConfiguration {
    /// The keys that data decide where they are left out.
    public static let fittedKeys: Set = ["sample_size", "in_channels", "num_classes"]

    /// The same for the size, the channels and the classes of data, where their keys were not given.
    public func fitted(to demands: NetworkDemands) -> Self {
        var fitted = self
        demands.set("sample_size", &fitted.encoder.sampleSize, to: demands.size)
        demands.set("in_channels", &fitted.encoder.inChannels, to: demands.channels)
        demands.set("num_classes", &fitted.numClasses, to: demands.classes)
        return fitted
    }

    /// The number of values, at the least, that live together while one picture passes.
    public var activationCount: Double {
        guard let size = encoder.sampleSize else { return 0 }
        let layers = encoder.layersPerBlock
        return ActivationCount.ofUNet(encoder.blockOutChannels) { _ in layers }(
            [encoder.inChannels, size.height, size.width])
    }
}

extension UNetClassifierConfiguration: TrainableSettings {}
