import Foundation
import Tensors

/// Annealed Langevin dynamics: Langevin steps on the density of every level in turn, from much noise, where it
/// has one mode, to little.
///
/// The sample of one level is where the next begins; a step that ends at the data takes the mean of the data.
/// Source: Song and Ermon 2019 (arXiv:1907.05600), algorithm 1.
public struct AnnealedLangevinSolver: Solver {
    /// ε/σ_L²: the size of a step at a level is α = (ε/σ_L²)·σ².
    public var stepSize: Double
    /// T, the number of Langevin steps a level.
    public var stepsPerLevel: Int

    /// The method; the defaults are the paper's (ε = 2e-5 and σ_L = 0.01, T = 100).
    public init(stepSize: Double = 0.2, stepsPerLevel: Int = 100) {
        self.stepSize = stepSize
        self.stepsPerLevel = stepsPerLevel
    }

    /// T times x + ½α·∇ln q(x) + √α·fresh noise.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let (level, root) = (step.from, stepSize.squareRoot() * step.from.sigma)
        var x = x
        for _ in 0..<stepsPerLevel {
            // ½α·∇ln q = −½(ε/σ_L²)·σ·noise
            let drifted = x.adding(denoiser(x, level).noise, scale: -stepSize * level.sigma / 2)
            x = drifted.adding(noise.draw(of: x), scale: root)
        }
        let estimate = denoiser(x, level)
        return (step.to.sigma > 0 ? x : estimate.data * step.to.alpha, estimate)
    }
}
