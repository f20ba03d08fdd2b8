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

    private enum CodingKeys: String, CodingKey {
        case inChannels = "in_channels"
        case outChannels = "out_channels"
        case encoderBlockOutChannels = "encoder_block_out_channels"
        case decoderBlockOutChannels = "decoder_block_out_channels"
        case actFn = "act_fn"
        case upsampleFn = "upsample_fn"
        case latentChannels = "latent_channels"
        case upsamplingScalingFactor = "upsampling_scaling_factor"
        case numEncoderBlocks = "num_encoder_blocks"
        case numDecoderBlocks = "num_decoder_blocks"
        case scalingFactor = "scaling_factor"
        case shiftFactor = "shift_factor"
        case forceUpcast = "force_upcast"
    }
}

extension AutoencoderTinyConfiguration: Codable {
    /// Reads a `config.json`; keys that are absent keep diffusers' defaults, unknown ones are passed over.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.inChannels, into: &inChannels)
        try values.read(.outChannels, into: &outChannels)
        try values.read(.encoderBlockOutChannels, into: &encoderBlockOutChannels)
        try values.read(.decoderBlockOutChannels, into: &decoderBlockOutChannels)
        try values.readChoice(.actFn, into: &actFn)
        try values.readChoice(.upsampleFn, into: &upsampleFn)
        try values.read(.latentChannels, into: &latentChannels)
        try values.read(.upsamplingScalingFactor, into: &upsamplingScalingFactor)
        try values.read(.numEncoderBlocks, into: &numEncoderBlocks)
        try values.read(.numDecoderBlocks, into: &numDecoderBlocks)
        try values.read(.scalingFactor, into: &scalingFactor)
        try values.read(.shiftFactor, into: &shiftFactor)
        try values.read(.forceUpcast, into: &forceUpcast)
        try validate()
    }

    /// Writes every key.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(inChannels, forKey: .inChannels)
        try values.encode(outChannels, forKey: .outChannels)
        try values.encode(encoderBlockOutChannels, forKey: .encoderBlockOutChannels)
        try values.encode(decoderBlockOutChannels, forKey: .decoderBlockOutChannels)
        try values.encode(actFn, forKey: .actFn)
        try values.encode(upsampleFn.rawValue, forKey: .upsampleFn)
        try values.encode(latentChannels, forKey: .latentChannels)
        try values.encode(upsamplingScalingFactor, forKey: .upsamplingScalingFactor)
        try values.encode(numEncoderBlocks, forKey: .numEncoderBlocks)
        try values.encode(numDecoderBlocks, forKey: .numDecoderBlocks)
        try values.encode(scalingFactor, forKey: .scalingFactor)
        try values.encode(shiftFactor, forKey: .shiftFactor)
        try values.encode(forceUpcast, forKey: .forceUpcast)
    }
}

extension AutoencoderTinyConfiguration.UpsampleFunction: Named {}
