import Tensors

/// A convolution of pictures. Parameters `weight` `[outputs, inputs / groups, kernel, kernel]`, `bias`.
public struct Convolution2D {
    let weight: Tensor
    let bias: Tensor?
    let stride: Int
    let padding: Int
    let groups: Int
    let name: String

    /// A convolution from `inputs` to `outputs` channels with a square kernel.
    public init(
        inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0, groups: Int = 1,
        bias: Bool = true, _ weights: Weights
    ) {
        let fan = inputs / groups * kernel * kernel
        weight = weights.parameter("weight", [outputs, inputs / groups, kernel, kernel], .fanIn(fan))
        self.bias = bias ? weights.parameter("bias", [outputs], .fanIn(fan)) : nil
        self.stride = stride
        self.padding = padding
        self.groups = groups
        name = weights.path
    }

    /// `[batch, inputs, height, width]` → `[batch, outputs, height′, width′]`
    public func callAsFunction(_ x: Tensor) -> Tensor {
        let result = x.computedWide { x in
            x.convolved(
                x.alike(weight), bias: bias.map(x.alike), stride: stride, padding: padding, groups: groups)
        }
        return watched(result, name)
    }
}

/// The transpose of a strided convolution. Parameters `weight` `[inputs, outputs, kernel, kernel]`, `bias`.
public struct TransposedConvolution2D {
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
        watched(x.convolvedTransposed(weight, bias: bias, stride: stride, padding: padding), name)
    }
}
