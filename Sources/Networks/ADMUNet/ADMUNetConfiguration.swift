/// The configuration of an `ADMUNet`: keys of diffusers' `UNet2DModel`, and those of OpenAI's code and of cascades that it
/// does not have.
public struct ADMUNetConfiguration: Equatable, Sendable {
    /// The U-Net without what is laid beside its pictures; its norms and the width of its time follow from the others.
    public var unet: UNet2DConfiguration
    /// What times are multiplied with before they are embedded: 1000/T of networks that count T times as 1000.
    public var timeScale = 1.0
    /// How many times larger a side is than that of the picture that is enlarged; `nil` where none is.
    public var lowResolutionFactor: Int?
    /// Whether the network reads how much noise lies on the picture that it enlarges.
    public var hasNoiseLevel = false

    /// Two resolutions of 32 and 64 channels, with attention at the lower one.
    public init() {
        unet = UNet2DConfiguration()
        (unet.blockOutChannels, unet.layersPerBlock) = ([32, 64], 1)
        (unet.downBlockTypes, unet.upBlockTypes) = ([.residual, .attention], [.attention, .residual])
        (unet.downsampleType, unet.upsampleType) = (.resnet, .resnet)
        (unet.attentionHeadDim, unet.normNumGroups) = (32, 8)
        unet.resnetTimeScaleShift = .scaleShift
    }

    /// The U-Net as it is built: with the channels that are laid beside the picture, a norm before every attention, and a
    /// time that is embedded in four times its features.
    /// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), the published code.
    var whole: UNet2DConfiguration {
        var whole = unet
        if lowResolutionFactor != nil { whole.inChannels *= 2 }
        whole.attnNormNumGroups = unet.normNumGroups
        whole.timeEmbeddingDim = 4 * unet.timeFeatures
        return whole
    }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        // What is built of these is computed before the U-Net checks its own keys.
        try checkRange("in_channels", unet.inChannels, within: 1...32_768)
        try checkRange("block_out_channels", unet.blockOutChannels.count, within: 1...16)
        try checkRange("block_out_channels[0]", unet.blockOutChannels[0], within: 1...65_536)
        if let features = unet.timeFeatureCount {
            try checkRange("time_features", features, within: 2...262_144)
        }
        try whole.validate()
        guard timeScale.isFinite, timeScale > 0 else {
            throw NetworkError("time_scale", "is \(timeScale): use a number above 0")
        }
        try checkEnlargement(by: lowResolutionFactor, hasNoiseLevel: hasNoiseLevel)
    }
}

extension ADMUNetConfiguration: ConfigurationTable {
    /// The keys of a U-Net that are the same in every network of this kind.
    private static let fixedKeys: Set = [
        "center_input_sample", "time_embedding_type", "time_embedding_dim", "mid_block_type",
        "mid_block_scale_factor", "attn_norm_num_groups", "add_attention", "class_embed_type",
        "num_train_timesteps",
    ]

    package static let keys: [ConfigurationKey<Self>] =
        UNet2DConfiguration.keys.filter { !fixedKeys.contains($0.name) }.map { $0.within(\.unet) } + [
            .init("num_attention_heads", \.unet.numAttentionHeads),
            .init("time_features", \.unet.timeFeatureCount),
            .init("time_scale", \.timeScale),
            .init("low_resolution_factor", \.lowResolutionFactor),
            .init("noise_level_embedding", \.hasNoiseLevel),
        ]
}
