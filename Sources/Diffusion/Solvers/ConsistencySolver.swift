import Tensors

/// Sampling a consistency model: the estimated data, then fresh noise up to the next level, and so on.
/// Source: Song et al. 2023 (arXiv:2303.01469), algorithm 1.
public struct ConsistencySolver: Solver {
    /// ε, the noise left in what the model gives (for data of α = 1).
    public var smallest: Double
    /// What fresh noise is multiplied with.
    public var noiseScale: Double

    /// The method for a model trained down to `smallest`.
    public init(smallest: Double, noiseScale: Double = 1) {
        self.smallest = smallest
        self.noiseScale = noiseScale
    }

    /// α_s·data + √(σ_s² − α_s²ε²)·fresh noise
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        let (data, left) = (estimate.data * step.to.alpha, step.to.alpha * smallest)
        let variance = step.to.sigma * step.to.sigma - left * left
        guard variance > 0 else { return (data, estimate) }
        return (data.adding(noise.draw(of: x), scale: variance.squareRoot() * noiseScale), estimate)
    }
}
