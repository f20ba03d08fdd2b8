import Layers
import Tensors

/// A network that tells pictures from reconstructions, patch by patch: convolutions of kernel 4, each but the last two of
/// which halves the picture, with batch norms between them. Parameters `model.N.weight`, `model.N.bias`, numbered as the
/// layers of the published code, non-linearities included.
/// Source: Isola et al. 2017 (arXiv:1611.07004), section 3.2.2 and appendix 6.1.2; Esser et al. 2021
/// (arXiv:2012.09841), section 3.1.
public struct PatchDiscriminator: Sendable {
    /// What the network is built from.
    public struct Configuration: Sendable, Equatable {
        /// Channels of the pictures.
        public var channels: Int
        /// Channels of the first layer; each later one has twice as many, eight times as many at most.
        public var width = 64
        /// The number of layers that halve the picture.
        public var layers = 3

        /// The published numbers for pictures of some channels.
        public init(channels: Int) { self.channels = channels }

        /// Height and width of the smallest pictures of which a patch is left.
        public var leastSize: Int { 3 << layers }

        /// Channels after a number of layers.
        fileprivate func width(after count: Int) -> Int { width * min(1 << count, 8) }
    }

    /// What the network was built from.
    public let configuration: Configuration
    private let first: Layer
    private let inner: [Layer]
    private let last: Layer

    /// A discriminator, its parameters from a scope.
    public init(_ configuration: Configuration, _ weights: Weights) {
        self.configuration = configuration
        let scope = weights["model"]
        let count = configuration.layers
        first = Layer(inputs: configuration.channels, outputs: configuration.width, stride: 2, scope[0])
        // Each of these three takes a convolution, a norm and a non-linearity.
        inner = (1...count).map { number in
            Layer(
                inputs: configuration.width(after: number - 1), outputs: configuration.width(after: number),
                stride: number < count ? 2 : 1, scope[3 * number - 1], norm: scope[3 * number])
        }
        last = Layer(inputs: configuration.width(after: count), outputs: 1, stride: 1, scope[3 * count + 2])
    }

    /// How much each patch looks like one of a picture: `[batch, channels, height, width]` → `[batch, 1, height′, width′]`
    public func callAsFunction(_ pictures: Tensor) -> Tensor {
        let features = inner.reduce(leaky(first(pictures))) { leaky($1($0)) }
        return last(features)
    }

    /// Less steep by 5 below 0, so that gradients never vanish.
    private func leaky(_ x: Tensor) -> Tensor { maximum(x, x * 0.2) }
}

/// A convolution, and a norm over the batch where it has a scope for one.
private struct Layer {
    let weight: Tensor
    let bias: Tensor?
    let stride: Int
    let norm: (weight: Tensor, bias: Tensor)?

    /// Weights begin as in the published code: normal with a deviation of 0.02.
    init(inputs: Int, outputs: Int, stride: Int, _ weights: Weights, norm scope: Weights? = nil) {
        weight = weights.parameter("weight", [outputs, inputs, 4, 4], .normal(deviation: 0.02))
        // A norm takes a bias out again.
        bias = scope == nil ? weights.parameter("bias", [outputs], .fanIn(inputs * 16)) : nil
        self.stride = stride
        norm = scope.map { scope in
            (scope.parameter("weight", [outputs], .ones), scope.parameter("bias", [outputs], .zeros))
        }
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let y = x.convolved(weight, bias: bias, stride: stride, padding: 1)
        guard let norm else { return y }
        // Mean 0 and variance 1 over all pictures: a group norm of one channel a group, where pictures lie in a row. Real
        // pictures and reconstructions are normed apart, and never by running averages: a discriminator is used in
        // training alone.
        let channels = y.transposed(0, 1)
        let normed = channels.flattened(from: 1).unsqueezed(0).groupNormalized(
            groups: y.shape[1], weight: norm.weight, bias: norm.bias)
        return normed.reshaped(channels.shape).transposed(0, 1)
    }
}
