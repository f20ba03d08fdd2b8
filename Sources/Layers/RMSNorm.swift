import Tensors

/// Mean square 1 over the innermost dimension. Parameter `weight` `[width]`.
/// Source: Zhang and Sennrich 2019 (arXiv:1910.07467).
public struct RMSNorm {
    let weight: Tensor
    let width: Int
    let epsilon: Double

    /// A norm of `width` features.
    public init(width: Int, epsilon: Double, _ weights: Weights) {
        weight = weights.parameter("weight", [width], .ones)
        self.width = width
        self.epsilon = epsilon
    }

    /// `[…, width]`, the shape stays.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        x.rmsNormalized(over: [width], weight: weight, epsilon: epsilon)
    }
}
