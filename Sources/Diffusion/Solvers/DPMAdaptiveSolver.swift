import Foundation
import Tensors

/// DPM-Solver-12 or -23 with steps as long as a wanted error allows: its grid is one step
/// (`StepGrid.evenInLogSNR(count:)`).
///
/// The error is that of the whole batch, as in k-diffusion, so a picture depends a little on its companions.
/// Source: Lu et al. 2022 (DPM-Solver, arXiv:2206.00927), appendix C; k-diffusion's `sample_dpm_adaptive`.
public struct DPMAdaptiveSolver: Solver {
    /// 2 or 3, the order of the better of the two samples that are compared.
    public var order: Int
    /// The error allowed for one unit of the sample.
    public var relativeTolerance: Double
    /// The error allowed at least.
    public var absoluteTolerance: Double
    /// The first step in λ that is tried.
    public var firstStep: Double
    /// What the step's length depends on.
    public var control: StepControl
    /// η of the fresh noise; 0 is deterministic.
    public var eta: Double
    /// η
    public var noiseShare: Double? { eta }

    /// The method; the defaults are k-diffusion's.
    public init(
        order: Int = 3, relativeTolerance: Double = 0.05, absoluteTolerance: Double = 0.0078,
        firstStep: Double = 0.05, control: StepControl = StepControl(), eta: Double = 0
    ) {
        precondition(order == 2 || order == 3, "an adaptive method of order \(order)")
        self.order = order
        self.relativeTolerance = relativeTolerance
        self.absoluteTolerance = absoluteTolerance
        self.firstStep = firstStep
        self.control = control
        self.eta = eta
    }

    /// All examples take the steps that their common error allows.
    public var couplesExamples: Bool { true }

    /// All the way, in as many steps as it takes.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Void, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let (from, to) = (step.from, step.to)
        guard from.alpha > 0, to.sigma > 0 else {
            let estimate = denoiser(x, from)
            return (x.moved(from: from, to: to, along: estimate), estimate)
        }
        let whole = (to.logSNR - from.logSNR) / 2
        var (done, length, errors) = (0.0, copysign(firstStep, whole), [Double]())
        var (x, previous, estimate) = (x, x, Estimate?.none)
        // The last 1e-5 in λ are not worth a step.
        while estimate == nil || abs(whole - done) > 1e-5 {
            let wanted = done + length
            let next = abs(wanted) < abs(whole) ? wanted : whole
            let start = level(done / whole, step)
            let ancestral = AncestralStep(
                from: start, to: level(next / whole, step), eta: eta, least: to.noiseRatio)
            let single = DPMSolverStep(x, from: start, to: ancestral.down, denoiser: denoiser)
            estimate = estimate ?? single.estimate
            let (low, high) = pair(single)
            let error = error(low, high, previous)
            // A computation that failed, or a step too short to count, must not be tried for ever.
            let isStuck = !error.isFinite || next == done
            let (factor, isAccepted) = control.factor(error, &errors, order: eta > 0 ? 1.5 : Double(order))
            if isAccepted || isStuck {
                (previous, x, done) = (low, ancestral.renoised(high, noise), error.isFinite ? next : whole)
            }
            length *= factor
        }
        return (x, estimate!)
    }

    private func level(_ share: Double, _ step: StepGrid.Step) -> NoiseLevel {
        share == 0 ? step.from : share == 1 ? step.to : step.from.towards(step.to, share: share)
    }

    /// The same step in two orders.
    private func pair(_ step: DPMSolverStep) -> (low: Tensor, high: Tensor) {
        if order == 2 { return (step.first(to: step.to), step.second(step.bend(at: 0.5), at: 0.5)) }
        let bend = step.bend(at: 1.0 / 3)
        return (step.second(bend, at: 1.0 / 3), step.third(bend))
    }

    /// The root of the mean square of the difference, in units of what is allowed; NaN where it cannot be had.
    private func error(_ low: Tensor, _ high: Tensor, _ previous: Tensor) -> Double {
        let allowed = (maximum(low.magnitude(), previous.magnitude()) * relativeTolerance)
            .clamped(from: absoluteTolerance)
        return (try? ((low - high) / allowed).squared().mean().squareRoot().item()) ?? .nan
    }
}

/// How the length of a step follows its error and those of the steps before: a controller with a proportional, an
/// integral and a differential part.
/// Source: Söderlind 2003, "Digital filters in adaptive time-stepping", section 2; k-diffusion's
/// `PIDStepSizeController`.
public struct StepControl: Sendable, Equatable {
    /// The coefficients of the proportional, the integral and the differential part.
    public var proportional: Double, integral: Double, differential: Double
    /// The least factor at which a step is accepted.
    public var safety: Double

    /// A controller; by default an integral one.
    public init(
        proportional: Double = 0, integral: Double = 1, differential: Double = 0, safety: Double = 0.81
    ) {
        self.proportional = proportional
        self.integral = integral
        self.differential = differential
        self.safety = safety
    }

    /// What the next step's length is multiplied with, and whether this step is accepted.
    /// - Parameter inverses: 1/error of this step and the last two accepted, kept from call to call.
    func factor(_ error: Double, _ inverses: inout [Double], order: Double) -> (Double, isAccepted: Bool) {
        let inverse = 1 / (error + 1e-8)
        if inverses.isEmpty { inverses = [inverse, inverse, inverse] }
        inverses[0] = inverse
        let powers = [
            proportional + integral + differential, -(proportional + 2 * differential), differential,
        ]
        let raw = zip(inverses, powers).reduce(1) { $0 * pow($1.0, $1.1 / order) }
        let factor = 1 + atan(raw - 1)
        guard factor >= safety else { return (factor, false) }
        inverses = [inverse, inverse, inverses[1]]
        return (factor, true)
    }
}
