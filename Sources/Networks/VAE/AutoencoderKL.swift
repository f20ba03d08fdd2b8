import Checkpoints
import Layers
import Tensors

/// The variational autoencoder of latent diffusion, under the parameter names of diffusers' `AutoencoderKL`.
///
/// Stable Diffusion's has 4 latent channels and a factor of 8, Stable Diffusion 3's has 16 channels, a shift
/// and no convolutions of single pixels.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 3.1 and appendix G; Kingma and Welling 2014
/// (arXiv:1312.6114).
public struct AutoencoderKL: Sendable {
    /// What the network was built from.
    public let configuration: AutoencoderKLConfiguration
    /// Tiles for pictures longer than one of them; `nil` takes every picture whole.
    /// `AutoencoderKLConfiguration.tiling` are diffusers' own.
    public var tiling: Tiling?
    /// Whether pictures of a batch go one after the other, so that memory stays that of one.
    public var isSlicing = false

    let encoder: PictureEncoder
    let decoder: PictureDecoder
    let quantConvolution: Convolution2D?
    let postQuantConvolution: Convolution2D?

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: AutoencoderKLConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let channels = configuration.coder.latentChannels
        encoder = PictureEncoder(configuration.coder, outputs: 2 * channels, weights["encoder"])
        decoder = PictureDecoder(configuration.coder, weights["decoder"])
        func pixels(_ channels: Int, _ name: String) -> Convolution2D {
            Convolution2D(inputs: channels, outputs: channels, kernel: 1, weights[name])
        }
        quantConvolution = configuration.useQuantConv ? pixels(2 * channels, "quant_conv") : nil
        postQuantConvolution = configuration.usePostQuantConv ? pixels(channels, "post_quant_conv") : nil
    }

    /// The distributions of the latents of pictures.
    ///
    /// - Parameter pictures: `[batch, inChannels, height, width]` in −1 … 1, of the weights' type.
    /// - Returns: means and variances `[batch, latentChannels, height / pixelsPerLatent, …]`
    public func encode(_ pictures: Tensor) -> LatentDistribution {
        func whole(_ x: Tensor) -> Tensor {
            let features = encoder(x)
            return quantConvolution?(features) ?? features
        }
        return LatentDistribution(sliced(pictures) { tiling?.encode($0, by: whole) ?? whole($0) })
    }

    /// The pictures of latents.
    ///
    /// - Parameter latents: `[batch, latentChannels, height, width]`, of the weights' type.
    /// - Returns: `[batch, outChannels, height · pixelsPerLatent, width · pixelsPerLatent]`, about −1 … 1
    public func decode(_ latents: Tensor) -> Tensor {
        func whole(_ z: Tensor) -> Tensor { decoder(postQuantConvolution?(z) ?? z) }
        return sliced(latents) { tiling?.decode($0, by: whole) ?? whole($0) }
    }

    private func sliced(_ x: Tensor, _ function: (Tensor) -> Tensor) -> Tensor {
        let count = x.shape[0]
        guard isSlicing, count > 1 else { return function(x) }
        return concatenated((0..<count).map { function(x.slice($0..<$0 + 1, of: 0)) })
    }
}

extension AutoencoderKL: PictureAutoencoder {
    /// Channels of latents.
    public var latentChannels: Int { configuration.coder.latentChannels }
    /// Pixels along each side of the square that one latent stands for.
    public var pixelsPerLatent: Int { configuration.coder.pixelsPerLatent }
    /// Between these latents and those of the diffusion model.
    public var latentScaling: LatentScaling { configuration.latentScaling }

    /// The distributions of the latents of pictures.
    public func moments(of pictures: Tensor) -> LatentMoments {
        let distribution = encode(pictures)
        return LatentMoments(mean: distribution.mean, deviation: distribution.deviation)
    }
}

extension AutoencoderKL: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "AutoencoderKL" }
    /// Early checkpoints name the four products of attention otherwise.
    public static var nameMap: NameMap { earlyAttentionNames(CoderConfiguration.attentionScopes) }
}

extension AutoencoderKL: LatentAutoencoder {
    /// What follows from a configuration.
    public static func traits(_ configuration: AutoencoderKLConfiguration) -> AutoencoderTraits {
        var traits = configuration.coder.traits(
            latentChannels: configuration.coder.latentChannels, overflowsInHalf: configuration.forceUpcast)
        traits.hasDistribution = true
        return traits
    }

    /// The autoencoder with the tiles that diffusers would use.
    public func tiled() -> AutoencoderKL {
        var tiled = self
        tiled.tiling = configuration.tiling
        return tiled
    }
}

extension AutoencoderKLConfiguration: AutoencoderSettings {
    /// The network that it describes.
    public typealias Network = AutoencoderKL
}

extension CoderConfiguration {
    /// Where encoders and decoders have attention.
    static let attentionScopes = [
        "encoder.down_blocks.{l}.attentions.{i}", "encoder.mid_block.attentions.{i}",
        "decoder.mid_block.attentions.{i}", "decoder.up_blocks.{l}.attentions.{i}",
    ]
}
