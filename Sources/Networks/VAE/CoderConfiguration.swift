import Layers

/// What the encoders and decoders of `AutoencoderKL` and `VQModel` are built from: keys that both classes of
/// diffusers (version 0.42) have.
public struct CoderConfiguration: Equatable, Sendable {
    /// A block of the encoder.
    public enum DownBlockType: String, Sendable, CaseIterable {
        case plain = "DownEncoderBlock2D"
        case attention = "AttnDownEncoderBlock2D"
    }

    /// A block of the decoder.
    public enum UpBlockType: String, Sendable, CaseIterable {
        case plain = "UpDecoderBlock2D"
        case attention = "AttnUpDecoderBlock2D"
    }

    /// Channels of pictures to encode.
    public var inChannels = 3
    /// Channels of decoded pictures.
    public var outChannels = 3
    /// The blocks of the encoder, from the highest resolution.
    public var downBlockTypes: [DownBlockType] = [.plain]
    /// The blocks of the decoder, from the lowest resolution.
    public var upBlockTypes: [UpBlockType] = [.plain]
    /// Channels at each resolution, from the highest.
    public var blockOutChannels = [64]
    /// Residual blocks at each resolution of the encoder; the decoder has one more.
    public var layersPerBlock = 1
    /// The non-linearity of residual blocks.
    public var actFn = Activation.silu
    /// Channels of latents.
    public var latentChannels: Int
    /// Groups of the norms.
    public var normNumGroups = 32
    /// Height and width of the pictures that the network was made for; it takes others.
    public var sampleSize = UNet2DConfiguration.SampleSize.square(32)
    /// What latents are multiplied by, so that their variance is 1.
    public var scalingFactor = 0.18215
    /// Whether the middles of encoder and decoder have attention.
    public var midBlockAddAttention = true

    init(latentChannels: Int) {
        self.latentChannels = latentChannels
    }

    /// Pixels along each side of the square that one latent stands for.
    public var pixelsPerLatent: Int { 1 << (blockOutChannels.count - 1) }

    /// The keys, as the configurations of both have them.
    static let keys: [ConfigurationKey<Self>] = [
        .init("in_channels", \.inChannels),
        .init("out_channels", \.outChannels),
        .init("down_block_types", choices: \.downBlockTypes),
        .init("up_block_types", choices: \.upBlockTypes),
        .init("block_out_channels", \.blockOutChannels),
        .init("layers_per_block", \.layersPerBlock),
        .init("act_fn", choice: \.actFn),
        .init("latent_channels", \.latentChannels),
        .init("norm_num_groups", \.normNumGroups),
        .init("sample_size", \.sampleSize),
        .init("scaling_factor", \.scalingFactor),
        .init("mid_block_add_attention", \.midBlockAddAttention),
    ]

    func validate() throws {
        let levels = blockOutChannels.count
        try checkRange("block_out_channels", levels, within: 1...16)
        try checkRange("norm_num_groups", normNumGroups, within: 1...65_536)
        for (index, channels) in blockOutChannels.enumerated() {
            try checkRange("block_out_channels[\(index)]", channels, within: 1...65_536)
            guard channels % normNumGroups == 0 else {
                throw NetworkError(
                    "norm_num_groups",
                    "is \(normNumGroups), which does not divide the \(channels) channels of a block")
            }
        }
        for (key, count) in [
            ("down_block_types", downBlockTypes.count), ("up_block_types", upBlockTypes.count),
        ] where count != levels {
            throw NetworkError(
                key, "has \(count) entries and 'block_out_channels' has \(levels): make them equal")
        }
        try checkRange("in_channels", inChannels, within: 1...65_536)
        try checkRange("out_channels", outChannels, within: 1...65_536)
        try checkRange("latent_channels", latentChannels, within: 1...65_536)
        try checkRange("layers_per_block", layersPerBlock, within: 1...256)
        try checkRange("sample_size", sampleSize.height, within: 1...65_536)
        try checkRange("sample_size", sampleSize.width, within: 1...65_536)
        try LatentScaling.check(scalingFactor)
    }
}

extension CoderConfiguration.DownBlockType: Named {}
extension CoderConfiguration.UpBlockType: Named {}
