import Checkpoints
import Layers
import Tensors

/// A network that makes features of a picture alone, which are added on a U-Net's way down: the same in every step, so that it runs
/// once. Under the parameter names of diffusers' `T2IAdapter`.
/// Source: Mou et al. 2023 (arXiv:2302.08453), section 3.3.
public struct T2IAdapter: Sendable {
    /// What the network was built from.
    public let configuration: T2IAdapterConfiguration
    let input: Convolution2D?
    let blocks: [T2IAdapterBlock]

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: T2IAdapterConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let scope = weights["adapter"]
        let (inputs, isLight) = (configuration.pixelChannels, configuration.adapterType == .light)
        input =
            isLight
            ? nil
            : Convolution2D(
                inputs: inputs, outputs: configuration.channels[0], kernel: 3, padding: 1, scope["conv_in"])
        var before = isLight ? inputs : configuration.channels[0]
        blocks = configuration.features.enumerated().map { index, feature in
            defer { before = feature.channels }
            return T2IAdapterBlock(
                inputs: before, outputs: feature.channels, configuration, halves: feature.isHalved,
                scope["body"][index])
        }
    }

    /// What is added after each block of a U-Net.
    /// - Parameter picture: `[batch, inChannels, height, width]` from 0 to 1, sides multiples of `downscaleFactor`.
    public func callAsFunction(_ picture: Tensor) -> [Tensor] {
        var hidden = picture.pixelsToChannels(configuration.downscaleFactor)
        hidden = input?(hidden) ?? hidden
        return blocks.map { block in
            hidden = block(hidden)
            return hidden
        }
    }
}

extension T2IAdapter: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "T2IAdapter" }
}

/// Residual blocks of one size, of all channels or, in a light adapter, of a quarter of them.
/// Parameters `in_conv.*`, `resnets.N.block1.*`, `resnets.N.block2.*`, `out_conv.*`.
struct T2IAdapterBlock {
    let halves: Bool
    let input: Convolution2D?
    let residuals: [(first: Convolution2D, second: Convolution2D)]
    let output: Convolution2D?

    init(
        inputs: Int, outputs: Int, _ configuration: T2IAdapterConfiguration, halves: Bool, _ weights: Weights
    ) {
        let isLight = configuration.adapterType == .light
        let inner = isLight ? outputs / 4 : outputs
        func pointwise(_ inputs: Int, _ outputs: Int, _ name: String) -> Convolution2D {
            Convolution2D(inputs: inputs, outputs: outputs, kernel: 1, weights[name])
        }
        self.halves = halves
        input = isLight || inputs != outputs ? pointwise(inputs, inner, "in_conv") : nil
        residuals = (0..<configuration.numResBlocks).map { index in
            let scope = weights["resnets"][index]
            let first = Convolution2D(
                inputs: inner, outputs: inner, kernel: 3, padding: 1, scope["block1"])
            let second = Convolution2D(
                inputs: inner, outputs: inner, kernel: isLight ? 3 : 1, padding: isLight ? 1 : 0,
                scope["block2"])
            return (first, second)
        }
        output = isLight ? pointwise(inner, outputs, "out_conv") : nil
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        var hidden = halves ? x.evenSided().averagePooled(2) : x
        hidden = input?(hidden) ?? hidden
        for (first, second) in residuals { hidden = second(first(hidden).relu()) + hidden }
        return output?(hidden) ?? hidden
    }
}

extension Tensor {
    /// Pictures with the last row and column twice where their number is odd, so that the mean of every square is that of the
    /// pixels in it.
    fileprivate func evenSided() -> Tensor {
        [2, 3].reduce(self) { picture, side in
            let count = picture.shape[side]
            guard count % 2 == 1 else { return picture }
            return concatenated([picture, picture.slice(count - 1..<count, of: side)], along: side)
        }
    }
}
