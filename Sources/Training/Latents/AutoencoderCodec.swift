import Networks
import Tensors

/// Pictures as the latents of an autoencoder that stays as it is: drawn anew every time where the autoencoder gives a
/// distribution, before the codebook where it has one, and scaled.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 3.1 and appendix G.
public struct AutoencoderCodec: ExampleCodec {
    /// The autoencoder.
    public let autoencoder: any PictureAutoencoder

    /// A codec.
    public init(_ autoencoder: any PictureAutoencoder) { self.autoencoder = autoencoder }

    /// The shape of the latents of a picture.
    public func shape(of example: Shape) -> Shape {
        let factor = autoencoder.pixelsPerLatent
        return [autoencoder.latentChannels, example[1] / factor, example[2] / factor]
    }

    /// Latents `[batch, latentChannels, height, width]` of pictures `[batch, channels, height, width]`.
    /// - Throws: the error that a tensor carries.
    public func encoded(_ pictures: Tensor, _ generator: RandomGenerator) throws -> Tensor {
        // Copied, because the network records what it is given for gradients.
        let channels = inference { autoencoder.moments(of: pictures).channels }.copied()
        return MomentsCodec(autoencoder.latentScaling, latentChannels: autoencoder.latentChannels)
            .encoded(channels, generator)
    }
}
