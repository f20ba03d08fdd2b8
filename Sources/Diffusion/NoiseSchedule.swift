/// Time to noise level, and nothing else.
public protocol NoiseSchedule: Sendable {
    /// The time of most noise, where sampling starts.
    var start: Double { get }
    /// The level at a time from 0 to `start`.
    func level(at time: Double) -> NoiseLevel
}
