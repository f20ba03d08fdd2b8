/// The configuration of a `GLIDEUNet`: keys of diffusers' `UNet2DConditionModel`, and those of the text transformer and of
/// what is laid beside the noisy picture, under the names of the published code where it has any.
public struct GLIDEUNetConfiguration: Equatable, Sendable {
    /// The U-Net without what is laid beside its pictures; what it attends to follows from the text transformer.
    public var unet = UNet2DConditionConfiguration()
    /// Tokens of a text, the padding included.
    public var textLength = 32
    /// Features of a token.
    public var textWidth = 64
    /// Layers of the text transformer.
    public var textLayers = 2
    /// Heads of attention in each of them.
    public var textHeads = 2
    /// Tokens that there are; the last one fills a text up.
    public var vocabularySize = 50_257
    /// How many times larger a side is than that of the picture that is enlarged; `nil` where none is.
    public var lowResolutionFactor: Int?
    /// Whether the network is given a picture of which a part is hidden, and where.
    public var inpaints = false

    /// Two resolutions of 32 and 64 channels, with attention at the lower one.
    public init() {
        (unet.inChannels, unet.outChannels) = (3, 6)
        (unet.blockOutChannels, unet.layersPerBlock) = ([32, 64], .same(1))
        (unet.downBlockTypes, unet.upBlockTypes) = (
            [.residual, .simpleCrossAttention], [.simpleCrossAttention, .residual]
        )
        (unet.attentionHeadDim, unet.normNumGroups) = (.same(32), 8)
        unet.resnetTimeScaleShift = .scaleShift
    }

    /// The U-Net as it is built: with the channels that are laid beside the picture, attending to the text transformer's
    /// states, and with a text as a whole added to the time.
    var whole: UNet2DConditionConfiguration {
        var whole = unet
        let pictures = 1 + (inpaints ? 1 : 0) + (lowResolutionFactor == nil ? 0 : 1)
        whole.inChannels = pictures * unet.inChannels + (inpaints ? 1 : 0)
        whole.crossAttentionDim = .same(textWidth)
        whole.midBlockType = .simpleCrossAttention
        whole.classEmbedType = .identity
        return whole
    }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("in_channels", unet.inChannels, within: 1...16_384)
        try checkRange("text_ctx", textLength, within: 1...65_536)
        try checkRange("xf_width", textWidth, within: 1...65_536)
        try checkRange("xf_layers", textLayers, within: 1...1_000)
        try checkRange("xf_heads", textHeads, within: 1...textWidth)
        try checkRange("vocab_size", vocabularySize, within: 2...10_000_000)
        guard textWidth % textHeads == 0 else {
            throw NetworkError(
                "xf_heads", "is \(textHeads), which does not divide the 'xf_width' of \(textWidth)")
        }
        try checkEnlargement(by: lowResolutionFactor, hasNoiseLevel: false)
        try whole.validate()
    }
}

extension GLIDEUNetConfiguration: ConfigurationTable {
    /// The keys of a U-Net in which networks of this kind differ.
    private static let sharedKeys: Set = [
        "sample_size", "in_channels", "out_channels", "flip_sin_to_cos", "freq_shift", "down_block_types",
        "up_block_types", "block_out_channels", "layers_per_block", "dropout", "act_fn", "norm_num_groups",
        "norm_eps", "attention_head_dim", "resnet_time_scale_shift",
    ]

    package static let keys: [ConfigurationKey<Self>] =
        UNet2DConditionConfiguration.keys.filter { sharedKeys.contains($0.name) }.map { $0.within(\.unet) }
        + [
            .init("text_ctx", \.textLength),
            .init("xf_width", \.textWidth),
            .init("xf_layers", \.textLayers),
            .init("xf_heads", \.textHeads),
            .init("vocab_size", \.vocabularySize),
            .init("low_resolution_factor", \.lowResolutionFactor),
            .init("inpaints", \.inpaints),
        ]
}
