import Foundation
import Tensors

/// The non-Markovian family: σ_η = η·√β̃ of fresh noise a step; 0 is deterministic and can be run
/// backwards, 1 is ancestral sampling.
/// Source: Song et al. 2021 (arXiv:2010.02502), equations 12 and 16.
public struct DDIMSolver: Solver {
    /// η
    public var eta: Double
    /// η
    public var noiseShare: Double? { eta }
    /// Always.
    public var stepsFromEstimate: Bool { true }
    /// DDIM's, where it adds no noise.
    public var inversion: Inversion? { eta == 0 ? .heldTimes : nil }

    /// The member of the family with a given η.
    public init(eta: Double = 0) {
        self.eta = eta
    }

    /// x_s = α_s·x̂₀ + √(σ_s² − σ_η²)·ε̂ + σ_η·fresh noise.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        let to = step.to
        guard eta > 0 else {
            return ((estimate.data * to.alpha).adding(estimate.noise, scale: to.sigma), estimate)
        }
        let ancestral = AncestralStep(from: step.from, to: to, eta: eta)
        let mean = (estimate.data * to.alpha).adding(estimate.noise, scale: ancestral.down.sigma)
        return (ancestral.renoised(mean, noise), estimate)
    }
}
