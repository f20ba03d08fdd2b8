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

    /// The method to a tolerance.
    public init(relativeTolerance: Double = 1e-6, absoluteTolerance: Double = 1e-6) {
        self.relativeTolerance = relativeTolerance
        self.absoluteTolerance = absoluteTolerance
    }

    /// No step has been taken.
    public func start() -> Double? { nil }

    /// The sample at the end of the grid's step. Memory is the size of the last step that was not cut short.
    public func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Double?, denoiser: Denoiser, noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let (from, to) = (step.from, step.to)
        let begin = atan2(from.sigma, from.alpha)
        // At the data itself a network need not know the noise: the last bit is Euler's, its error σ².
        let end = to.sigma > 0 ? atan2(to.sigma, to.alpha) : x.elementType == .float64 ? 1e-7 : 1e-3
        let flow = Flow(denoiser: denoiser, begin: begin, from: from, end: end, to: to)
        let first = denoiser(x, from)
        let (size, reached) = (hypot(from.alpha, from.sigma), hypot(to.alpha, to.sigma))
        var y = integrated(x / size, flow, slope: flow.slope(first, at: begin), &memory)
        if to.sigma == 0 { y = denoiser(y, NoiseLevel(alpha: cos(end), sigma: sin(end))).data }
        return (y * reached, first)
    }

    private func integrated(
        _ start: Tensor, _ flow: Flow, slope: Tensor, _ memory: inout Double?
    ) -> Tensor {
        var (y, slope, angle) = (start, slope, flow.begin)
        var size = min(memory ?? 0.05, abs(flow.end - flow.begin))
        while angle != flow.end {
            let isLast = size >= abs(flow.end - angle) * (1 - 1e-12)
            let next = isLast ? flow.end : angle + (flow.end > angle ? size : -size)
            let trial = DormandPrince.step(y, slope, from: angle, to: next, flow.slope)
            guard let error = try? relativeError(trial.error, y, trial.sample), error.isFinite else {
                // What failed, or is not a number, is the caller's to find.
                return trial.sample
            }
            let factor = min(max(0.9 * pow(error, -0.2), 0.2), 10)
            if error <= 1 || abs(next - angle) < 1e-10 {
                (y, slope, angle) = (trial.sample, trial.slope, next)
                if !isLast || factor < 1 { memory = size * factor }
            }
            size *= factor
        }
        return y
    }

    /// The root of the mean square of error over tolerance, of the example where it is largest.
    private func relativeError(_ error: Tensor, _ before: Tensor, _ after: Tensor) throws -> Double {
        let scale = maximum(before.magnitude(), after.magnitude()) * relativeTolerance + absoluteTolerance
        return try (error / scale).squared().meanPerExample().max().item().squareRoot()
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

/// The embedded pair of orders 5 and 4; its seventh slope is the next step's first.
/// Source: Dormand and Prince 1980, table 2.
private enum DormandPrince {
    static let nodes: [Double] = [1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1]
    static let rows: [[Double]] = [
        [1.0 / 5],
        [3.0 / 40, 9.0 / 40],
        [44.0 / 45, -56.0 / 15, 32.0 / 9],
        [19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729],
        [9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656],
        [35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84],
    ]
    /// The weights of order 5 less those of order 4.
    static let errors: [Double] = [
        71.0 / 57600, 0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40,
    ]

    /// The sample at the end, the slope there, and the estimated error.
    static func step(
        _ y: Tensor, _ slope: Tensor, from begin: Double, to end: Double,
        _ slopeAt: (Tensor, Double) -> Tensor
    ) -> (sample: Tensor, slope: Tensor, error: Tensor) {
        let size = end - begin
        var (slopes, sample) = ([slope], y)
        for (node, row) in zip(nodes, rows) {
            sample = sum(y, size, row, slopes)
            slopes.append(slopeAt(sample, node == 1 ? end : begin + node * size))
        }
        return (sample, slopes[6], sum(y * 0, size, errors, slopes))
    }

    private static func sum(_ y: Tensor, _ size: Double, _ weights: [Double], _ slopes: [Tensor]) -> Tensor {
        zip(weights, slopes).reduce(y) { $1.0 == 0 ? $0 : $0.adding($1.1, scale: size * $1.0) }
    }
}
