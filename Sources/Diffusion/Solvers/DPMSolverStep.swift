import Foundation
import Tensors

/// One step of DPM-Solver in each of its orders, sharing evaluations: an exponential integrator with the noise a
/// polynomial in λ = ln(α/σ).
///
/// - Precondition: both levels hold data and noise.
/// - Source: Lu et al. 2022 (DPM-Solver, arXiv:2206.00927), algorithms 1, 4 and 5.
struct DPMSolverStep {
    let x: Tensor
    let from: NoiseLevel
    let to: NoiseLevel
    let denoiser: Denoiser
    /// The estimate before the step.
    let estimate: Estimate
    /// The step in λ.
    let h: Double

    init(_ x: Tensor, from: NoiseLevel, to: NoiseLevel, denoiser: Denoiser) {
        (self.x, self.from, self.to, self.denoiser) = (x, from, to, denoiser)
        estimate = denoiser(x, from)
        h = (to.logSNR - from.logSNR) / 2
    }

    /// Order 1, to any level: the noise stays.
    func first(to level: NoiseLevel) -> Tensor { x.moved(from: from, to: level, along: estimate) }

    /// How much the estimated noise at a share r of the step differs from that before it.
    func bend(at r: Double) -> Tensor {
        let middle = from.towards(to, share: r)
        return denoiser(first(to: middle), middle).noise - estimate.noise
    }

    /// Order 2, from the noise at r.
    func second(_ bend: Tensor, at r: Double) -> Tensor {
        first(to: to).adding(bend, scale: -to.sigma * expm1(h) / (2 * r))
    }

    /// Order 3, from the noise at ⅓; asks once more, at ⅔.
    func third(_ bend: Tensor) -> Tensor {
        let (r1, r2) = (1.0 / 3, 2.0 / 3)
        let middle = from.towards(to, share: r2)
        let proposed = first(to: middle).adding(
            bend, scale: -middle.sigma * (r2 / r1) * (expm1(r2 * h) / (r2 * h) - 1))
        let later = denoiser(proposed, middle).noise - estimate.noise
        return first(to: to).adding(later, scale: -to.sigma / r2 * (expm1(h) / h - 1))
    }
}

extension StepGrid {
    /// The grid of `count` steps even in log-SNR between the ends of this one.
    ///
    /// DPM-Solver's noise has no logarithm at the ends: a first level without data is kept and left by a step of its
    /// own, and a last level without noise is not reached.
    public func evenInLogSNR(count: Int) -> StepGrid {
        let all = steps.map(\.from) + steps.suffix(1).map(\.to)
        let inside = all.filter { $0.alpha > 0 && $0.sigma > 0 }
        guard let first = inside.first, let last = inside.last, inside.count > 1 else { return self }
        let middle = (0..<max(count - 1, 0)).map {
            first.towards(last, share: Double($0 + 1) / Double(count))
        }
        let levels = all.prefix { $0.alpha == 0 } + [first] + middle + [last]
        return StepGrid(through: levels, startScale: startScale)
    }
}
