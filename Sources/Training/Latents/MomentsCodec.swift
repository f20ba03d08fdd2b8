import Networks
import Tensors

/// Latents drawn from moments that were computed before, and scaled.
public struct MomentsCodec: ExampleCodec {
    /// From the autoencoder's latents to the network's.
    public let scaling: LatentScaling
    /// Channels of latents.
    public let latentChannels: Int

    /// A codec.
    public init(_ scaling: LatentScaling, latentChannels: Int) {
        (self.scaling, self.latentChannels) = (scaling, latentChannels)
    }

    /// The shape of latents.
    public func shape(of example: Shape) -> Shape { [latentChannels, example[1], example[2]] }

    /// Latents of moments `[batch, 1 or 2 · latentChannels, height, width]`. Draws one number an element where there are
    /// standard deviations.
    public func encoded(_ moments: Tensor, _ generator: RandomGenerator) -> Tensor {
        let latents = LatentMoments(channels: moments, latentChannels: latentChannels).sample { shape in
            generator.normal(shape).sent(to: moments.device)
        }
        return scaling.scaled(latents)
    }
}
