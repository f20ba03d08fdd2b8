import Tensors

/// Euler's method on the probability flow, with noise put back before a step.
///
/// Without churn it is DDIM with η = 0, whatever the path: see `DDIMSolver`.
/// Source: Karras et al. 2022 (arXiv:2206.00364), algorithm 2 without its correction.
public struct EulerSolver: Solver {
    /// The noise put back.
    public var churn: Churn

    /// Upwards without churn.
    public var inversion: Inversion? { churn.amount == 0 ? .ownTimes : nil }

    /// The method with some noise put back.
    public init(churn: Churn = Churn()) {
        self.churn = churn
    }

    /// x + data·Δα + noise·Δσ
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let (x, from) = churn.applied(to: x, step, noise)
        let estimate = denoiser(x, from)
        return (x.moved(from: from, to: step.to, along: estimate), estimate)
    }
}
