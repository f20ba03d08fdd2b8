import Tensors

/// y = x · Wᵀ + b over the innermost dimension. Parameters `weight` `[outputs, inputs]` and `bias`.
public struct Linear {
    let weight: Matrix
    let bias: Tensor?

    /// A layer from `inputs` to `outputs` features.
    public init(inputs: Int, outputs: Int, bias: Bool = true, _ weights: Weights) {
        weight = weights.matrix("weight", [outputs, inputs], .fanIn(inputs))
        self.bias = bias ? weights.parameter("bias", [outputs], .fanIn(inputs)) : nil
    }

    /// `[…, inputs]` → `[…, outputs]`
    public func callAsFunction(_ x: Tensor) -> Tensor { weight.product(x, bias: bias) }
}

/// A table of vectors, one for each whole number. Parameter `weight` `[count, width]`.
public struct Embedding {
    let weight: Tensor

    /// A table of `count` vectors of `width` numbers; `deviation` is theirs before training.
    public init(count: Int, width: Int, deviation: Double = 1, _ weights: Weights) {
        weight = weights.parameter("weight", [count, width], .normal(deviation: deviation))
    }

    /// `[…]` of `int64` → `[…, width]`
    public func callAsFunction(_ indices: Tensor) -> Tensor { weight.embedding(indices) }
}
