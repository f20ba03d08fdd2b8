import Tensors

/// DPM-Solver++(2S) for the stochastic equation: an ancestral step to the middle in log-SNR, and from the start an
/// ancestral step with the data believed there. Two evaluations a step, one from pure noise or to the data; two
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
        let (from, estimate) = (step.from, denoiser(x, step.from))
        func ancestral(to level: NoiseLevel, _ data: Tensor) -> Tensor {
            let ancestral = AncestralStep(from: from, to: level, eta: eta)
            return ancestral.renoised(x.moved(from: from, to: ancestral.down, data: data), noise)
        }
        guard step.to.sigma > 0, from.alpha > 0 else {
            return (ancestral(to: step.to, estimate.data), estimate)
        }
        let middle = from.towards(step.to, share: 0.5)
        let second = denoiser(ancestral(to: middle, estimate.data), middle)
        return (ancestral(to: step.to, second.data), estimate)
    }
}
