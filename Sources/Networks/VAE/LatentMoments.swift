import Tensors

/// What an autoencoder makes of pictures, before anything is drawn: the means of their latents and, where latents are
/// drawn from a distribution, their standard deviations. They are computed once where the autoencoder stays as it is.
public struct LatentMoments: Sendable {
    /// `[batch, latentChannels, height, width]`
    public let mean: Tensor
    /// The standard deviation of each element; `nil` where the latents follow from the picture.
    public let deviation: Tensor?

    /// Moments of latents.
    public init(mean: Tensor, deviation: Tensor? = nil) {
        (self.mean, self.deviation) = (mean, deviation)
    }

    /// Latents drawn from the distributions; the means where there are none.
    /// - Parameter noise: standard normal numbers of a shape, asked for once where there are distributions.
    public func sample(noise: (Shape) -> Tensor) -> Tensor {
        guard let deviation else { return mean }
        return mean + deviation * noise(mean.shape)
    }

    /// Means and then deviations as channels of one tensor, `[batch, 1 or 2 · latentChannels, height, width]`.
    public var channels: Tensor { deviation.map { concatenated([mean, $0], along: 1) } ?? mean }

    /// The moments that are channels of one tensor.
    public init(channels: Tensor, latentChannels: Int) {
        guard channels.shape[1] == 2 * latentChannels else {
            self.init(mean: channels)
            return
        }
        let parts = channels.chunked(2, of: 1)
        self.init(mean: parts[0], deviation: parts[1])
    }
}
