import Foundation

/// The cosine path between two log-SNR: α = cos φ, σ = sin φ with φ even in time from where λ = limit to where
/// λ = −limit, so that both ends hold data and noise.
/// Source: Nichol and Dhariwal 2021 (arXiv:2102.09672), equation 17, without its offset; the limits as in Hoogeboom et
/// al. 2023 (arXiv:2301.11093), appendix A.
public struct CosineSchedule: ContinuousSchedule, Codable, Equatable {
    /// The largest |λ|.
    public var limit: Double

    /// The path within ±15.
    public init(limit: Double = 15) {
        self.limit = limit
    }

    /// φ at times 0 and 1: λ = −2·ln tan φ.
    private var ends: (first: Double, last: Double) { (atan(exp(-limit / 2)), atan(exp(limit / 2))) }

    private func angle(at time: Double) -> Double { ends.first + time * (ends.last - ends.first) }

    /// 1
    public var start: Double { 1 }

    /// α = cos φ, σ = sin φ
    public func level(at time: Double) -> NoiseLevel {
        NoiseLevel(time: time, alpha: cos(angle(at: time)), sigma: sin(angle(at: time)))
    }

    /// φ′ times the derivatives of cosine and sine.
    public func rates(at time: Double) -> (alpha: Double, sigma: Double) {
        let rate = ends.last - ends.first
        return (-rate * sin(angle(at: time)), rate * cos(angle(at: time)))
    }

    /// φ = arctan e^{−λ/2}
    public func time(logSNR: Double) -> Double {
        let share = (atan(exp(-logSNR / 2)) - ends.first) / (ends.last - ends.first)
        return min(max(share, 0), 1)
    }
}
