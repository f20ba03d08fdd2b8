import Foundation

/// How much of the data and how much noise is in a sample: x = α·x₀ + σ·ε. All that formulas read.
///
/// A sample may be scaled: x/c at (α/c, σ/c) holds the same data and the same noise, so a denoiser's
/// `Estimate` does not depend on c. A variance-preserving level has α² + σ² = 1, a
/// variance-exploding one α = 1, a straight one α + σ = 1.
public struct NoiseLevel: Hashable, Sendable {
    /// The time, from 0 = data towards more noise, in the unit of the network; `nil` where a method calls
    /// the network between the times of its grid, and the schedule gives the time.
    public var time: Double?
    /// The share of the data.
    public var alpha: Double
    /// The share of unit noise.
    public var sigma: Double

    /// A level.
    public init(time: Double? = nil, alpha: Double, sigma: Double) {
        self.time = time
        self.alpha = alpha
        self.sigma = sigma
    }

    /// λ = ln(α²/σ²), the logarithm of the signal-to-noise ratio.
    /// Source: Kingma et al. 2021 (arXiv:2107.00630), section 3.1.
    public var logSNR: Double { 2 * (log(alpha) - log(sigma)) }

    /// σ/α, the noise for one unit of data.
    public var noiseRatio: Double { sigma / alpha }

    /// Whether it is made of numbers that can be computed with.
    var isFinite: Bool { [alpha, sigma, time ?? 0].allSatisfy { Float($0).isFinite } }

    /// The level of a sample divided by `scale`.
    public func divided(by scale: Double) -> NoiseLevel {
        NoiseLevel(time: time, alpha: alpha / scale, sigma: sigma / scale)
    }

    /// No noise at all. The time before the first step of a discrete schedule is −1.
    public static let data = NoiseLevel(time: -1, alpha: 1, sigma: 0)
}

extension NoiseLevel {
    /// The level at a share of the way to another, on a straight line in log-SNR.
    ///
    /// α and σ go geometrically, so that the line between two variance-exploding levels stays there; one
    /// between others is scaled, which no estimate sees.
    /// - Precondition: both hold data and noise.
    public func towards(_ other: NoiseLevel, share: Double) -> NoiseLevel {
        NoiseLevel(
            alpha: pow(alpha, 1 - share) * pow(other.alpha, share),
            sigma: pow(sigma, 1 - share) * pow(other.sigma, share))
    }
}

/// What the step from a noisier level t down to a level s is made of, for any (α, σ).
package struct Transition {
    /// α_{t|s} = α_t / α_s
    package let alpha: Double
    /// σ²_{t|s} = σ_t² − α²_{t|s}·σ_s², the noise that the forward process adds from s to t. β_t for
    /// neighbouring steps of a DDPM.
    package let variance: Double
    /// β̃ = σ²_{t|s}·σ_s² / σ_t², the variance of the posterior q(x_s | x_t, x₀).
    /// Source: Ho et al. 2020 (arXiv:2006.11239), equation 7.
    package let posteriorVariance: Double
    /// Factors of x₀ and x_t in the posterior's mean, same equation.
    package let dataFactor: Double
    package let sampleFactor: Double

    package init(from t: NoiseLevel, to s: NoiseLevel) {
        alpha = t.alpha / s.alpha
        variance = t.sigma * t.sigma - alpha * alpha * s.sigma * s.sigma
        posteriorVariance = variance * s.sigma * s.sigma / (t.sigma * t.sigma)
        dataFactor = s.alpha * variance / (t.sigma * t.sigma)
        sampleFactor = alpha * s.sigma * s.sigma / (t.sigma * t.sigma)
    }
}
