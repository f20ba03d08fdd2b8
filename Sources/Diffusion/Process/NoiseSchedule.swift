import Foundation

/// Time to noise level, and back from the log-SNR; nothing else.
public protocol NoiseSchedule: Sendable {
    /// The time of most noise, where sampling starts.
    var start: Double { get }
    /// The level at a time from 0 to `start`.
    func level(at time: Double) -> NoiseLevel
    /// The time of a log-SNR λ = ln(α²/σ²); the nearest time where the process has no such level.
    func time(logSNR: Double) -> Double
    /// The number of times where they are the whole numbers from 0; `nil` where every time has a level.
    var wholeTimeCount: Int? { get }
    /// The time at a share of the range from 0 = data to 1 = noise, evenly in what the process counts as time.
    func time(atShare share: Double) -> Double
    /// The weights with which a loss is the variational bound, for times drawn evenly over their range.
    var boundWeighting: LossWeighting { get }
}

extension NoiseSchedule {
    /// Every time has a level.
    public var wholeTimeCount: Int? { nil }
    /// share·start
    public func time(atShare share: Double) -> Double { share * start }
}
