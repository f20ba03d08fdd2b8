import Tensors

/// Exponential integration of the noise, a polynomial in ln ρ (ρ = σ/α) through the estimates of the
/// last steps (log-ρ Adams–Bashforth).
/// Source: Zhang and Chen 2022 (DEIS, arXiv:2204.13902), sections 3.2 and 3.3, with polynomials in ln ρ.
public struct DEISSolver: Solver {
    /// The number of points of the polynomial.
    public var order: Int
    /// Whether the last steps have the orders …, 2, 1.
    public var lowersOrderAtEnd: Bool

    /// A method.
    public init(order: Int = 2, lowersOrderAtEnd: Bool = false) {
        precondition(order >= 1, "an order is at least 1, not \(order)")
        self.order = order
        self.lowersOrderAtEnd = lowersOrderAtEnd
    }

    /// The estimates of the last steps, newest last.
    public struct Memory {
        var history: [Evaluation] = []
    }

    /// No step was taken.
    public func start() -> Memory { Memory() }

    /// One evaluation.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Memory, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        let exponential = ExponentialStep(from: step.from, to: step.to, following: .noise)
        let order = step.order(self.order, loweringAtEnd: lowersOrderAtEnd)
        let nodes = exponential.usable(memory.history.suffix(order - 1).reversed())
        memory.history =
            memory.history.suffix(self.order) + [Evaluation(level: step.from, estimate: estimate)]
        return (exponential(x, estimate, nodes, weights: exponential.fitted(nodes)), estimate)
    }
}
