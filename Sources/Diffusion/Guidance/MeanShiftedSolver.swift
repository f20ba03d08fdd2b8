import Tensors

/// Ancestral sampling guided by a classifier as its paper first writes it: the mean of each step moves by
/// s·Σ·∇ ln p(y|x_t), Σ being the variance of the step.
///
/// To first order in the step it is the same as guiding the score (`ClassifierGuidance.denoiser`).
/// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), algorithm 1.
public struct MeanShiftedSolver<Base: Solver>: Solver {
    /// The variance Σ of the base's steps.
    public enum Variance: Sendable {
        /// β̃, of the posterior q(x_s | x_t, x₀): the "small" variance of DDPM, DDIM at η = 1.
        case posterior
        /// σ²_{t|s}, of the forward process: the "large" one.
        case forward
    }

    let base: Base
    let guidance: ClassifierGuidance
    let variance: Variance

    init(base: Base, guidance: ClassifierGuidance, variance: Variance) {
        self.base = base
        self.guidance = guidance
        self.variance = variance
    }

    /// As the base.
    public var stepsFromEstimate: Bool { base.stepsFromEstimate }

    /// What the base remembers.
    public func start() -> Base.Memory { base.start() }

    /// The base's step, shifted.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Base.Memory, denoiser: Denoiser,
        noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let result = base.step(x, step, &memory, denoiser: denoiser, noise: noise)
        let transition = Transition(from: step.from, to: step.to)
        let total = variance == .posterior ? transition.posteriorVariance : transition.variance
        guard guidance.scale != 0 else { return result }
        let gradient = guidance.gradient(x, at: step.from)
        return (result.sample.adding(gradient, scale: guidance.scale * total), result.estimate)
    }
}
