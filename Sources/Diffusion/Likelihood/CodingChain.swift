import Foundation

/// The chain of noise levels over which a variational bound is summed.
///
/// For a table of β it is the table itself, or some of its times; for a continuous process, levels even in log-SNR.
/// Samples have unit variance (α² + σ² = 1) whatever the scaling of the process, because a denoiser's estimate does not
/// depend on it.
public struct CodingChain: Sendable {
    /// The levels, least noise first, each with the time of the process.
    public let levels: [NoiseLevel]
    /// The table of β through the levels.
    public let table: DiscreteSchedule

    /// The number of levels of a continuous process where none is given.
    public static let usualCount = 200
    /// The fewest levels of a chain, and the most of a continuous process.
    private static let counts = 3...10_000
    /// The largest σ/α: more noise leaves nothing of the data that counts.
    private static let mostNoise = 1e3
    /// SNR of the first level over that of the second, on continuous processes. The first step is decoded with the
    /// variance of the second step's posterior, σ₁²·(1 − 1/ratio): so it is nearly that of the first level's noise.
    private static let firstRatio = 8.0

    /// The chain of a process.
    /// - Parameters:
    ///   - count: the number of levels; all of a table, or `usualCount` of a continuous process, where `nil`.
    ///   - first: σ/α of the first level of a continuous process; that of `leastLevel` where `nil`.
    /// - Throws: `DiffusionError` where there is no chain of so many levels.
    public init(_ schedule: any NoiseSchedule, count: Int? = nil, first: Double? = nil) throws {
        if let table = schedule as? DiscreteSchedule {
            try self.init(table, count: count)
        } else {
            try self.init(continuous: schedule, count: count ?? Self.usualCount, first: first)
        }
    }

    /// All times of a table, or some that are evenly spread, ends included, as the code of Nichol and Dhariwal 2021
    /// (arXiv:2102.09672) respaces a process.
    private init(_ table: DiscreteSchedule, count: Int?) throws {
        let count = count ?? table.count
        guard count >= 2, count <= table.count else {
            throw DiffusionError(
                "a bound of \(count) steps is not one of this process: give 2 to \(table.count) steps")
        }
        guard count < table.count else {
            levels = (0..<table.count).map { table.level(at: Double($0)) }
            self.table = table
            return
        }
        // That code adds up the stride, which decides which way a half is rounded.
        let stride = Double(table.count - 1) / Double(count - 1)
        var place = 0.0
        levels = (0..<count).map { _ in
            defer { place += stride }
            return table.level(at: place.rounded(.toNearestOrEven))
        }
        let bars = levels.map { $0.alpha * $0.alpha }
        self.table = DiscreteSchedule(betas: zip(bars, [1] + bars).map { 1 - $0 / $1 })
    }

    /// Levels even in log-SNR, but for the first.
    private init(continuous schedule: any NoiseSchedule, count: Int, first: Double?) throws {
        guard Self.counts.contains(count) else {
            throw DiffusionError(
                "a bound of \(count) steps is not one of this process: give \(Self.counts.lowerBound) to \(Self.counts.upperBound) steps"
            )
        }
        let highest = first.map { -2 * log($0) } ?? schedule.leastLevel.logSNR
        let lowest = -2 * log(min(schedule.level(at: schedule.start).noiseRatio, Self.mostNoise))
        let second = highest - log(Self.firstRatio)
        guard second > lowest else {
            throw DiffusionError("the process has too little noise at its start for a bound over its steps")
        }
        let gap = (second - lowest) / Double(count - 2)
        let logSNRs = [highest] + (0..<count - 1).map { second - Double($0) * gap }
        levels = logSNRs.map { logSNR in
            NoiseLevel(
                time: schedule.level(at: schedule.time(logSNR: logSNR)).time,
                alpha: 1 / (1 + exp(-logSNR)).squareRoot(), sigma: 1 / (1 + exp(logSNR)).squareRoot())
        }
        let logBars = logSNRs.map { -log1p(exp(-$0)) }
        table = DiscreteSchedule(betas: zip(logBars, [0] + logBars).map { -expm1($0 - $1) })
    }
}

extension NoiseSchedule {
    /// The level of least noise, whose samples stand for the data: the first time of a table; elsewhere the process's own
    /// end, or σ/α = 10⁻³ where that has less noise.
    public var leastLevel: NoiseLevel {
        if let table = self as? DiscreteSchedule { return table.level(at: 0) }
        let end = level(at: time(atShare: 0))
        return end.noiseRatio > 1e-3 ? end : level(at: time(logSNR: -2 * log(1e-3)))
    }
}
