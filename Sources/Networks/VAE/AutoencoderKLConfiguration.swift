/// The configuration of an `AutoencoderKL`: the keys, values and defaults of diffusers' class of that name
/// (version 0.42), so that its `config.json` is read and written as it stands.
public struct AutoencoderKLConfiguration: Equatable, Sendable {
    /// Encoder and decoder.
    public var coder = CoderConfiguration(latentChannels: 4)
    /// What is taken off latents before they are scaled.
    public var shiftFactor: Double?
    /// The mean of each channel of latents, taken off before they are scaled.
    public var latentsMean: [Double]?
    /// The standard deviation of each channel of latents.
    public var latentsStd: [Double]?
    /// Whether float16 overflows in this network, so that it must run in float32.
    public var forceUpcast = true
    /// Whether a convolution of single pixels follows the encoder.
    public var useQuantConv = true
    /// Whether a convolution of single pixels comes before the decoder.
    public var usePostQuantConv = true

    /// The defaults of diffusers.
    public init() {}

    /// Between these latents and those of the diffusion model.
    public var latentScaling: LatentScaling {
        let channels = latentsMean.flatMap { mean in
            latentsStd.map { LatentScaling.Channels(mean: mean, deviation: $0) }
        }
        return LatentScaling(factor: coder.scalingFactor, shift: shiftFactor ?? 0, channels: channels)
    }

    /// The tiles that diffusers would use: of the size that the network was made for, a quarter shared.
    public var tiling: Tiling {
        let (size, scale) = (coder.sampleSize.height, coder.pixelsPerLatent)
        // Tiles of one latent would not advance.
        return Tiling(pictureSize: max(size, 2 * scale), latentSize: max(size / scale, 2))
    }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try coder.validate()
        for (key, values) in [("latents_mean", latentsMean), ("latents_std", latentsStd)] {
            guard let values else { continue }
            guard values.count == coder.latentChannels else {
                throw NetworkError(
                    key,
                    "has \(values.count) entries: it needs one for each of \(coder.latentChannels) channels"
                )
            }
        }
        guard (latentsMean == nil) == (latentsStd == nil) else {
            throw NetworkError(
                latentsMean == nil ? "latents_mean" : "latents_std", "is missing beside the other of the two")
        }
        guard latentsStd?.allSatisfy({ $0.isFinite && $0 > 0 }) ?? true else {
            throw NetworkError("latents_std", "must hold positive numbers")
        }
        guard shiftFactor == nil || latentsMean == nil else {
            throw NetworkError(
                "shift_factor", "and 'latents_mean' both say what is taken off latents: leave one out")
        }
    }
}

extension AutoencoderKLConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] =
        CoderConfiguration.keys.map { $0.within(\.coder) } + [
            .init("shift_factor", \.shiftFactor),
            .init("latents_mean", \.latentsMean),
            .init("latents_std", \.latentsStd),
            .init("force_upcast", \.forceUpcast),
            .init("use_quant_conv", \.useQuantConv),
            .init("use_post_quant_conv", \.usePostQuantConv),
        ]
}
