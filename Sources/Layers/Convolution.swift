import Tensors

/// A convolution of pictures. Parameters `weight` `[outputs, inputs / groups, kernel, kernel]`, `bias`.
public struct Convolution2D: Sendable {
    /// The weights, and whether kernels may have them.
    private enum Kernel: Sendable {
        case plain(Tensor)
        /// Of kernel 3, padded by 1.
        case around(PreparedWeights)
        /// Of kernel 1: a linear layer of each pixel.
        case pixel(PreparedWeights)
    }

    private let kernel: Kernel
    let bias: Tensor?
    let stride: Int
    let padding: Int
    let groups: Int
    let name: String

    /// A convolution from `inputs` to `outputs` channels with a square kernel.
    public init(
        inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0, groups: Int = 1,
        bias: Bool = true, initializer: Initializer? = nil, _ weights: Weights
    ) {
        let initializer = initializer ?? .fanIn(inputs / groups * kernel * kernel)
        let weight = weights.parameter("weight", [outputs, inputs / groups, kernel, kernel], initializer)
        self.bias = bias ? weights.parameter("bias", [outputs], initializer) : nil
        self.stride = stride
        self.padding = padding
        self.groups = groups
        name = weights.path
        let isPrepared = weights.isPrepared && PreparedWeights.canPack(weight.shape, weight.elementType)
        switch (kernel, stride, padding, groups) {
        case (3, 1, 1, 1) where isPrepared: self.kernel = .around(PreparedWeights(weight))
        case (1, 1, 0, 1) where isPrepared:
            self.kernel = .pixel(PreparedWeights(weight.reshaped([outputs, inputs]), weights.matrices))
        default: self.kernel = .plain(weight)
        }
    }

    /// `[batch, inputs, height, width]` → `[batch, outputs, height′, width′]`
    public func callAsFunction(_ x: Tensor) -> Tensor { self(x, vector: nil, adding: nil) }

    /// convolution(x) + vector + residual, in one pass over memory where the processor has a kernel for it.
    ///
    /// - Parameters:
    ///   - x: `[batch, inputs, height, width]`
    ///   - vector: one for each picture, `[batch, outputs]` or `[1, outputs]`.
    ///   - residual: of the shape of the result, `[batch, outputs, height′, width′]`.
    package func callAsFunction(_ x: Tensor, vector: Tensor? = nil, adding residual: Tensor? = nil) -> Tensor
    {
        let result = plain(x, vector, residual)
        guard let change = LayerChanges.change(of: name) else { return result }
        return change.added(to: result, reading: x, stride: stride, padding: padding, groups: groups)
    }

    private func plain(_ x: Tensor, _ vector: Tensor?, _ residual: Tensor?) -> Tensor {
        switch kernel {
        case .around(let weights) where weights.serve(x):
            return around(x, weights, norm: nil, silu: false, vector, residual, widens: false)
        case .pixel(let weights) where vector == nil && weights.serve(x):
            // Channels innermost, a pixel is a row.
            func rows(_ x: Tensor) -> Tensor { x.permuted(0, 2, 3, 1) }
            return rows(x).linear(
                packed: weights.packedMatrix(isGated: false), bias: bias, outputs: weights.shape[0],
                then: .nothing, residual: residual.map(rows), gate: nil
            ).permuted(0, 3, 1, 2)
        default:
            // A convolution of a picture that lies otherwise gives one: turned around here once, and not by every
            // kernel that reads it.
            let y = watched(convolved(x), name, "Conv2d")
            return sum(kernelsServe(y) ? y.contiguous(.channelsLast) : y, vector, residual)
        }
    }

    /// convolution(input) + vector + residual, where norm, activation and convolution take two passes over memory
    /// together if the processor has kernels.
    ///
    /// - Parameters:
    ///   - input: a group norm of `[batch, inputs, height, width]` with what follows it.
    ///   - vector, residual: as without a norm.
    ///   - widens: whether a kernel with weights in bfloat16 gives float32, for one more layer that reads it.
    package func callAsFunction(
        _ input: DeferredNorm, vector: Tensor? = nil, adding residual: Tensor? = nil, widens: Bool = false
    ) -> Tensor {
        if case .around(let weights) = kernel, input.isNormThenSiLU, weights.servePicture(input.x),
            LayerChanges.change(of: name) == nil
        {
            return around(
                input.x, weights, norm: input.factors, silu: true, vector, residual, widens: widens)
        }
        return self(input.value, vector: vector, adding: residual)
    }

    private func around(
        _ x: Tensor, _ weights: PreparedWeights, norm: Tensor?, silu: Bool, _ vector: Tensor?,
        _ residual: Tensor?, widens: Bool
    ) -> Tensor {
        let outputs = weights.shape[0]
        return weights.isForWinograd(x)
            ? x.convolved(
                packedForWinograd: weights.packed(.winograd), bias: bias, outputs: outputs, norm: norm,
                silu: silu, vector: vector, residual: residual)
            : x.convolved(
                packed: weights.packed(.convolution), bias: bias, outputs: outputs, norm: norm, silu: silu,
                vector: vector, residual: residual, widens: widens)
    }

    private func convolved(_ x: Tensor) -> Tensor {
        let weight =
            switch kernel {
            case .plain(let weight): weight
            case .around(let weights): weights.plain
            case .pixel(let weights): weights.plain.reshaped(Shape(weights.shape.extents + [1, 1]))
            }
        if x.elementType == .float32 || x.elementType == .bfloat16 {
            let size = weight.shape[3]
            if (size, stride, padding, groups) == (3, 1, 1, 1) {
                return x.convolvedAround(weight, bias: bias)
            }
            let isDepthwise = groups > 1 && weight.shape[0] == groups && weight.shape[1] == 1
            if isDepthwise, stride == 1, 2 * padding + 1 == size {
                return x.convolvedDepthwise(weight, bias: bias)
            }
        }
        return x.computedWide { x in
            x.convolved(
                x.alike(weight), bias: bias.map(x.alike), stride: stride, padding: padding, groups: groups)
        }
    }

    private func sum(_ x: Tensor, _ vector: Tensor?, _ residual: Tensor?) -> Tensor {
        let x = vector.map { x + $0.broadcast(toRank: 4) } ?? x
        return residual.map { $0 + x } ?? x
    }
}

/// The transpose of a strided convolution. Parameters `weight` `[inputs, outputs, kernel, kernel]`, `bias`.
public struct TransposedConvolution2D: Sendable {
    let weight: Tensor
    let bias: Tensor?
    let stride: Int
    let padding: Int
    let name: String

    /// A transposed convolution from `inputs` to `outputs` channels with a square kernel.
    public init(
        inputs: Int, outputs: Int, kernel: Int, stride: Int, padding: Int, bias: Bool = true,
        _ weights: Weights
    ) {
        let fan = outputs * kernel * kernel
        weight = weights.parameter("weight", [inputs, outputs, kernel, kernel], .fanIn(fan))
        self.bias = bias ? weights.parameter("bias", [outputs], .fanIn(fan)) : nil
        self.stride = stride
        self.padding = padding
        name = weights.path
    }

    /// `[batch, inputs, height, width]` → `[batch, outputs, height′, width′]`
    public func callAsFunction(_ x: Tensor) -> Tensor {
        watched(
            x.convolvedTransposed(weight, bias: bias, stride: stride, padding: padding), name,
            "ConvTranspose2d")
    }
}
