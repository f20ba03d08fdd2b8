import Tensors

/// DPM-Solver++(2M) and (3M) for the stochastic equation: the data are taken to be a polynomial in log-SNR through
/// the last steps. One evaluation and one draw of noise a step.
///
/// An exponential step with τ² = η, whose corrections have other weights than the exact integrals; both ends, where the
/// step in λ = ln(α/σ) is infinite, are of first order.
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
        let estimate = denoiser(x, step.from)
        guard step.to.sigma > 0 else { return (estimate.data * step.to.alpha, estimate) }
        let exponential = ExponentialStep(
            from: step.from, to: step.to, following: .data, tau: eta.squareRoot())
        var sample = exponential(x, estimate)
        if exponential.h.isFinite {
            sample = corrected(sample, estimate.data, exponential, memory)
            memory = Array(([(estimate.data, exponential.h)] + memory).prefix(2))
        }
        guard eta > 0 else { return (sample, estimate) }
        return (sample.adding(noise.draw(of: x), scale: exponential.noiseFactor), estimate)
    }

    /// The sample with what the change of the data adds.
    private func corrected(
        _ sample: Tensor, _ data: Tensor, _ step: ExponentialStep, _ memory: Memory
    ) -> Tensor {
        guard let last = memory.first else { return sample }
        let alpha = step.target.alpha
        let slope = (data - last.data) * (step.h / last.h)
        switch variant {
        case .midpoint: return sample.adding(slope, scale: 0.5 * alpha * step.moment(0))
        case .heun: return sample.adding(slope, scale: alpha * step.moment(1))
        case .twoDifferences:
            guard memory.count > 1 else { return sample.adding(slope, scale: alpha * step.moment(1)) }
            let (r0, r1) = (last.h / step.h, memory[1].h / step.h)
            let earlier = (last.data - memory[1].data) / r1
            let bend = (slope - earlier) / (r0 + r1)
            return sample.adding(slope.adding(bend, scale: r0), scale: alpha * step.moment(1))
                .adding(bend, scale: 0.5 * alpha * step.moment(2))
        }
    }
}
