import Tensors

/// Heun's method on the probability flow: Euler's step, and then the step again with the mean of what is believed
/// at its two ends. Order 2, two evaluations a step and one for a step that ends at the data.
///
/// The trapezoid is laid on the form data·dα + noise·dσ, so it needs no parameter of the path.
/// Source: Karras et al. 2022 (arXiv:2206.00364), algorithms 1 and 2.
public struct HeunSolver: Solver {
    /// The noise put back before a step, the paper's stochastic sampler where there is any.
    public var churn: Churn

    /// Upwards without churn.
    public var inversion: Inversion? { churn.amount == 0 ? .ownTimes : nil }

    /// The method, by default the deterministic one.
    public init(churn: Churn = Churn()) {
        self.churn = churn
    }

    /// x + ½(data + data′)·Δα + ½(noise + noise′)·Δσ
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let (x, from) = churn.applied(to: x, step, noise)
        let first = denoiser(x, from)
        let proposed = x.moved(from: from, to: step.to, along: first)
        // At the data itself nothing is left to ask.
        guard step.to.sigma > 0 else { return (proposed, first) }
        let second = denoiser(proposed, step.to)
        let mean = Estimate(
            data: (first.data + second.data) * 0.5, noise: (first.noise + second.noise) * 0.5)
        return (x.moved(from: from, to: step.to, along: mean), first)
    }
}

extension HeunSolver: TwoCallSolver {
    /// The end of the step, where Euler's step has come.
    func levelBetweenCalls(of step: StepGrid.Step) -> NoiseLevel? { step.to.sigma > 0 ? step.to : nil }
}
