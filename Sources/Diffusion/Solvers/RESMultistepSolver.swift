import Tensors

/// The refined exponential solver, multistep, of second order (RES-2M): the data are a straight line in λ = ln(α/σ)
/// through the last two steps, and the line is integrated exactly. One evaluation a step.
///
/// With h the step in λ and c₂ = −h₋₁/h the place of the step before,
///
///     x_t = (σ_t/σ_s)·x_s + α_t·h·(b₁·x̂₀(s) + b₂·x̂₀(s₋₁)),   b₂ = φ₂(−h)/c₂,   b₁ = φ₁(−h) − b₂
///
/// which meets both conditions of second order, b₁ + b₂ = φ₁ and b₂·c₂ = φ₂, where DPM-Solver++(2M) has φ₁/2 in place of
/// φ₂. The first step, and a step to σ = 0, are of first order.
/// Source: Zhang, Song and Chen 2023 (Improved order analysis and design of exponential integrator for diffusion models
/// sampling, arXiv:2308.02157), section 4.
public struct RESMultistepSolver: Solver {
    /// The method.
    public init() {}

    /// The estimate of the step before.
    public struct Memory {
        var last: Evaluation?
    }

    /// No step was taken.
    public func start() -> Memory { Memory() }

    /// The exponential step with the weights that fit a line.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Memory, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        let exponential = ExponentialStep(from: step.from, to: step.to, following: .data)
        let nodes = exponential.usable(memory.last.map { [$0] } ?? [])
        memory.last = Evaluation(level: step.from, estimate: estimate)
        return (exponential(x, estimate, nodes, weights: exponential.fitted(nodes)), estimate)
    }
}
