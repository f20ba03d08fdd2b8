import Tensors

/// y = x · Wᵀ + b over the innermost dimension. Parameters `weight` `[outputs, inputs]` and `bias`.
public struct Linear {
    let weight: Matrix
    let bias: Tensor?
    let name: String

    /// A layer from `inputs` to `outputs` features.
    /// - Parameter initializer: how weight and bias begin, `fanIn` where `nil`.
    public init(
        inputs: Int, outputs: Int, bias: Bool = true, initializer: Initializer? = nil, _ weights: Weights
    ) {
        let initializer = initializer ?? .fanIn(inputs)
        name = weights.path
        weight = weights.matrix("weight", [outputs, inputs], initializer)
        self.bias = bias ? weights.parameter("bias", [outputs], initializer) : nil
    }

    /// `[…, inputs]` → `[…, outputs]`
    public func callAsFunction(_ x: Tensor) -> Tensor {
        watched(weight.product(x, bias: bias), name)
    }
}

/// A table of vectors, one for each whole number. Parameter `weight` `[count, width]`.
public struct Embedding {
    let weight: Tensor
    let name: String

    /// A table of `count` vectors of `width` numbers; `deviation` is theirs before training.
    public init(count: Int, width: Int, deviation: Double = 1, _ weights: Weights) {
        name = weights.path
        weight = weights.parameter("weight", [count, width], .normal(deviation: deviation))
    }

    /// `[…]` of `int64` → `[…, width]`
    public func callAsFunction(_ indices: Tensor) -> Tensor {
        watched(weight.embedding(indices), name)
    }
}
