import Tensors

extension Prediction {
    /// The data from what a network gave for examples at levels of their own: x̂₀ `[batch, …]`.
    /// - Parameters:
    ///   - alpha: α of each example as `[batch, 1, …]`.
    ///   - sigma: σ, likewise.
    public func data(_ output: Tensor, sample x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        switch self {
        case .noise: (x - sigma * output) / alpha
        case .data: output
        case .velocity: (alpha * x - sigma * output) / (alpha.squared() + sigma.squared())
        case .flow: (x - sigma * output) / (alpha + sigma)
        case .score: (x + sigma.squared() * output) / alpha
        }
    }
}
