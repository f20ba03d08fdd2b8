import Foundation
import Tensors

/// Times of a schedule that follow a density: one standard draw in float64 for each, uniform or normal, mapped by
/// the density and then to the schedule's times.
///
/// A density over shares goes through `NoiseSchedule.time(atShare:)`: the time itself on 0 … 1, ln σ between its ends on
/// `EDMSchedule`, the whole time below on a table. One over σ for data of α = 1 goes through the log-SNR to the nearest
/// time, within the schedule's range.
public struct DensityTimes: TimeSampling {
    /// The density.
    public let density: TimeDensity
    /// Whose times are drawn.
    public let schedule: any NoiseSchedule

    /// Times of a schedule.
    public init(_ density: TimeDensity, on schedule: any NoiseSchedule) {
        self.density = density
        self.schedule = schedule
    }

    /// Times by one draw each.
    public func draw(_ count: Int, _ history: LossHistory, _ generator: RandomGenerator) throws -> TimeDraw {
        TimeDraw(times: try density.draw(count, generator).map(time(of:)))
    }

    /// The time of the density's quantile.
    public func time(atShare share: Double) -> Double { time(of: density.quantile(share)) }

    private func time(of value: Double) -> Double {
        switch density.unit {
        case .share: return schedule.time(atShare: value)
        case .noiseRatio:
            let time = min(max(schedule.time(logSNR: -2 * log(value)), 0), schedule.start)
            return schedule.wholeTimeCount == nil ? time : time.rounded()
        }
    }
}
