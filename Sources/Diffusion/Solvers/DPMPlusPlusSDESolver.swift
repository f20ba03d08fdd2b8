import Tensors

/// DPM-Solver++(2S) for the stochastic equation: an ancestral step to the middle in log-SNR, and from the start an
/// ancestral step with the data estimated there. Two evaluations a step, one from pure noise or to the data; two
/// draws of noise a step, independent of each other.
/// Source: k-diffusion's `sample_dpmpp_sde` with r = ½, after Lu et al. 2022 (DPM-Solver++, arXiv:2211.01095).
public struct DPMPlusPlusSDESolver: Solver {
    /// η of the fresh noise.
    public var eta: Double
    /// η
    public var noiseShare: Double? { eta }

    /// The method with an η.
    public init(eta: Double = 1) {
        self.eta = eta
    }

    /// Two ancestral steps from the same sample.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        guard let middle = levelBetweenCalls(of: step) else {
            return firstCall(x, step, denoiser: denoiser, noise: noise)
        }
        let estimate = denoiser(x, step.from)
        let inner = ancestral(x, from: step.from, to: middle, estimate.data, noise)
        let second = denoiser(inner, middle)
        return (ancestral(x, from: step.from, to: step.to, second.data, noise), estimate)
    }

    private func ancestral(
        _ x: Tensor, from: NoiseLevel, to level: NoiseLevel, _ data: Tensor, _ noise: NoiseSource
    ) -> Tensor {
        let ancestral = AncestralStep(from: from, to: level, eta: eta)
        return ancestral.renoised(x.moved(from: from, to: ancestral.down, data: data), noise)
    }
}

extension DPMPlusPlusSDESolver: TwoCallSolver {
    /// The middle in log-SNR.
    func levelBetweenCalls(of step: StepGrid.Step) -> NoiseLevel? {
        step.to.sigma > 0 && step.from.alpha > 0 ? step.from.towards(step.to, share: 0.5) : nil
    }

    /// One ancestral step.
    func firstCall(
        _ x: Tensor, _ step: StepGrid.Step, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        return (ancestral(x, from: step.from, to: step.to, estimate.data, noise), estimate)
    }
}
