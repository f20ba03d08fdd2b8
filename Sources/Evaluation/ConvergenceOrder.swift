import Diffusion
import Foundation
import Tensors

/// The measured order of convergence of solvers, on a mixture of Gaussians whose probability flow is known.
///
/// Samples go from one level that holds data and noise to another. Where they should arrive is found by
/// following the flow to rounding; the error is the root of the mean square distance to that.
public struct ConvergenceOrder: Codable, Sendable, Equatable {
    /// A process and the grid that it is usually cut by.
    public enum Schedule: String, Codable, Sendable, CaseIterable {
        /// The variance-preserving equation, even in time.
        case variancePreserving = "vp"
        /// α = 1, by Karras's grid.
        case edm
        /// The straight path, even in time.
        case flow

        /// A grid of `steps` steps from σ/α = `first` to `last`.
        func grid(steps: Int, from first: Double, to last: Double) -> StepGrid {
            func even(_ schedule: some NoiseSchedule) -> [NoiseLevel] {
                let (start, end) = (
                    schedule.time(logSNR: -2 * log(first)), schedule.time(logSNR: -2 * log(last))
                )
                return (0...steps).map {
                    schedule.level(at: start + (end - start) * Double($0) / Double(steps))
                }
            }
            switch self {
            case .variancePreserving: return StepGrid(through: even(VariancePreservingSchedule()))
            case .edm:
                let sigmas = karrasSigmas(count: steps + 1, from: first, to: last)
                return StepGrid(through: sigmas.map { NoiseLevel(time: $0, alpha: 1, sigma: $0) })
            case .flow: return StepGrid(through: even(StraightSchedule()))
            }
        }
    }

    /// One solver on one schedule, the denoiser's rounding that of one prediction.
    public struct Row: Codable, Sendable, Equatable {
        /// The solver.
        public var solver: Method
        /// The schedule.
        public var schedule: Schedule
        /// The word of the prediction.
        public var prediction: String
        /// The slope of the error over the last two doublings of steps; absent where the error is rounding from the start.
        public var order: Double?
        /// The order that the method should have.
        public var theory: Int
        /// The numbers of steps.
        public var steps: [Int]
        /// The error after each number of steps.
        public var errors: [Double]

        /// The error after a number of steps, where that was measured.
        public func error(steps count: Int) -> Double? {
            steps.firstIndex(of: count).map { errors[$0] }
        }
    }

    /// Solvers that were not measured.
    public struct Omission: Codable, Sendable, Equatable {
        /// The solvers.
        public var solvers: [Method]
        /// The schedule that they do not run on; absent where it is no matter of schedules.
        public var schedule: Schedule?
        /// Why.
        public var reason: String
    }

    /// What was measured.
    public var rows: [Row] = []
    /// What was not, and why.
    public var omitted: [Omission] = []

    /// Measures solvers.
    ///
    /// The numbers of steps are of one kind (odd, and 2 beyond a multiple of 3), because some methods end
    /// differently where they are not.
    /// - Throws: `TensorError` or `DiffusionError` where the exact answer cannot be computed.
    public init(
        of solvers: [Method] = Method.allCases, on schedules: [Schedule] = Schedule.allCases,
        predictions: [Prediction] = [.noise, .data, .velocity, .flow], steps: [Int] = [11, 23, 47, 95, 191]
    ) throws {
        let bench = try Bench()
        for solver in solvers {
            guard case .order(let theory) = solver.convergence else {
                omit(
                    solver, nil, solver.isOfBits ? "their samples are bits" : Self.reason(solver.convergence))
                continue
            }
            for schedule in schedules {
                do {
                    // A solver that refuses a schedule does so at its first prediction.
                    rows += try predictions.map { try bench.row(solver, theory, schedule, $0, steps) }
                } catch let error as DiffusionError {
                    omit(solver, schedule, error.description)
                }
            }
        }
    }

