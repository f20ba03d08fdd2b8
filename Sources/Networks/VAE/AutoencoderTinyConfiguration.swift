import Layers

/// The configuration of an `AutoencoderTiny`: the keys, values and defaults of diffusers' class of that name
/// (version 0.42), so that its `config.json` is read and written as it stands. The keys that only say how
/// latents are kept as bytes are passed over.
public struct AutoencoderTinyConfiguration: Equatable, Sendable {
    /// How the decoder doubles.
    public enum UpsampleFunction: String, Sendable, CaseIterable {
        case nearest
        case bilinear
    }

    /// Channels of pictures to encode.
    public var inChannels = 3
    /// Channels of decoded pictures.
    public var outChannels = 3
    /// Channels at each resolution of the encoder: one number, again and again.
    public var encoderBlockOutChannels = [64, 64, 64, 64]
    /// Channels at each resolution of the decoder: one number, again and again.
    public var decoderBlockOutChannels = [64, 64, 64, 64]
    /// The non-linearity.
    public var actFn = Activation.relu
    /// How the decoder enlarges.
    public var upsampleFn = UpsampleFunction.nearest
    /// Channels of latents.
    public var latentChannels = 4
    /// By how much the decoder enlarges after each resolution.
    public var upsamplingScalingFactor = 2
    /// Blocks at each resolution of the encoder, from the highest.
    public var numEncoderBlocks = [1, 3, 3, 3]
    /// Blocks at each resolution of the decoder, from the lowest.
    public var numDecoderBlocks = [3, 3, 3, 1]
    /// What latents are multiplied by, so that their variance is 1.
    public var scalingFactor = 1.0
    /// What is taken off latents before they are scaled.
    public var shiftFactor = 0.0
    /// Whether float16 overflows in this network, so that it must run in float32.
    public var forceUpcast = false

    /// The defaults of diffusers.
    public init() {}

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("in_channels", inChannels, within: 1...65_536)
        try checkRange("out_channels", outChannels, within: 1...65_536)
        try checkRange("latent_channels", latentChannels, within: 1...65_536)
        try checkRange("upsampling_scaling_factor", upsamplingScalingFactor, within: 1...16)
        try check("encoder", encoderBlockOutChannels, numEncoderBlocks)
        try check("decoder", decoderBlockOutChannels, numDecoderBlocks)
        try LatentScaling.check(scalingFactor)
    }

    private func check(_ part: String, _ widths: [Int], _ blocks: [Int]) throws {
        let key = "\(part)_block_out_channels"
        try checkRange(key, widths.count, within: 1...16)
        for (index, width) in widths.enumerated() {
            try checkRange("\(key)[\(index)]", width, within: 1...65_536)
        }
        guard Set(widths).count == 1 else {
            throw NetworkError(key, "holds different numbers: this network needs the same everywhere")
        }
        guard blocks.count == widths.count else {
            throw NetworkError(
                "num_\(part)_blocks",
                "has \(blocks.count) entries and '\(key)' has \(widths.count): make them equal")
        }
        for (index, count) in blocks.enumerated() {
            try checkRange("num_\(part)_blocks[\(index)]", count, within: 0...256)
        }
    }
}

extension AutoencoderTinyConfiguration: ConfigurationTable {
    package static let otherKeys: Set = ["latent_magnitude", "latent_shift", "block_out_channels"]

    package static let keys: [ConfigurationKey<Self>] = [
        .init("in_channels", \.inChannels),
        .init("out_channels", \.outChannels),
        .init("encoder_block_out_channels", \.encoderBlockOutChannels),
        .init("decoder_block_out_channels", \.decoderBlockOutChannels),
        .init("act_fn", choice: \.actFn),
        .init("upsample_fn", choice: \.upsampleFn),
        .init("latent_channels", \.latentChannels),
        .init("upsampling_scaling_factor", \.upsamplingScalingFactor),
        .init("num_encoder_blocks", \.numEncoderBlocks),
        .init("num_decoder_blocks", \.numDecoderBlocks),
        .init("scaling_factor", \.scalingFactor),
        .init("shift_factor", \.shiftFactor),
        .init("force_upcast", \.forceUpcast),
    ]
}

extension AutoencoderTinyConfiguration.UpsampleFunction: Named {}
