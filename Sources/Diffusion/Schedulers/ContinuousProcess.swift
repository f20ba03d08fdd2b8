import Foundation
import Storage

/// A process with a level at every time, and the grid that sampling it takes by default.
///
/// In a file an object whose `kind` names the process, beside the process's own numbers: `edm`
/// (`sigma_min`, `sigma_max`, `rho`), `vp-sde` (`beta_min`, `beta_max`), `ve` (`sigma_min`, `sigma_max`),
/// `flow` (`shift`).
public enum ContinuousProcess: Sendable, Equatable {
    /// Time is σ; the grid is Karras's, then 0.
    case edm(EDMSchedule)
    /// The variance-preserving equation; times evenly from 1 to 10⁻³, then the data.
    case variancePreserving(VariancePreservingSchedule)
    /// The variance-exploding equation; σ geometric from σ_max to σ_min, then 0.
    case varianceExploding(VarianceExplodingSchedule)
    /// The straight path; times evenly from 1 to 0, moved by a resolution shift.
    case straight(shift: Double)

    /// The path.
    public var schedule: any ContinuousSchedule {
        switch self {
        case .edm(let schedule): schedule
        case .variancePreserving(let schedule): schedule
        case .varianceExploding(let schedule): schedule
        case .straight: StraightSchedule()
        }
    }

    /// The word for the process in a file.
    public var kind: String {
        switch self {
        case .edm: "edm"
        case .variancePreserving: "vp-sde"
        case .varianceExploding: "ve"
        case .straight: "flow"
        }
    }

    /// The times at which sampling in `steps` steps begins and ends, and between.
    public func times(steps: Int) -> [Double] {
        switch self {
        case .edm(let edm):
            karrasSigmas(count: steps, from: edm.sigmaMaximum, to: edm.sigmaMinimum, rho: edm.rho) + [0]
        case .variancePreserving: evenlySpaced(from: 1, to: 1e-3, count: steps) + [0]
        case .varianceExploding: evenlySpaced(from: 1, to: 0, count: steps)
        case .straight(let shift):
            // The ends stay where they are to the last bit: there is no data in the start at all.
            evenlySpaced(from: 1, to: 0, count: steps + 1).map {
                $0 < 1 ? StraightSchedule.shifted($0, by: shift) : 1
            }
        }
    }

    /// The grid of a run of `steps` steps.
    /// - Parameter name: another grid than the process's own.
    /// - Throws: `DiffusionError` where the process has no such grid.
    public func grid(steps: Int, _ name: GridName? = nil) throws -> StepGrid {
        guard (1...1_000_000).contains(steps) else {
            throw DiffusionError("\(steps) steps were asked for: give 1 to 1000000")
        }
        let (levels, data) = (try levels(steps: steps, name), NoiseLevel(time: 0, alpha: 1, sigma: 0))
        let first = levels[0]
        return StepGrid(
            through: levels.last?.sigma == 0 ? levels : levels + [data],
            // Unit noise is where the process starts, but for one whose noise explodes.
            startScale: first.alpha == 1 ? first.sigma : 1)
    }

    private func levels(steps: Int, _ name: GridName?) throws -> [NoiseLevel] {
        let schedule = self.schedule
        guard let name, name != ownGrid else { return times(steps: steps).map(schedule.level) }
        let own = times(steps: max(steps, 2)).map(schedule.noiseRatio)
        let sigmas = try name.sigmas(
            count: steps, of: schedule, from: own[0], to: own.last { $0 > 0 } ?? 0)
        return sigmas.map { schedule.level(at: schedule.time(logSNR: -2 * log($0))) }
    }

    /// The name of the process's own grid, where it has one.
    private var ownGrid: GridName {
        switch self {
        case .edm: .karras
        case .variancePreserving: .linspace
        case .varianceExploding: .exponential
        case .straight: .shifted
        }
    }

    /// The sampler of a run of `steps` steps.
    /// - Parameters:
    ///   - name: the method; by default Heun's of the EDM paper for `edm`, the first-order one elsewhere.
    ///   - grid: another grid than the process's own.
    /// - Throws: `DiffusionError` where method, process and grid do not fit.
    public func sampler(
        _ name: SolverName?, steps: Int, grid gridName: GridName? = nil,
        options: SamplerOptions = SamplerOptions()
    ) throws -> Sampler {
        let (name, grid) = (name ?? solverName, try grid(steps: steps, gridName))
        return try name.sampler(on: grid, options).checked()
    }

