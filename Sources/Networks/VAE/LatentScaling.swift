import Tensors

/// Between the latents of an autoencoder and those, of variance 1, that a diffusion model knows.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), appendix G.
public struct LatentScaling: Equatable, Sendable {
    /// What latents are multiplied by.
    public let factor: Double
    /// What is first taken off all channels.
    public let shift: Double
    /// What is first taken off each channel, and what each channel is divided by.
    public let channels: Channels?

    /// Moments of latents, one number a channel.
    public struct Channels: Equatable, Sendable {
        /// The means.
        public let mean: [Double]
        /// The standard deviations.
        public let deviation: [Double]

        /// Moments of channels.
        public init(mean: [Double], deviation: [Double]) {
            self.mean = mean
            self.deviation = deviation
        }
    }

    /// Scaling by a factor, after a shift or moments are taken off.
    public init(factor: Double, shift: Double = 0, channels: Channels? = nil) {
        self.factor = factor
        self.shift = shift
        self.channels = channels
    }

    /// From the autoencoder to the diffusion model: `[batch, channels, height, width]`, the shape stays.
    public func scaled(_ latents: Tensor) -> Tensor {
        guard let channels else { return (shift == 0 ? latents : latents - shift) * factor }
        return (latents - channels.mean.channels(of: latents)) * factor
            / channels.deviation.channels(of: latents)
    }

    /// From the diffusion model to the autoencoder: `[batch, channels, height, width]`, the shape stays.
    public func unscaled(_ latents: Tensor) -> Tensor {
        guard let channels else { return shift == 0 ? latents / factor : latents / factor + shift }
        return latents * channels.deviation.channels(of: latents) / factor
            + channels.mean.channels(of: latents)
    }

    /// - Throws: `NetworkError` where a factor would lose the latents.
    static func check(_ factor: Double) throws {
        guard factor.isFinite, factor != 0 else {
            throw NetworkError("scaling_factor", "is \(factor): use a number other than 0")
        }
    }
}

extension [Double] {
    /// One number a channel, beside pictures or latents `[batch, channels, height, width]`.
    func channels(of latents: Tensor) -> Tensor {
        Tensor(self).to(latents.elementType).to(latents.device).reshaped([1, count, 1, 1])
    }
}
