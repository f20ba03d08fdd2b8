import Foundation
import Tensors

/// Langevin steps at a level, and then a step of reverse diffusion to the next.
/// Source: Song et al. 2021 (arXiv:2011.13456), algorithms 2 to 5 and equation 46, in the order of their code:
/// correction first.
public struct PredictorCorrectorSolver: Solver {
    /// r, the signal-to-noise ratio of a Langevin step.
    public var signalToNoise: Double
    /// M, the number of Langevin steps a level.
    public var correctorSteps: Int
    /// Whether the examples of a batch share the size of their Langevin steps, by their mean norms, as the
    /// paper's code and diffusers have it.
    public var sharesStepSize: Bool

    /// The method; the ratio is the paper's for variance-exploding processes.
    public init(signalToNoise: Double = 0.16, correctorSteps: Int = 1, sharesStepSize: Bool = false) {
        self.signalToNoise = signalToNoise
        self.correctorSteps = correctorSteps
        self.sharesStepSize = sharesStepSize
    }

    /// Where they share the size of Langevin steps.
    public var couplesExamples: Bool { sharesStepSize }

    /// (2 − a)·x + σ²_{t|s}·∇ln q + σ_{t|s}·fresh noise after the corrections, with a = α_t/α_s; the last step
    /// adds no noise.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let transition = Transition(from: step.from, to: step.to)
        var x = x
        for _ in 0..<correctorSteps {
            x = corrected(x, step.from, transition, denoiser, noise)
        }
        let estimate = denoiser(x, step.from)
        let mean = (x * (2 - transition.alpha))
            .adding(estimate.noise, scale: -transition.variance / step.from.sigma)
        guard !step.isLast else { return (mean, estimate) }
        let deviation = max(0, transition.variance).squareRoot()
        return (mean.adding(noise.draw(of: x), scale: deviation), estimate)
    }

    /// x + ε·g + √(2ε)·z with the score g and ε = 2a²(r·‖z‖/‖g‖)².
    private func corrected(
        _ x: Tensor, _ level: NoiseLevel, _ transition: Transition, _ denoiser: Denoiser, _ noise: NoiseSource
    ) -> Tensor {
        let score = denoiser(x, level).noise / -level.sigma
        let fresh = noise.draw(of: x)
        let ratio = size(fresh) / size(score) * (signalToNoise * transition.alpha)
        let step = ratio.squared() * 2
        return x.adding(productOf: step, score).adding(productOf: (step * 2).squareRoot(), fresh)
    }

    /// The norm of every example, or their mean, to multiply with a batch.
    private func size(_ batch: Tensor) -> Tensor {
        let norms = batch.flattened(from: 1).norm([1])
        return sharesStepSize ? norms.mean() : norms.broadcast(toRank: batch.rank)
    }
}
