import Foundation
import Tensors

/// Ordinary differential equations by the pair of Dormand and Prince: fifth order, the fourth beside it
/// says how far off a step is.
///
/// All tensors of a state share their steps, and so do all examples of a batch.
/// Source: Dormand and Prince 1980 (J. Comput. Appl. Math. 6), table 2.
public struct AdaptiveIntegrator: Sendable, Equatable {
    /// dy/dt of a state at a time.
    public typealias Rate = (_ time: Double, _ state: [Tensor]) throws -> [Tensor]

    /// The error of a step may be this share of the state …
    public var relativeTolerance: Double
    /// … and this much more.
    public var absoluteTolerance: Double
    /// The most steps that are tried.
    public var maximalSteps: Int

    /// An integrator.
    public init(
        relativeTolerance: Double = 1e-8, absoluteTolerance: Double = 1e-8, maximalSteps: Int = 10_000
    ) {
        self.relativeTolerance = relativeTolerance
        self.absoluteTolerance = absoluteTolerance
        self.maximalSteps = maximalSteps
    }

    /// The state at `end` from the state at `start`, in steps whose error stays within the tolerances.
    /// - Throws: `DiffusionError` where that takes too many steps or the rates are not finite; what `rate` throws.
    public func integrate(_ initial: [Tensor], from start: Double, to end: Double, rate: Rate) throws
        -> [Tensor]
    {
        guard start != end else { return initial }
        var (time, state) = (start, initial)
        var slope = try rate(start, initial)
        // A first step that is surely small; steps grow tenfold at most.
        var length = (end - start) * 1e-3
        for _ in 0..<maximalSteps {
            if abs(length) >= abs(end - time) { length = end - time }
            let trial = try Self.step(state, slope, from: time, by: length, rate)
            let error = try self.error(trial, from: state)
            guard error.isFinite else {
                throw DiffusionError("the flow has no finite rate near time \(time): start or end elsewhere")
            }
            if error <= 1 {
                if length == end - time { return trial.state }
                (time, state, slope) = (time + length, trial.state, trial.slope)
            }
            length *= min(10, max(0.2, 0.9 * pow(max(error, 1e-10), -0.2)))
        }
        throw DiffusionError(
            "the flow takes more than \(maximalSteps) steps at this tolerance: allow a larger one")
    }

    /// The state at `end` in a given number of equal steps of the fifth-order formula.
    public static func integrate(
        _ initial: [Tensor], from start: Double, to end: Double, steps: Int, rate: Rate
    ) throws -> [Tensor] {
        var state = initial
        let length = (end - start) / Double(steps)
        var slope = try rate(start, initial)
        for index in 0..<steps {
            let result = try step(state, slope, from: start + Double(index) * length, by: length, rate)
            (state, slope) = (result.state, result.slope)
        }
        return state
    }

    // MARK: One step

    /// A state after a step, the rate there, and the estimated error of the state.
    private typealias Trial = (state: [Tensor], slope: [Tensor], error: [Tensor])

    private static let nodes: [Double] = [1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1]
    /// The last row is the fifth-order formula itself, so that its rate serves the next step.
    private static let weights: [[Double]] = [
        [1.0 / 5],
        [3.0 / 40, 9.0 / 40],
        [44.0 / 45, -56.0 / 15, 32.0 / 9],
        [19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729],
        [9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656],
        [35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84],
    ]
    /// The fifth-order weights less the fourth-order ones.
    private static let errorWeights: [Double] = [
        71.0 / 57600, 0, -71.0 / 16695, 71.0 / 1920, -17253.0 / 339200, 22.0 / 525, -1.0 / 40,
    ]

    private static func step(
        _ state: [Tensor], _ slope: [Tensor], from time: Double, by length: Double, _ rate: Rate
    ) throws -> Trial {
        var slopes = [slope]
        var reached = state
        for (node, row) in zip(nodes, weights) {
            reached = state.indices.map { combination(row, slopes, $0, length, onto: state[$0]) }
            slopes.append(try rate(time + node * length, reached))
        }
        let error = state.indices.map {
            combination(errorWeights, slopes, $0, length, onto: Tensor.zeros([], state[$0].elementType))
        }
        return (reached, slopes[slopes.count - 1], error)
    }

    private static func combination(
        _ weights: [Double], _ slopes: [[Tensor]], _ index: Int, _ length: Double, onto start: Tensor
    ) -> Tensor {
        zip(weights, slopes).reduce(start) { sum, term in
            term.0 == 0 ? sum : sum.adding(term.1[index], scale: term.0 * length)
        }
    }

    /// The largest error of any example, 1 where it is just allowed.
    private func error(_ trial: Trial, from state: [Tensor]) throws -> Double {
        try zip(zip(trial.error, trial.state), state).map { pair, before in
            let allowed =
                maximum(pair.1.magnitude(), before.magnitude()) * relativeTolerance + absoluteTolerance
            let share = (pair.0 / allowed).squared()
            let perExample = share.rank > 1 ? share.meanPerExample() : share
            return try perExample.max().to(.float64).item(Double.self).squareRoot()
        }.max() ?? 0
    }
}
