import Foundation

/// Time to noise level, and back from the log-SNR; nothing else.
public protocol NoiseSchedule: Sendable {
    /// The time of most noise, where sampling starts.
    var start: Double { get }
    /// The level at a time from 0 to `start`.
    func level(at time: Double) -> NoiseLevel
    /// The time of a log-SNR λ = ln(α²/σ²); the nearest time where the process has no such level.
    func time(logSNR: Double) -> Double
}
