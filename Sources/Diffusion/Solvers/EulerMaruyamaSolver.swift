import Foundation
import Tensors

/// Euler's and Maruyama's method on the reversed stochastic equation of any path (α, σ).
///
/// With f = α′/α and g² = 2σ(σ′ − fσ) of the forward equation dx = f·x dt + g dw, the family
/// dx = (f·x − ½(1 + λ²)·g²·∇ln q) dt + λ·g dw̄ has the same law at every time: λ = 1 is Anderson's reversed
/// equation, 0 the probability flow. Written in data and noise, dx = data·dα + noise·dσ − λ²·g²/(2σ)·noise·(−dt)
/// + λ·g dw̄. Weak order 1.
/// Source: Anderson 1982; Song et al. 2021 (arXiv:2011.13456), equations 6 and 13; for λ, Karras et al. 2022
/// (arXiv:2206.00364), equation 6.
public struct EulerMaruyamaSolver: Solver {
    /// λ
    public var noiseLevel: Double
    /// The same.
    public var noiseShare: Double? { noiseLevel }
    /// What gives the rates of α and σ at the beginning of a step; without it they are the step's differences,
    /// and g²·dt is what the forward process adds over the step, which is finite at both ends.
    public var schedule: (any ContinuousSchedule)?

    /// The method.
    public init(noiseLevel: Double = 1, schedule: (any ContinuousSchedule)? = nil) {
        self.noiseLevel = noiseLevel
        self.schedule = schedule
    }

    /// The step, with fresh noise unless it ends at the data.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        // Noise that is added in the last step to the data stays there.
        let lambda = step.to.sigma > 0 ? noiseLevel : 0
        let change = change(over: step)
        let share = lambda * lambda * change.added / (2 * step.from.sigma)
        let drifted = x.adding(estimate.data, scale: change.alpha)
            .adding(estimate.noise, scale: change.sigma - share)
        guard lambda > 0 else { return (drifted, estimate) }
        let deviation = lambda * change.added.squareRoot()
        return (drifted.adding(noise.draw(of: x), scale: deviation), estimate)
    }

    /// dα, dσ and g²·|dt| of a step.
    private func change(over step: StepGrid.Step) -> (alpha: Double, sigma: Double, added: Double) {
        let (from, to) = (step.from, step.to)
        guard let schedule, let begin = from.time, let end = to.time, from.alpha > 0 else {
            let added = Transition(from: from, to: to).variance
            return (to.alpha - from.alpha, to.sigma - from.sigma, max(0, added))
        }
        let (rates, time) = (schedule.rates(at: begin), end - begin)
        let added = -schedule.squaredDiffusion(at: begin) * time
        return (rates.alpha * time, rates.sigma * time, max(0, added))
    }
}
