import Foundation

/// How the steps of a run are spread: a row with the name that users type (`--grid`) and its σ.
///
/// A new grid is a function in `SigmaSpacing.swift`, its test, and a row of `Grid.allCases`.
public struct Grid: Sendable {
    /// The name.
    public let name: String
    /// σ for data of α = 1, of a schedule between two of them; `nil` where the grid is a process's own alone.
    private let spread:
        (
            @Sendable (_ count: Int, _ schedule: any NoiseSchedule, _ first: Double, _ last: Double) ->
                [Double]
        )?

    /// The whole times of a table of β, most noise first; `nil` where the grid is of another kind, or has none of the table.
    package let times: @Sendable (_ total: Int) -> [Int]?

    /// A grid.
    /// - Parameter spread: `count` σ from the first to the last; without it the grid has a meaning only for
    ///   processes that know it.
    public init(
        _ name: String,
        spread: (
            @Sendable (_ count: Int, _ schedule: any NoiseSchedule, _ first: Double, _ last: Double) ->
                [Double]
        )? = nil
    ) {
        self.name = name
        self.spread = spread
        times = { _ in nil }
    }

    /// A grid of as many steps as it has times.
    /// - Parameter times: whole times of a table of β of so many, most noise first; `nil` for one that has none of them.
    public init(_ name: String, times: @escaping @Sendable (_ total: Int) -> [Int]?) {
        (self.name, self.times) = (name, times)
        spread = nil
    }

    /// `count` σ (for data of α = 1) from the noisiest level to the least noisy one of a schedule.
    /// - Throws: `DiffusionError` where a schedule has no such grid.
    package func sigmas(
        count: Int, of schedule: any NoiseSchedule, from first: Double, to last: Double
    ) throws -> [Double] {
        guard first.isFinite, last > 0 else {
            throw DiffusionError(
                "the grid '\(name)' needs data at the process's start and noise at its end: choose another")
        }
        guard let spread else {
            throw DiffusionError("this process has no grid '\(name)': choose another")
        }
        return spread(count, schedule, first, last)
    }
}

extension Grid: RawRepresentable, CaseIterable, Codable, Hashable {
    /// The name.
    public var rawValue: String { name }

    /// The grid of a name, `nil` where there is none.
    public init?(rawValue name: String) {
        guard let found = Grid.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    /// Grids are the same where their names are.
    public static func == (left: Grid, right: Grid) -> Bool { left.name == right.name }

    /// By the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

extension Grid {
    /// Every grid.
    public static let allCases: [Grid] = [
        leading, trailing, linspace, karras, exponential, polyexponential, beta, sgmUniform, alignedSteps,
        shifted, fast27,
    ]

    /// Whole times from 0 on.
    public static let leading = Grid("leading")
    /// Whole times down from the last.
    public static let trailing = Grid("trailing")
    /// Even in time, both ends included.
    public static let linspace = Grid("linspace") { evenInTime($0, $1, $2, $3, reachesEnd: true) }
    /// Even in time, without the end.
    public static let sgmUniform = Grid("sgm-uniform") { evenInTime($0, $1, $2, $3, reachesEnd: false) }
    /// Even in σ^{1/7}.
    public static let karras = Grid("karras") { karrasSigmas(count: $0, from: $2, to: $3) }
    /// Even in ln σ.
    public static let exponential = Grid("exponential") { exponentialSigmas(count: $0, from: $2, to: $3) }
    /// On a polynomial in ln σ.
    public static let polyexponential = Grid("polyexponential") {
        polyexponentialSigmas(count: $0, from: $2, to: $3)
    }
    /// At the quantiles of a Beta distribution.
    public static let beta = Grid("beta") { betaSigmas(count: $0, from: $2, to: $3) }
    /// Align Your Steps.
    public static let alignedSteps = Grid("ays") { count, _, _, _ in
        AlignedSteps.stableDiffusion.sigmas(count: count)
    }
    /// Even in time, moved by a resolution shift.
    public static let shifted = Grid("shifted")

    /// 27 times of a table of β, most of them where there is little noise.
    public static let fast27 = Grid("fast27", times: fastTimes)

    private static func evenInTime(
        _ count: Int, _ schedule: any NoiseSchedule, _ first: Double, _ last: Double, reachesEnd: Bool
    ) -> [Double] {
        uniformTimeSigmas(
            count: count, from: first, to: last, reachesEnd: reachesEnd,
            time: { schedule.time(logSNR: -2 * log($0)) }, sigma: { schedule.noiseRatio(at: $0) })
    }
}

extension NoiseSchedule {
    /// σ/α at a time.
    package func noiseRatio(at time: Double) -> Double { level(at: time).noiseRatio }
}
