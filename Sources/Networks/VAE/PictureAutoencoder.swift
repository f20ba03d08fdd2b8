import Tensors

/// A network that turns pictures into small latents and back, for diffusion to work among the latents.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 3.1.
public protocol PictureAutoencoder: Sendable {
    /// Channels of latents.
    var latentChannels: Int { get }
    /// Pixels along each side of the square that one latent stands for.
    var pixelsPerLatent: Int { get }
    /// Between these latents and those of the diffusion model; neither function below applies it.
    var latentScaling: LatentScaling { get }

    /// The moments of the latents of pictures.
    /// - Parameter pictures: `[batch, channels, height, width]` in −1 … 1; sides are multiples of `pixelsPerLatent`.
    /// - Returns: `[batch, latentChannels, height / pixelsPerLatent, width / pixelsPerLatent]` each.
    func moments(of pictures: Tensor) -> LatentMoments

    /// The pictures of latents `[batch, latentChannels, height, width]`, about −1 … 1.
    func decode(_ latents: Tensor) -> Tensor

    /// The same by a decoder that draws noise.
    /// - Parameter noise: standard normal numbers of a picture's shape `[channels, height, width]`, one for each of the
    ///   batch; asked for whenever the decoder draws, and never where pictures follow from the latents.
    func decode(_ latents: Tensor, noise: (Shape) -> Tensor) -> Tensor
}

extension PictureAutoencoder {
    /// They follow from the latents.
    public func decode(_ latents: Tensor, noise: (Shape) -> Tensor) -> Tensor { decode(latents) }

    /// The latents of pictures.
    ///
    /// - Parameters:
    ///   - pictures: `[batch, channels, height, width]` in −1 … 1; sides are multiples of `pixelsPerLatent`.
    ///   - noise: standard normal numbers of a shape, asked for once where latents are drawn from a
    ///     distribution, and never where they follow from the picture.
    /// - Returns: `[batch, latentChannels, height / pixelsPerLatent, width / pixelsPerLatent]`
    public func latents(of pictures: Tensor, noise: (Shape) -> Tensor) -> Tensor {
        moments(of: pictures).sample(noise: noise)
    }
}
