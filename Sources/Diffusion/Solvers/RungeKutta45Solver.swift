import Foundation
import Tensors

/// The probability flow to a given error: Dormand's and Prince's pair of orders 5 and 4 with steps of its own
/// within each step of the grid.
///
/// Levels lie on a circle, α = cos φ and σ = sin φ, once a sample is divided by √(α² + σ²). There the flow is
/// dx = (cos φ·noise − sin φ·data)·dφ, finite at both ends whatever the path of the grid was.
/// Source: Dormand and Prince 1980; Song et al. 2021 (arXiv:2011.13456), section 4.3, for the method on flows.
public struct RungeKutta45Solver: Solver {
    /// The error allowed for each step of its own, relative to the sample.
    public var relativeTolerance: Double
    /// The error allowed for each step of its own.
    public var absoluteTolerance: Double

    /// Always.
    public var inversion: Inversion? { .ownTimes }

    /// The method to a tolerance.
    public init(relativeTolerance: Double = 1e-6, absoluteTolerance: Double = 1e-6) {
        self.relativeTolerance = relativeTolerance
        self.absoluteTolerance = absoluteTolerance
    }

    /// The sample at the end of the grid's step; one that carries an error where the tolerance is not reached.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let (from, to) = (step.from, step.to)
        let begin = atan2(from.sigma, from.alpha)
        // At the data itself a network need not know the noise: the last bit is Euler's, its error σ².
        let end = to.sigma > 0 ? atan2(to.sigma, to.alpha) : x.elementType == .float64 ? 1e-7 : 1e-3
        let flow = Flow(denoiser: denoiser, begin: begin, from: from, end: end, to: to)
        let (size, reached) = (hypot(from.alpha, from.sigma), hypot(to.alpha, to.sigma))
        let integrator = AdaptiveIntegrator(
            relativeTolerance: relativeTolerance, absoluteTolerance: absoluteTolerance)
        let first = denoiser(x, from)
        do {
            var y = try integrator.integrate([x / size], from: begin, to: end) { angle, state in
                [flow.slope(state[0], at: angle)]
            }[0]
            if to.sigma == 0 { y = denoiser(y, NoiseLevel(alpha: cos(end), sigma: sin(end))).data }
            return (y * reached, first)
        } catch {
            return (Tensor(failure: error), first)
        }
    }
}

/// The probability flow between two levels, on the circle.
private struct Flow {
    let denoiser: Denoiser
    let begin: Double
    let from: NoiseLevel
    let end: Double
    let to: NoiseLevel

    /// dx/dφ of an estimate.
    func slope(_ estimate: Estimate, at angle: Double) -> Tensor {
        let alpha = angle == begin && from.alpha == 0 ? 0 : cos(angle)
        return (estimate.noise * alpha).adding(estimate.data, scale: -sin(angle))
    }

    /// dx/dφ of a sample at an angle; at the ends of the step its levels' own times are told.
    func slope(_ y: Tensor, at angle: Double) -> Tensor {
        let level =
            if angle == begin {
                from.divided(by: hypot(from.alpha, from.sigma))
            } else if angle == end, to.sigma > 0 {
                to.divided(by: hypot(to.alpha, to.sigma))
            } else {
                NoiseLevel(alpha: cos(angle), sigma: sin(angle))
            }
        return slope(denoiser(y, level), at: angle)
    }
}