    /// The method that is taken where none is named.
    public var solverName: SolverName {
        switch self {
        case .edm: .edm
        case .variancePreserving, .varianceExploding: .ddim
        case .straight: .flowEuler
        }
    }

    /// Throws what makes the process meaningless.
    /// - Throws: `DiffusionError`, one sentence that names the key.
    public func validate() throws {
        func check(_ low: Double, _ high: Double, _ names: String) throws {
            guard low > 0, low < high, high.isFinite else {
                throw DiffusionError(
                    "\(names) are \(low) and \(high): the first must be above 0 and below the second")
            }
        }
        switch self {
        case .edm(let edm):
            try check(edm.sigmaMinimum, edm.sigmaMaximum, "sigma_min and sigma_max")
            guard edm.rho > 0, edm.rho.isFinite else {
                throw DiffusionError("rho is \(edm.rho): it must be above 0")
            }
        case .variancePreserving(let process):
            try check(process.betaMinimum, process.betaMaximum, "beta_min and beta_max")
        case .varianceExploding(let process):
            try check(process.sigmaMinimum, process.sigmaMaximum, "sigma_min and sigma_max")
        case .straight(let shift):
            guard shift > 0, shift.isFinite else {
                throw DiffusionError("shift is \(shift): it must be above 0")
            }
        }
    }
}

extension ContinuousProcess: Codable {
    private typealias Key = SchedulerFlag.Key

    /// The processes with their defaults.
    private static let defaults: [Self] = [
        .edm(EDMSchedule()), .variancePreserving(VariancePreservingSchedule()),
        .varianceExploding(VarianceExplodingSchedule()), .straight(shift: 1),
    ]

    /// Reads the file form; a number that is left out takes the paper's.
    /// - Throws: `DiffusionError` where the kind or a key is not known, or a number will not do.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        guard let kind = try? values.decode(String.self, forKey: "kind") else {
            throw DiffusionError("the schedule's 'kind' must be a word such as 'edm'")
        }
        guard let process = Self.defaults.first(where: { $0.kind == kind }) else {
            let known = Self.defaults.map(\.kind)
            throw DiffusionError(
                "the schedule \(quoted(kind)) is not known: the nearest one is '\(nearest(to: kind, among: known) ?? "")'"
            )
        }
        let known = process.numbers.map(\.name)
        for key in values.allKeys.map(\.stringValue).sorted() where key != "kind" && !known.contains(key) {
            throw DiffusionError(
                "the key \(quoted(key)) of the schedule is not known: the nearest one is '\(nearest(to: key, among: known) ?? "")'"
            )
        }
        func number(_ name: String, _ own: Double) throws -> Double {
            guard values.contains(Key(name)) else { return own }
            guard let value = try? values.decode(Double.self, forKey: Key(name)) else {
                throw DiffusionError("the schedule's '\(name)' must be a number")
            }
            return value
        }
        let given = try process.numbers.map { try number($0.name, $0.value) }
        self =
            switch process {
            case .edm: .edm(EDMSchedule(sigmaMinimum: given[0], sigmaMaximum: given[1], rho: given[2]))
            case .variancePreserving:
                .variancePreserving(
                    VariancePreservingSchedule(betaMinimum: given[0], betaMaximum: given[1]))
            case .varianceExploding:
                .varianceExploding(
                    VarianceExplodingSchedule(sigmaMinimum: given[0], sigmaMaximum: given[1]))
            case .straight: .straight(shift: given[0])
            }
        try validate()
    }

    /// Writes the file form.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(kind, forKey: "kind")
        for (name, value) in numbers { try values.encode(value, forKey: Key(name)) }
    }

    /// The process's numbers as a file names them.
    private var numbers: [(name: String, value: Double)] {
        switch self {
        case .edm(let edm):
            [("sigma_min", edm.sigmaMinimum), ("sigma_max", edm.sigmaMaximum), ("rho", edm.rho)]
        case .variancePreserving(let process):
            [("beta_min", process.betaMinimum), ("beta_max", process.betaMaximum)]
        case .varianceExploding(let process):
            [("sigma_min", process.sigmaMinimum), ("sigma_max", process.sigmaMaximum)]
        case .straight(let shift): [("shift", shift)]
        }
    }
}
