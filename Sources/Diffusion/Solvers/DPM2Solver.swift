import Tensors

/// The midpoint method with its midpoint even in log-SNR: DPM-Solver-2 as k-diffusion has it. Order 2, two
/// evaluations a step; a step from pure noise or to the data is Euler's.
///
/// With η > 0 a step goes down further and fresh noise is added (the ancestral method).
/// Source: Lu et al. 2022 (DPM-Solver, arXiv:2206.00927), algorithm 4 with r₁ = ½; Karras et al. 2022
/// (arXiv:2206.00364), algorithm 2 for the churn.
public struct DPM2Solver: Solver {
    /// η of the fresh noise; 0 is deterministic.
    public var eta: Double
    /// η
    public var noiseShare: Double? { eta }
    /// The noise put back before a step.
    public var churn: Churn

    /// Upwards where it adds no noise.
    public var inversion: Inversion? { eta == 0 && churn.amount == 0 ? .ownTimes : nil }

    /// The method, by default the deterministic one.
    public init(eta: Double = 0, churn: Churn = Churn()) {
        self.eta = eta
        self.churn = churn
    }

    /// x + data(m)·Δα + noise(m)·Δσ, and fresh noise.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let (x, from) = churn.applied(to: x, step, noise)
        let ancestral = AncestralStep(from: from, to: step.to, eta: eta)
        let (down, first) = (ancestral.down, denoiser(x, from))
        guard down.sigma > 0, from.alpha > 0 else {
            return (ancestral.renoised(x.moved(from: from, to: down, along: first), noise), first)
        }
        let middle = Self.middle(from, down)
        let second = denoiser(x.moved(from: from, to: middle, along: first), middle)
        return (ancestral.renoised(x.moved(from: from, to: down, along: second), noise), first)
    }

    private static func middle(_ from: NoiseLevel, _ down: NoiseLevel) -> NoiseLevel {
        from.towards(down, share: 0.5)
    }
}

extension DPM2Solver: TwoCallSolver {
    /// The middle of the step without its fresh noise.
    func levelBetweenCalls(of step: StepGrid.Step) -> NoiseLevel? {
        let down = AncestralStep(from: step.from, to: step.to, eta: eta).down
        return down.sigma > 0 && step.from.alpha > 0 ? Self.middle(step.from, down) : nil
    }
}
