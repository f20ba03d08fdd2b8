import Checkpoints
import Layers
import Tensors

/// The autoencoder whose latents are rounded to a grid, with encoder and decoder of `VQModel` and no codebook.
/// Parameters `encoder.*`, `decoder.*`.
/// Source: Mentzer et al. 2023 (arXiv:2309.15505).
public struct FSQModel: Sendable {
    /// What the network was built from.
    public let configuration: FSQModelConfiguration
    /// The grid.
    public let quantizer: FiniteScalarQuantizer

    let encoder: PictureEncoder
    let decoder: PictureDecoder

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: FSQModelConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        var coder = configuration.coder
        coder.latentChannels = configuration.levels.count
        quantizer = FiniteScalarQuantizer(levels: configuration.levels)
        encoder = PictureEncoder(coder, outputs: coder.latentChannels, weights["encoder"])
        decoder = PictureDecoder(coder, weights["decoder"])
    }

    /// The latents of pictures before they are rounded; those are what diffusion works on.
    ///
    /// - Parameter pictures: `[batch, inChannels, height, width]` in −1 … 1, of the weights' type.
    /// - Returns: `[batch, levels.count, height / pixelsPerLatent, width / pixelsPerLatent]`, about −1 … 1
    public func encode(_ pictures: Tensor) -> Tensor { quantizer.bounded(encoder(pictures)) }

    /// The pictures of latents, which are first rounded to the grid.
    ///
    /// - Parameter latents: `[batch, levels.count, height, width]`
    /// - Returns: `[batch, outChannels, height · pixelsPerLatent, width · pixelsPerLatent]`, about −1 … 1
    public func decode(_ latents: Tensor) -> Tensor { decoder(quantizer(latents)) }

    /// The pictures of numbers of vectors of the grid, `[batch, height, width]` of `int64`.
    public func decode(indices: Tensor) -> Tensor { decoder(quantizer.vectors(at: indices)) }
}

extension FSQModel: PictureAutoencoder {
    /// Channels of latents.
    public var latentChannels: Int { configuration.levels.count }
    /// Pixels along each side of the square that one latent stands for.
    public var pixelsPerLatent: Int { configuration.coder.pixelsPerLatent }
    /// Between these latents and those of the diffusion model.
    public var latentScaling: LatentScaling { LatentScaling(factor: configuration.coder.scalingFactor) }

    /// The latents of pictures before they are rounded.
    public func moments(of pictures: Tensor) -> LatentMoments { LatentMoments(mean: encode(pictures)) }
}

extension FSQModel: ConfiguredNetwork {
    /// The name in `config.json`.
    public static var className: String { "FSQModel" }
}

extension FSQModel: LatentAutoencoder {
    /// What follows from a configuration.
    public static func traits(_ configuration: FSQModelConfiguration) -> AutoencoderTraits {
        configuration.coder.traits(latentChannels: configuration.levels.count, overflowsInHalf: false)
    }
}

extension FSQModelConfiguration: AutoencoderSettings {
    /// The network that it describes.
    public typealias Network = FSQModel
}
