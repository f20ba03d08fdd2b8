import Checkpoints
import Layers
import Tensors

/// The autoencoder with a codebook, under the parameter names of diffusers' `VQModel`; latent diffusion's
/// first stages VQ-f4 and VQ-f8 are two of its configurations.
/// Source: van den Oord et al. 2017 (arXiv:1711.00937); Esser et al. 2021 (arXiv:2012.09841); Rombach et al.
/// 2022 (arXiv:2112.10752), appendix G.
public struct VQModel: Sendable {
    /// What the network was built from.
    public let configuration: VQModelConfiguration
    /// The codebook.
    public let quantizer: VectorQuantizer

    let encoder: PictureEncoder
    let decoder: PictureDecoder
    let quantConvolution: Convolution2D
    let postQuantConvolution: Convolution2D

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: VQModelConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (latent, code) = (configuration.coder.latentChannels, configuration.codeWidth)
        encoder = PictureEncoder(configuration.coder, outputs: latent, weights["encoder"])
        decoder = PictureDecoder(
            configuration.coder, hasCode: configuration.normType == .spatial, weights["decoder"])
        quantizer = VectorQuantizer(
            count: configuration.numVQEmbeddings, width: code, weights["quantize"])
        quantConvolution = Convolution2D(
            inputs: latent, outputs: code, kernel: 1, weights["quant_conv"])
        postQuantConvolution = Convolution2D(
            inputs: code, outputs: latent, kernel: 1, weights["post_quant_conv"])
    }

    /// The latents of pictures before the codebook; those are what diffusion works on.
    ///
    /// - Parameter pictures: `[batch, inChannels, height, width]` in −1 … 1, of the weights' type.
    /// - Returns: `[batch, codeWidth, height / pixelsPerLatent, width / pixelsPerLatent]`
    public func encode(_ pictures: Tensor) -> Tensor { quantConvolution(encoder(pictures)) }

    /// The pictures of latents, which first become the nearest vectors of the codebook.
    ///
    /// - Parameter latents: `[batch, codeWidth, height, width]`
    /// - Returns: `[batch, outChannels, height · pixelsPerLatent, width · pixelsPerLatent]`, about −1 … 1
    public func decode(_ latents: Tensor) -> Tensor { decode(quantized: quantizer(latents).latents) }

    /// The pictures of indices into the codebook, `[batch, height, width]` of `int64`.
    public func decode(indices: Tensor) -> Tensor { decode(quantized: quantizer.vectors(at: indices)) }

    /// The pictures of latents as they are, the codebook left out.
    public func decode(quantized: Tensor) -> Tensor {
        decoder(postQuantConvolution(quantized), code: quantized)
    }

    /// Pictures there and back, as training needs them.
    /// - Parameter pictures: `[batch, inChannels, height, width]`
    /// - Returns: the pictures again, and what the codebook did to their latents, with its losses.
    public func callAsFunction(_ pictures: Tensor) -> (pictures: Tensor, quantization: Quantization) {
        let quantization = quantizer(encode(pictures))
        return (decode(quantized: quantization.latents), quantization)
    }
}

extension VQModel: PictureAutoencoder {
    /// Channels of latents.
    public var latentChannels: Int { configuration.codeWidth }
    /// Pixels along each side of the square that one latent stands for.
    public var pixelsPerLatent: Int { configuration.coder.pixelsPerLatent }
    /// Between these latents and those of the diffusion model.
    public var latentScaling: LatentScaling { LatentScaling(factor: configuration.coder.scalingFactor) }

    /// The latents of pictures before the codebook.
    public func moments(of pictures: Tensor) -> LatentMoments { LatentMoments(mean: encode(pictures)) }
}

extension VQModel: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "VQModel" }
    /// Early checkpoints name the four products of attention otherwise.
    public static var nameMap: NameMap { earlyAttentionNames(CoderConfiguration.attentionScopes) }
}

extension VQModel: LatentAutoencoder {
    /// What follows from a configuration.
    public static func traits(_ configuration: VQModelConfiguration) -> AutoencoderTraits {
        configuration.coder.traits(
            latentChannels: configuration.codeWidth, overflowsInHalf: configuration.forceUpcast)
    }
}

extension VQModelConfiguration: AutoencoderSettings {
    /// The network that it describes.
    public typealias Network = VQModel
}
