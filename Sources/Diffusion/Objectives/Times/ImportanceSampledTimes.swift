import Tensors

/// Times drawn in proportion to the root of the mean square of their latest losses, which gives the
/// estimate of the loss the least variance. Until each part of the range has its history, all are as likely.
///
/// The parts are the times of a discrete process, or equal shares of a continuous range. Draws, in this order: one uniform
/// number in float64 a time, shaped `[count, 1]`, for its part; on a continuous range another, `[count]`, for its place
/// within the part.
/// Source: Nichol and Dhariwal 2021 (arXiv:2102.09672), equation 18; parts of a continuous range are this library's.
public struct ImportanceSampledTimes: TimeSampling {
    /// Whose times are drawn.
    public let schedule: any NoiseSchedule
    /// The number of parts.
    public let strataCount: Int
    /// The number of losses that are remembered of each part.
    public let historyLength: Int
    /// The share of draws that stay uniform.
    public let uniformShare: Double

    /// Draws of a schedule's times; the defaults are those of the paper and its code.
    /// - Parameter strataCount: the number of parts of a continuous range.
    public init(
        on schedule: any NoiseSchedule, strataCount: Int = 100, historyLength: Int = 10,
        uniformShare: Double = 0.001
    ) {
        self.schedule = schedule
        self.strataCount = schedule.wholeTimeCount ?? strataCount
        self.historyLength = historyLength
        self.uniformShare = uniformShare
    }

    /// Whether each part has its history.
    public func isWarm(_ history: LossHistory) -> Bool {
        history.losses.count == strataCount && history.losses.allSatisfy { $0.count == historyLength }
    }

    /// The probability of each part.
    public func probabilities(_ history: LossHistory) -> [Double] {
        let even = Array(repeating: 1 / Double(strataCount), count: strataCount)
        guard isWarm(history) else { return even }
        let roots = history.losses.map { past in
            (past.reduce(0) { $0 + $1 * $1 } / Double(historyLength)).squareRoot()
        }
        let total = roots.reduce(0, +)
        guard total > 0, total.isFinite else { return even }
        return roots.map { (1 - uniformShare) * $0 / total + uniformShare / Double(strataCount) }
    }

    /// Times by their probabilities, each loss to count 1/(parts·p).
    public func draw(_ count: Int, _ history: LossHistory, _ generator: RandomGenerator) throws -> TimeDraw {
        let probabilities = probabilities(history)
        var sum = 0.0
        let cumulative = probabilities.map { probability in
            sum += probability
            return sum
        }
        let strata = try generator.uniform([count, 1], .float64).array(of: Double.self).map { draw in
            cumulative.firstIndex { $0 > draw * sum } ?? strataCount - 1
        }
        return TimeDraw(
            times: try times(in: strata, generator),
            importance: strata.map { 1 / (Double(strataCount) * probabilities[$0]) }, strata: strata)
    }

    private func times(in strata: [Int], _ generator: RandomGenerator) throws -> [Double] {
        guard schedule.wholeTimeCount == nil else { return strata.map(Double.init) }
        let places = try generator.uniform([strata.count], .float64).array(of: Double.self)
        return zip(strata, places).map { stratum, place in
            schedule.time(atShare: (Double(stratum) + place) / Double(strataCount))
        }
    }

    /// Times evenly over the range.
    public func time(atShare share: Double) -> Double { schedule.time(atShare: share) }

    /// Remembers finite losses, in place of the oldest ones.
    public func remember(_ losses: Tensor, of draw: TimeDraw, in history: inout LossHistory) throws {
        if history.losses.count != strataCount {
            history.losses = Array(repeating: [], count: strataCount)
        }
        let values = try losses.detached().to(.cpu).array(of: Double.self)
        for (stratum, loss) in zip(draw.strata ?? [], values) where loss.isFinite {
            if history.losses[stratum].count == historyLength { history.losses[stratum].removeFirst() }
            history.losses[stratum].append(loss)
        }
    }
}
