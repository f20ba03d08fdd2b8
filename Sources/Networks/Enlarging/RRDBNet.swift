import Layers
import Tensors

/// The network of ESRGAN and Real-ESRGAN: residual-in-residual dense blocks on small features, which are then doubled in
/// size by repeating pixels and a convolution. Parameters `conv_first.*`, `body.N.rdbM.convK.*`, `conv_body.*`,
/// `conv_upK.*`, `conv_hr.*`, `conv_last.*`.
/// Source: Wang et al. 2018 (arXiv:1809.00219), section 3.1; pixels that become channels at first: Wang et al. 2021
/// (arXiv:2107.10833), section 3.4.
public struct RRDBNet: Sendable {
    /// What the network was built from.
    public let configuration: RRDBNetConfiguration
    let first: Convolution2D
    let blocks: [[DenseBlock]]
    let body: Convolution2D
    let doublings: [Convolution2D]
    let full: Convolution2D
    let last: Convolution2D

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: RRDBNetConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (features, side) = (configuration.numFeat, configuration.unshuffle)
        func convolution(_ name: String, _ inputs: Int? = nil, _ outputs: Int? = nil) -> Convolution2D {
            Convolution2D(
                inputs: inputs ?? features, outputs: outputs ?? features, kernel: 3, padding: 1, weights[name]
            )
        }
        first = convolution("conv_first", configuration.numInCh * side * side)
        blocks = (0..<configuration.numBlock).map { block in
            (1...3).map { DenseBlock(configuration, weights["body"][block]["rdb\($0)"]) }
        }
        body = convolution("conv_body")
        doublings = (0..<configuration.numUpsample).map { convolution("conv_up\($0 + 1)") }
        full = convolution("conv_hr")
        last = convolution("conv_last", nil, configuration.numOutCh)
    }

    /// The larger picture of one of any size.
    /// - Parameter x: `[batch, numInCh, height, width]` in 0 … 1
    /// - Returns: `[batch, numOutCh, height · scale, width · scale]`
    public func callAsFunction(_ x: Tensor) -> Tensor {
        let (height, width, side) = (x.shape[2], x.shape[3], configuration.unshuffle)
        let input = side == 1 ? x : x.mirrored(toMultiplesOf: side).pixelsToChannels(side)
        let shallow = first(input)
        let deep = blocks.reduce(shallow) { x, dense in x + dense.reduce(x) { $1($0) } * 0.2 }
        var features = shallow + body(deep)
        for doubling in doublings { features = doubling(features.enlargedNearest(2)).leakyReLU(0.2) }
        let result = last(full(features).leakyReLU(0.2))
        return result.slice(0..<height * configuration.scale, of: 2)
            .slice(0..<width * configuration.scale, of: 3)
    }
}

/// Five convolutions, each of which is given what all before it gave. Parameters `conv1.*` … `conv5.*`.
/// Source: Wang et al. 2018 (arXiv:1809.00219), figure 4.
struct DenseBlock: Sendable {
    let convolutions: [Convolution2D]

    init(_ configuration: RRDBNetConfiguration, _ weights: Weights) {
        let (features, growth) = (configuration.numFeat, configuration.numGrowCh)
        convolutions = (0..<5).map {
            Convolution2D(
                inputs: features + $0 * growth, outputs: $0 == 4 ? features : growth, kernel: 3, padding: 1,
                weights["conv\($0 + 1)"])
        }
    }

    /// `[batch, features, height, width]`, the shape stays.
    func callAsFunction(_ x: Tensor) -> Tensor {
        var known = [x]
        for convolution in convolutions.dropLast() {
            known.append(convolution(concatenated(known, along: 1)).leakyReLU(0.2))
        }
        return x + convolutions[4](concatenated(known, along: 1)) * 0.2
    }
}

extension RRDBNet: EnlargingNetwork {
    /// The name in its published code.
    public static var className: String { "RRDBNet" }

    /// What follows from a configuration.
    public static func traits(_ configuration: RRDBNetConfiguration) -> EnlargingTraits {
        let side = configuration.unshuffle
        let dense = (configuration.numFeat + 4 * configuration.numGrowCh) / (side * side)
        let full = 2 * configuration.numFeat * configuration.scale * configuration.scale
        return EnlargingTraits(
            scale: configuration.scale, channels: configuration.numInCh,
            outputChannels: configuration.numOutCh, unit: side, valuesPerPixel: max(dense, full))
    }
}
