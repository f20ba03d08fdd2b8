import Foundation
import Tensors

/// Ancestral sampling: a draw from q(x_s | x_t, x̂₀) with a fixed variance or a learned one.
/// Source: Ho et al. 2020 (arXiv:2006.11239), algorithm 2 and equations 6, 7; Nichol and Dhariwal 2021
/// (arXiv:2102.09672), equation 15, for learned variances.
public struct DDPMSolver: Solver {
    /// What the variance of a step can be.
    public typealias Variance = ReverseVariance

    /// The variance of a step.
    public var variance: Variance
    /// Whether a step keeps of the sample what is left of 1 when β is taken from it in single precision, as diffusers'
    /// UnCLIPScheduler has it. Where a step begins without much signal, that is far from ᾱ_t / ᾱ_s.
    package var keepsSingleShare = false

    /// Ancestral sampling with a variance; a learned one needs a network that gives it, and without it the
    /// sample carries the error.
    public init(variance: ReverseVariance = .fixedSmall) {
        self.variance = variance
    }

    /// The posterior's mean and, but for the last step, its deviation times fresh noise.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let estimate = denoiser(x, step.from)
        let transition = Transition(from: step.from, to: step.to)
        let kept = keepsSingleShare ? transition.singleShare / transition.alpha : 1
        let mean = (estimate.data * transition.dataFactor).adding(x, scale: transition.sampleFactor * kept)
        // The step from the first time of the process is the last, and its mean is the sample.
        guard (step.from.time ?? 1) > 0 else {
            let moved = estimate.meanShift.map { mean.adding($0, scale: transition.variance) }
            return (moved ?? mean, estimate)
        }
        let moved = estimate.meanShift.map {
            mean.adding(productOf: variance(of: transition, learned: estimate.variance), $0)
        }
        let fresh = noise.draw(of: x)
        return (noised(moved ?? mean, by: fresh, transition, learned: estimate.variance), estimate)
    }

    /// The variance of a step: one number, or one for each element.
    private func variance(of transition: Transition, learned: Tensor?) -> Tensor {
        switch (variance, learned) {
        case (.learned, let learned?): learned
        case (.learnedRange, let learned?): transition.logVariance(output: learned).exp()
        case (.fixedLarge, _), (.fixedLargeLog, _): Tensor([Float(transition.variance)])
        default: Tensor([Float(transition.leastVariance)])
        }
    }

    private func noised(
        _ mean: Tensor, by fresh: Tensor, _ transition: Transition, learned: Tensor?
    ) -> Tensor {
        switch variance {
        case .fixedSmall, .fixedSmallLog:
            return mean.adding(fresh, scale: transition.leastVariance.squareRoot())
        case .fixedLarge, .fixedLargeLog:
            return mean.adding(fresh, scale: transition.variance.squareRoot())
        case .learned, .learnedRange:
            guard let learned else {
                return Tensor(
                    failure: DiffusionError(
                        "the network has no channels for the variance that '\(variance.rawValue)' asks of it")
                )
            }
            let deviation =
                variance == .learned
                ? learned.squareRoot() : (transition.logVariance(output: learned) * 0.5).exp()
            return mean.adding(productOf: deviation, fresh)
        }
    }
}

extension Transition {
    /// √(1 − β) in single precision.
    fileprivate var singleShare: Double {
        let beta = 1 - Float(alpha * alpha)
        return Double((1 - beta).squareRoot())
    }

    /// β̃; a posterior to exact data has none, and its logarithm is kept finite as diffusers does.
    var leastVariance: Double { max(posteriorVariance, 1e-20) }

    /// ln Σ = v·ln β + (1 − v)·ln β̃ with v = (output + 1)/2: the logarithm of the variance that a network
    /// places between the two that are right for one point and for unit normal data.
    /// Source: Nichol and Dhariwal 2021 (arXiv:2102.09672), equation 15.
    /// - Parameter output: what the network's further channels give, −1 for β̃ and 1 for β.
    package func logVariance(output: Tensor) -> Tensor {
        let (least, most) = (log(leastVariance), log(variance))
        return (output + 1) * ((most - least) / 2) + least
    }
}
