import Tensors

/// DPM-Solver++(2S) with ancestral noise: a step exact for fixed data, taken with the data estimated half-way in
/// log-SNR. Two evaluations a step, one from pure noise or to the data.
/// Source: Lu et al. 2022 (DPM-Solver++, arXiv:2211.01095), algorithm 1 with r = ½; the noise is k-diffusion's
/// `sample_dpmpp_2s_ancestral`.
public struct DPMPlusPlus2SAncestralSolver: Solver {
    /// η of the fresh noise; 0 is deterministic.
    public var eta: Double
    /// η
    public var noiseShare: Double? { eta }

    /// The method with an η.
    public init(eta: Double = 1) {
        self.eta = eta
    }

    /// The step down with the data of its middle, and fresh noise.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let (from, estimate) = (step.from, denoiser(x, step.from))
        let ancestral = AncestralStep(from: from, to: step.to, eta: eta)
        var data = estimate.data
        if ancestral.down.sigma > 0, from.alpha > 0 {
            let middle = from.towards(ancestral.down, share: 0.5)
            data = denoiser(x.moved(from: from, to: middle, data: data), middle).data
        }
        return (ancestral.renoised(x.moved(from: from, to: ancestral.down, data: data), noise), estimate)
    }
}
