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

    enum CodingKeys: String, CodingKey {
        case inChannels = "in_channels"
        case outChannels = "out_channels"
        case downBlockTypes = "down_block_types"
        case upBlockTypes = "up_block_types"
        case blockOutChannels = "block_out_channels"
        case layersPerBlock = "layers_per_block"
        case actFn = "act_fn"
        case latentChannels = "latent_channels"
        case normNumGroups = "norm_num_groups"
        case sampleSize = "sample_size"
        case scalingFactor = "scaling_factor"
        case midBlockAddAttention = "mid_block_add_attention"
    }

    mutating func read(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.inChannels, into: &inChannels)
        try values.read(.outChannels, into: &outChannels)
        try values.readChoices(.downBlockTypes, into: &downBlockTypes)
        try values.readChoices(.upBlockTypes, into: &upBlockTypes)
        try values.read(.blockOutChannels, into: &blockOutChannels)
        try values.read(.layersPerBlock, into: &layersPerBlock)
        try values.readChoice(.actFn, into: &actFn)
        try values.read(.latentChannels, into: &latentChannels)
        try values.read(.normNumGroups, into: &normNumGroups)
        try values.read(.sampleSize, into: &sampleSize)
        try values.read(.scalingFactor, into: &scalingFactor)
        try values.read(.midBlockAddAttention, into: &midBlockAddAttention)
    }

    func write(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(inChannels, forKey: .inChannels)
        try values.encode(outChannels, forKey: .outChannels)
        try values.encode(downBlockTypes.map(\.rawValue), forKey: .downBlockTypes)
        try values.encode(upBlockTypes.map(\.rawValue), forKey: .upBlockTypes)
        try values.encode(blockOutChannels, forKey: .blockOutChannels)
        try values.encode(layersPerBlock, forKey: .layersPerBlock)
        try values.encode(actFn, forKey: .actFn)
        try values.encode(latentChannels, forKey: .latentChannels)
        try values.encode(normNumGroups, forKey: .normNumGroups)
        try values.encode(sampleSize, forKey: .sampleSize)
        try values.encode(scalingFactor, forKey: .scalingFactor)
        try values.encode(midBlockAddAttention, forKey: .midBlockAddAttention)
    }

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
        try checkRange("sample_size", sampleSize.height, within: 1...1_048_576)
        try checkRange("sample_size", sampleSize.width, within: 1...1_048_576)
        try LatentScaling.check(scalingFactor)
    }
}

extension CoderConfiguration.DownBlockType: Named {}
extension CoderConfiguration.UpBlockType: Named {}
