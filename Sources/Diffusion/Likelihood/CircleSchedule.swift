import Foundation

/// Any path between data and noise with its samples divided by √(α² + σ²): α = cos φ and σ = sin φ, with the angle φ
/// for the time.
///
/// A denoiser's estimate does not depend on how a sample is scaled, so the probability flow of every process is that of
/// the circle, between the angles of its own levels; its rates are finite at both ends. Levels have no time: a network
/// takes the time of their log-SNR.
public struct CircleSchedule: ContinuousSchedule, Equatable {
    /// The angle of the most noise.
    public let start: Double

    /// The circle from the data to a level.
    public init(to level: NoiseLevel) { start = Self.angle(of: level) }

    /// The angle of a level, however it is scaled: 0 of data, π/2 of noise.
    public static func angle(of level: NoiseLevel) -> Double { atan2(level.sigma, level.alpha) }

    /// α = cos φ, σ = sin φ.
    public func level(at time: Double) -> NoiseLevel { NoiseLevel(alpha: cos(time), sigma: sin(time)) }

    /// α′ = −sin φ, σ′ = cos φ.
    public func rates(at time: Double) -> (alpha: Double, sigma: Double) { (-sin(time), cos(time)) }

    /// φ = arctan e^{−λ/2}
    public func time(logSNR: Double) -> Double { min(atan(exp(-logSNR / 2)), start) }
}
