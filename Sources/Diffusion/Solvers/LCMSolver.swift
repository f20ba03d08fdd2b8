import Foundation
import Tensors

/// Sampling of a latent consistency model: to the data at once, and back to the next level with fresh noise.
/// Source: Luo et al. 2023 (LCM, arXiv:2310.04378), algorithm 3; without a boundary condition, the multistep
/// sampling of Song et al. 2023 (arXiv:2303.01469), algorithm 1.
public struct LCMSolver: Solver {
    /// What times are multiplied with in the boundary condition; `nil` where the data are taken as they are.
    public var timeScaling: Double?

    /// The method.
    public init(timeScaling: Double? = nil) {
        self.timeScaling = timeScaling
    }

    /// α_s·f(x) + σ_s·fresh noise
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        let mean = consistent(estimate.data, x, step.from) * step.to.alpha
        guard step.to.sigma > 0 else { return (mean, estimate) }
        return (mean.adding(noise.draw(of: x), scale: step.to.sigma), estimate)
    }

    /// f(x) = c_skip·x + c_out·x̂₀ with c_skip = σ_d²/(τ² + σ_d²), c_out = τ/√(τ² + σ_d²), σ_d = ½ and τ the
    /// scaled time, so that f is the identity at time 0: EDM's, with c_out for data of unit variance. Same source,
    /// section 4.1.
    private func consistent(_ data: Tensor, _ x: Tensor, _ level: NoiseLevel) -> Tensor {
        guard let timeScaling, let time = level.time else { return data }
        let (edm, level) = (EDMPreconditioning(), NoiseLevel(alpha: 1, sigma: time * timeScaling))
        return (data * (edm.output(at: level) / edm.sigmaData)).adding(x, scale: edm.skip(at: level))
    }
}