    private mutating func omit(_ solver: Method, _ schedule: Schedule?, _ reason: String) {
        let found = omitted.firstIndex { $0.schedule == schedule && $0.reason == reason }
        if let found {
            omitted[found].solvers.append(solver)
        } else {
            omitted.append(Omission(solvers: [solver], schedule: schedule, reason: reason))
        }
    }

    private static func reason(_ convergence: Convergence) -> String {
        switch convergence {
        case .order: "measured"
        case .adaptive: "their error is a tolerance's, not the number of steps'"
        case .stochastic: "they add noise, so they approach a law and not the flow"
        case .none: "they jump where a distilled network takes them"
        }
    }
}

/// The samples that every measurement takes, and where they should arrive.
private struct Bench {
    private let mixture = GaussianMixture(
        weights: Tensor([0.4, 0.6]), means: Tensor([-1, 0.5, 0.8, -0.3]).reshaped([2, 2]),
        covariances: Tensor([0.5, 0.1, 0.1, 0.3, 0.4, -0.1, -0.1, 0.6]).reshaped([2, 2, 2]))
    /// σ/α at the start.
    private let first = 3.0
    /// σ/α at the end.
    private let last = 0.3
    /// Samples at α = 1 and σ/α = `first`, `[16, 2]`.
    private let start: Tensor
    /// The same, taken to `last` by the exact flow.
    private let arrival: Tensor

    init() throws {
        let mixture = self.mixture
        start = RandomGenerator(seed: 0).normal([16, 2], .float64) * (first * first + 1).squareRoot()
        // With α = 1, dx/d ln σ = σ·ε̂.
        let integrator = AdaptiveIntegrator(relativeTolerance: 1e-13, absoluteTolerance: 1e-13)
        arrival = try integrator.integrate([start], from: log(first), to: log(last)) { time, state in
            let level = NoiseLevel(alpha: 1, sigma: exp(time))
            return [mixture.estimate(state[0], at: level).noise * level.sigma]
        }[0]
    }

    func row(
        _ name: Method, _ theory: Int, _ schedule: ConvergenceOrder.Schedule, _ prediction: Prediction,
        _ steps: [Int]
    ) throws -> ConvergenceOrder.Row {
        var row = ConvergenceOrder.Row(
            solver: name, schedule: schedule, prediction: prediction.word, theory: theory, steps: [],
            errors: [])
        for count in steps {
            let error = try inference { try self.error(name, schedule, prediction, steps: count) }
            row.steps.append(count)
            row.errors.append(error)
            // Rounding: more steps show nothing more.
            if error < 1e-11 { break }
        }
        row.order = slope(row.steps, row.errors)
        return row
    }

    private func error(
        _ name: Method, _ schedule: ConvergenceOrder.Schedule, _ prediction: Prediction, steps: Int
    ) throws -> Double {
        let cut = schedule.grid(steps: steps, from: first, to: last)
        let sampler = try name.sampler(on: cut)
        let (grid, solver) = (sampler.grid, sampler.solver)
        var sample = start * grid.steps[0].from.alpha
        let noise = NoiseSource(seed: 0, count: start.shape[0], elementType: .float64)
        let run = solver.sampling(sample, through: grid, denoiser: mixture.denoiser(prediction), noise: noise)
        for progress in run { sample = progress.sample }
        let distance = sample - arrival * cut.steps[steps - 1].to.alpha
        return try distance.squared().mean().item(Double.self).squareRoot()
    }

    /// The slope over the last two doublings above rounding: a method whose last step depends on whether the
    /// number of steps is odd, or a multiple of 3, is measured between two of a kind.
    private func slope(_ steps: [Int], _ errors: [Double]) -> Double? {
        let points = zip(steps, errors).filter { $0.1 > 1e-11 }.suffix(3)
        guard points.count > 1, let (few, large) = points.first, let (many, small) = points.last else {
            return nil
        }
        return log(large / small) / log(Double(many) / Double(few))
    }
}
