import Foundation
import Tensors

/// DPM-Solver++(2M) and (3M) for the stochastic equation: the data are taken to be a polynomial in log-SNR through
/// the last steps. One evaluation and one draw of noise a step.
///
/// With h the step in λ = ln(α/σ), what stays of the sample is e^{−ηh}·σ_s/σ_t and what comes from the data
/// α_s·(1 − e^{−(1+η)h}); both ends, where h is infinite, are of first order.
/// Source: Lu et al. 2022 (DPM-Solver++, arXiv:2211.01095), equation 18 for η = 1; k-diffusion's
/// `sample_dpmpp_2m_sde` and `sample_dpmpp_3m_sde`.
public struct DPMPlusPlusMultistepSDESolver: Solver {
    /// How the change of the data within a step is weighed.
    public enum Variant: Sendable {
        /// Second order, by the middle of the step.
        case midpoint
        /// Second order, by the exact integral.
        case heun
        /// By the first two differences, each with an integral (3M). The published formula gives the second one
        /// half of what Newton's polynomial has there, so that its order is 2 as well; numbers agree with it.
        case twoDifferences
    }

    /// How the change of the data is weighed.
    public var variant: Variant
    /// η of the fresh noise; 0 is deterministic.
    public var eta: Double
    /// η
    public var noiseShare: Double? { eta }

    /// The method.
    public init(_ variant: Variant = .midpoint, eta: Double = 1) {
        self.variant = variant
        self.eta = eta
    }

    /// The data of the last steps, the newest first, and how long each step was in λ.
    public typealias Memory = [(data: Tensor, h: Double)]

    /// Nothing.
    public func start() -> Memory { [] }

    /// The exponential step with the data's polynomial, and fresh noise.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Memory, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let (t, s, estimate) = (step.from, step.to, denoiser(x, step.from))
        guard s.sigma > 0 else { return (estimate.data * s.alpha, estimate) }
        let h = (s.logSNR - t.logSNR) / 2
        // η = 0 adds nothing even where h is infinite.
        let decay = eta > 0 ? eta * h : 0
        var sample = (x * (s.sigma / t.sigma * exp(-decay)))
            .adding(estimate.data, scale: -s.alpha * expm1(-h - decay))
        if h.isFinite {
            sample = corrected(sample, estimate.data, h: h, decay: decay, memory, s.alpha)
            memory = Array(([(estimate.data, h)] + memory).prefix(2))
        }
        guard eta > 0 else { return (sample, estimate) }
        let deviation = s.sigma * (-expm1(-2 * decay)).squareRoot()
        return (sample.adding(noise.draw(of: x), scale: deviation), estimate)
    }

    /// The sample with what the change of the data adds.
    private func corrected(
        _ sample: Tensor, _ data: Tensor, h: Double, decay: Double, _ memory: Memory, _ alpha: Double
    ) -> Tensor {
        guard let last = memory.first else { return sample }
        let length = h + decay
        // φ₂ and −φ₃ of the exponential integrators, times the length of the step.
        let phi2 = expm1(-length) / length + 1
        let phi3 = phi2 / length - 0.5
        let slope = (data - last.data) * (h / last.h)
        switch variant {
        case .midpoint: return sample.adding(slope, scale: -0.5 * alpha * expm1(-length))
        case .heun: return sample.adding(slope, scale: alpha * phi2)
        case .twoDifferences:
            guard memory.count > 1 else { return sample.adding(slope, scale: alpha * phi2) }
            let (r0, r1) = (last.h / h, memory[1].h / h)
            let earlier = (last.data - memory[1].data) / r1
            let bend = (slope - earlier) / (r0 + r1)
            return sample.adding(slope.adding(bend, scale: r0), scale: alpha * phi2)
                .adding(bend, scale: -alpha * phi3)
        }
    }
}
