import Foundation
import Tensors

/// Trajectory consistency sampling: along the trajectory to less noise than is wanted, and fresh noise on top.
/// Source: Zheng et al. 2024 (TCD, arXiv:2402.19159), algorithm 4, whose γ is η here.
public struct TCDSolver: Solver {
    /// η: 0 is deterministic, 1 goes to the data each time.
    public var eta: Double
    /// η
    public var noiseShare: Double? { eta }
    private let passed: @Sendable (NoiseLevel) -> NoiseLevel

    /// The method.
    /// - Parameter passed: the level that a step to a level passes; by default the one with 1 − η of its
    ///   noise, which is (1 − η) of the time where time is noise.
    public init(eta: Double = 0.3, passing passed: (@Sendable (NoiseLevel) -> NoiseLevel)? = nil) {
        self.eta = eta
        self.passed = passed ?? { NoiseLevel(alpha: $0.alpha, sigma: (1 - eta) * $0.sigma) }
    }

    /// (α_s/α_p)·x_p + √(σ_s² − (α_s/α_p)²·σ_p²)·fresh noise, p being the level passed.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        let (to, passed) = (step.to, passed(step.to))
        let landed = (estimate.data * passed.alpha).adding(estimate.noise, scale: passed.sigma)
        guard eta > 0, !step.isLast else { return (landed, estimate) }
        let ratio = to.alpha / passed.alpha
        let variance = max(0, to.sigma * to.sigma - ratio * ratio * passed.sigma * passed.sigma)
        return ((landed * ratio).adding(noise.draw(of: x), scale: variance.squareRoot()), estimate)
    }
}
