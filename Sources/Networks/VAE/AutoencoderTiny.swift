import Layers
import Tensors

/// A small distilled autoencoder (TAESD) whose latents are those of a large one, under the parameter names of
/// diffusers' `AutoencoderTiny`: pictures of every step of a diffusion for little work.
/// Source: O. Bohan, github.com/madebyollin/taesd; by no paper.
public struct AutoencoderTiny: Sendable {
    /// What the network was built from.
    public let configuration: AutoencoderTinyConfiguration
    let encoder: [TinyLayer]
    let decoder: [TinyLayer]

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: AutoencoderTinyConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        encoder = configuration.encoder(weights["encoder"]["layers"])
        decoder = configuration.decoder(weights["decoder"]["layers"])
    }

    /// The latents of pictures.
    ///
    /// - Parameter pictures: `[batch, inChannels, height, width]` in −1 … 1, of the weights' type.
    /// - Returns: `[batch, latentChannels, height / pixelsPerLatent, width / pixelsPerLatent]`
    public func encode(_ pictures: Tensor) -> Tensor {
        // The network's own pictures lie in 0 … 1.
        encoder.reduce((pictures + 1) / 2) { $1($0) }
    }

    /// The pictures of latents.
    ///
    /// - Parameter latents: `[batch, latentChannels, height, width]`
    /// - Returns: `[batch, outChannels, height · pixelsPerLatent, width · pixelsPerLatent]`, about −1 … 1
    public func decode(_ latents: Tensor) -> Tensor {
        // No latent counts for much more than 3.
        decoder.reduce((latents / 3).tanh() * 3) { $1($0) } * 2 - 1
    }
}

extension AutoencoderTiny: PictureAutoencoder {
    /// Channels of latents.
    public var latentChannels: Int { configuration.latentChannels }
    /// Pixels along each side of the square that one latent stands for.
    public var pixelsPerLatent: Int { 1 << (configuration.encoderBlockOutChannels.count - 1) }
    /// Between these latents and those of the diffusion model.
    public var latentScaling: LatentScaling {
        LatentScaling(factor: configuration.scalingFactor, shift: configuration.shiftFactor)
    }

    /// The latents of pictures.
    public func moments(of pictures: Tensor) -> LatentMoments { LatentMoments(mean: encode(pictures)) }
}

extension AutoencoderTiny: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "AutoencoderTiny" }
}

extension AutoencoderTiny: LatentAutoencoder {
    /// What follows from a configuration.
    public static func traits(_ configuration: AutoencoderTinyConfiguration) -> AutoencoderTraits {
        AutoencoderTraits(
            channels: configuration.inChannels, outputChannels: configuration.outChannels,
            latentChannels: configuration.latentChannels,
            pixelsPerLatent: 1 << (configuration.encoderBlockOutChannels.count - 1), overflowsInHalf: false,
            channelsPerPixel: 2 * configuration.decoderBlockOutChannels[0])
    }
}

extension AutoencoderTinyConfiguration: AutoencoderSettings {
    /// The network that it describes.
    public typealias Network = AutoencoderTiny
}

/// One of the numbered layers of the network.
enum TinyLayer {
    case convolution(Convolution2D)
    case activation(Activation)
    /// Three convolutions beside a short cut.
    case block([Convolution2D], Activation)
    case enlarging(Int, AutoencoderTinyConfiguration.UpsampleFunction)

    /// `[batch, channels, height, width]` → `[batch, channels′, height′, width′]`
    func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .convolution(let convolution): return convolution(x)
        case .activation(let activation): return activation(x)
        case .block(let convolutions, let activation):
            return (convolutions[2](activation(convolutions[1](activation(convolutions[0](x))))) + x).relu()
        case .enlarging(let factor, .nearest): return x.enlargedNearest(factor)
        case .enlarging(let factor, .bilinear):
            return x.resizedBilinear(height: x.shape[2] * factor, width: x.shape[3] * factor)
        }
    }
}

// MARK: - Layers of a configuration

extension AutoencoderTinyConfiguration {
    func encoder(_ weights: Weights) -> [TinyLayer] {
        let width = encoderBlockOutChannels[0]
        var layers = [convolution(inChannels, width, weights[0])]
        for (level, count) in numEncoderBlocks.enumerated() {
            if level > 0 {
                layers.append(convolution(width, width, stride: 2, bias: false, weights[layers.count]))
            }
            for _ in 0..<count { layers.append(block(width, weights[layers.count])) }
        }
        return layers + [convolution(width, latentChannels, weights[layers.count])]
    }

    func decoder(_ weights: Weights) -> [TinyLayer] {
        let width = decoderBlockOutChannels[0]
        var layers = [convolution(latentChannels, width, weights[0]), .activation(actFn)]
        for (level, count) in numDecoderBlocks.enumerated() {
            for _ in 0..<count { layers.append(block(width, weights[layers.count])) }
            guard level < numDecoderBlocks.count - 1 else { break }
            layers.append(.enlarging(upsamplingScalingFactor, upsampleFn))
            layers.append(convolution(width, width, bias: false, weights[layers.count]))
        }
        return layers + [convolution(width, outChannels, weights[layers.count])]
    }

    private func convolution(
        _ inputs: Int, _ outputs: Int, stride: Int = 1, bias: Bool = true, _ weights: Weights
    ) -> TinyLayer {
        .convolution(
            Convolution2D(
                inputs: inputs, outputs: outputs, kernel: 3, stride: stride, padding: 1, bias: bias, weights))
    }

    /// Between the convolutions stand non-linearities, which count as layers of the published names.
    private func block(_ width: Int, _ weights: Weights) -> TinyLayer {
        let convolutions = [0, 2, 4].map {
            Convolution2D(inputs: width, outputs: width, kernel: 3, padding: 1, weights["conv"][$0])
        }
        return .block(convolutions, actFn)
    }
}
