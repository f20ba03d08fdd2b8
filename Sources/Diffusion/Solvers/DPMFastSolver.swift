import Tensors

/// DPM-Solver-fast: as many steps of order 3 as a number of evaluations allows, the last ones of a lower order.
///
/// Its grid has ⌊evaluations/3⌋ + 1 steps even in log-SNR (`StepGrid.evenInLogSNR(count:)`).
/// Source: Lu et al. 2022 (DPM-Solver, arXiv:2206.00927), appendix D.4; k-diffusion's `sample_dpm_fast`.
public struct DPMFastSolver: Solver {
    /// The number of evaluations in all.
    public var evaluations: Int

    /// η of the fresh noise; 0 is deterministic.
    public var eta: Double
    /// η
    public var noiseShare: Double? { eta }
    /// The least σ (for data of α = 1) that an ancestral step goes down to: the end of the run.
    public var least: Double

    /// The method with a number of evaluations.
    public init(evaluations: Int, eta: Double = 0, least: Double = 0) {
        self.evaluations = evaluations
        self.eta = eta
        self.least = least
    }

    /// The method for the grid of as many steps as it is to evaluate.
    init(replacing grid: StepGrid, eta: Double) {
        let even = grid.evenInLogSNR(count: 1)
        self.init(evaluations: grid.steps.count, eta: eta, least: even.steps.last?.to.noiseRatio ?? 0)
    }

    /// The order of a step: evaluations = 3 + 3 + … + 2 + 1, or 3 + 3 + … + the rest.
    private func order(_ step: StepGrid.Step) -> Int {
        let (left, rest) = (step.count - step.index, evaluations % 3)
        return left == 1 ? max(rest, 1) : left == 2 && rest == 0 ? 2 : 3
    }

    /// One step of DPM-Solver of the order that falls to it.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let from = step.from
        let ancestral = AncestralStep(from: from, to: step.to, eta: eta, least: least)
        let single = DPMSolverStep(x, from: from, to: ancestral.down, denoiser: denoiser)
        let isInside = from.alpha > 0 && ancestral.down.sigma > 0
        let sample =
            switch isInside ? order(step) : 1 {
            case 1: single.first(to: ancestral.down)
            case 2: single.second(single.bend(at: 0.5), at: 0.5)
            default: single.third(single.bend(at: 1.0 / 3))
            }
        return (ancestral.renoised(sample, noise), single.estimate)
    }
}
