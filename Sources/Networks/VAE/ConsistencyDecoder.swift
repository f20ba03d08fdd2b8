import Checkpoints
import Foundation
import Layers
import Tensors

/// The encoder of Stable Diffusion's autoencoder, and a decoder that makes pictures of its latents by a consistency model in
/// two steps, under the parameter names of diffusers' `ConsistencyDecoderVAE`.
///
/// x̂₀ = c_out·F(c_in·x beside the enlarged latents, t) + c_skip·x at t = 1008, then, with new noise, at t = 512.
/// Source: Song et al. 2023 (arXiv:2303.01469), equations 5 and 8 and algorithm 1; the decoder: Betker et al. 2023
/// ("Improving image generation with better captions"), appendix A.
public struct ConsistencyDecoder: Sendable {
    /// What the network was built from.
    public let configuration: ConsistencyDecoderConfiguration
    let encoder: PictureEncoder
    let quantConvolution: Convolution2D
    let decoder: UNet2D

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: ConsistencyDecoderConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let outputs = 2 * configuration.latentChannels
        encoder = PictureEncoder(configuration.encoder, outputs: outputs, weights["encoder"])
        decoder = try UNet2D(configuration.decoder, weights["decoder_unet"])
        quantConvolution = Convolution2D(inputs: outputs, outputs: outputs, kernel: 1, weights["quant_conv"])
    }

    /// The distributions of the latents of pictures.
    /// - Parameter pictures: `[batch, inChannels, height, width]` in −1 … 1, of the weights' type.
    public func encode(_ pictures: Tensor) -> LatentDistribution {
        LatentDistribution(quantConvolution(encoder(pictures)))
    }

    /// The pictures of latents.
    /// - Parameters:
    ///   - latents: `[batch, latentChannels, height, width]`, of the weights' type.
    ///   - noise: standard normal numbers of a picture's shape, `[3, height, width]`, one for each of the batch; asked for
    ///     before each of the two steps.
    /// - Returns: `[batch, 3, height · pixelsPerLatent, width · pixelsPerLatent]`, about −1 … 1
    public func decode(_ latents: Tensor, noise: (Shape) -> Tensor) -> Tensor {
        let type = latents.elementType
        let unit =
            (latents * configuration.scalingFactor - Self.mean.channels(of: latents))
            / Self.deviation.channels(of: latents)
        let beside = unit.enlargedNearest(pixelsPerLatent)
        let shape: Shape = [3, beside.shape[2], beside.shape[3]]
        var estimate: Tensor?
        for step in Self.steps {
            let drawn = noise(shape).to(type) * step.sigma
            let x = estimate.map { $0 * step.alpha + drawn } ?? drawn
            let time = Tensor.full(Double(step.time), [1], .float32, on: latents.device)
            let output = decoder(concatenated([x * step.input, beside], along: 1), time: time)
                .slice(0..<3, of: 1)
            estimate = output * step.output + x * step.skip
        }
        return estimate ?? beside
    }

    // MARK: Steps

    /// The mean of each channel of Stable Diffusion's latents, which the decoder is given in unit variance.
    static let mean = [0.38862467, 0.02253063, 0.07381133, -0.0171294]
    /// Their standard deviations.
    static let deviation = [0.9654121, 1.0440036, 0.76147926, 0.77022034]

    /// A time of decoding, with the share of the estimate before it and of new noise, and the three factors of a consistency
    /// model.
    private struct Step {
        let time: Int
        let alpha: Double
        let sigma: Double
        let skip: Double
        let output: Double
        let input: Double

        /// - Parameter product: ᾱ at the time.
        init(time: Int, product: Double) {
            let ratio = 1 / product - 1
            let data = 0.5 * 0.5
            self.time = time
            (alpha, sigma) = (product.squareRoot(), (1 - product).squareRoot())
            skip = data / (ratio + data) / product.squareRoot()
            output = (ratio * data / (ratio + data)).squareRoot()
            input = 1 / (product * (ratio + data)).squareRoot()
        }
    }

    /// The two steps on the cosine schedule of 1,024 times, its table in float32 as diffusers has it.
    private static let steps: [Step] = {
        let count = 1024
        // Source: Nichol and Dhariwal 2021 (arXiv:2102.09672), equation 17.
        func level(_ share: Double) -> Double {
            let value = cos((share + 0.008) / 1.008 * Double.pi / 2)
            return value * value
        }
        var product: Float = 1
        let products = (0..<count).map { time in
            let ratio = level(Double(time + 1) / Double(count)) / level(Double(time) / Double(count))
            product *= 1 - Float(min(1 - ratio, 0.999))
            return Double(product)
        }
        return [1008, 512].map { Step(time: $0, product: products[$0]) }
    }()
}

extension ConsistencyDecoder: PictureAutoencoder {
    /// Channels of latents.
    public var latentChannels: Int { configuration.latentChannels }
    /// Pixels along each side of the square that one latent stands for.
    public var pixelsPerLatent: Int { configuration.encoder.pixelsPerLatent }
    /// Between these latents and those of the diffusion model.
    public var latentScaling: LatentScaling { LatentScaling(factor: configuration.scalingFactor) }

    /// The distributions of the latents of pictures.
    public func moments(of pictures: Tensor) -> LatentMoments {
        let distribution = encode(pictures)
        return LatentMoments(mean: distribution.mean, deviation: distribution.deviation)
    }

    /// The pictures of latents, with noise that is always the same.
    public func decode(_ latents: Tensor) -> Tensor {
        let generator = RandomGenerator(seed: 0)
        return decode(latents) { generator.normal(Shape([latents.shape[0]] + $0.extents)).to(latents.device) }
    }
}

extension ConsistencyDecoder: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "ConsistencyDecoderVAE" }
}

extension ConsistencyDecoder: LatentAutoencoder {
    /// What follows from a configuration.
    public static func traits(_ configuration: ConsistencyDecoderConfiguration) -> AutoencoderTraits {
        var traits = AutoencoderTraits(
            channels: configuration.encoder.inChannels, outputChannels: 3,
            latentChannels: configuration.latentChannels,
            pixelsPerLatent: configuration.encoder.pixelsPerLatent, overflowsInHalf: false,
            channelsPerPixel: 2 * configuration.decoder.blockOutChannels[0])
        (traits.hasDistribution, traits.drawsPictures) = (true, true)
        return traits
    }
}

extension ConsistencyDecoderConfiguration: AutoencoderSettings {
    /// The network that it describes.
    public typealias Network = ConsistencyDecoder
}
