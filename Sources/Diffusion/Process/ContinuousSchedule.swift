import Foundation

/// A schedule with a level at every real time, whose rates make it a stochastic differential equation.
public protocol ContinuousSchedule: NoiseSchedule {
    /// dα/dt and dσ/dt at a time.
    func rates(at time: Double) -> (alpha: Double, sigma: Double)
    /// dt/ds of `time(atShare: s)` at a time.
    func shareRate(at time: Double) -> Double
}

extension ContinuousSchedule {
    /// Times go evenly with their share of the range.
    public func shareRate(at time: Double) -> Double { start }

    /// −½·SNR′ of the data's error.
    public var boundWeighting: LossWeighting { .variational(self) }

    /// f of the drift f(t)·x of dx = f·x dt + g dw: the rate of ln α.
    /// Source: Song et al. 2021 (arXiv:2011.13456), section 3.4, solved for f.
    public func drift(at time: Double) -> Double { rates(at: time).alpha / level(at: time).alpha }

    /// g² of dx = f·x dt + g dw: dσ²/dt − 2·f·σ².
    public func squaredDiffusion(at time: Double) -> Double {
        let (rates, level) = (rates(at: time), level(at: time))
        return 2 * level.sigma * (rates.sigma - rates.alpha / level.alpha * level.sigma)
    }

    /// dλ/dt = 2·(α′/α − σ′/σ), always below 0.
    /// Source: Esser et al. 2024 (arXiv:2403.03206), equation 11.
    public func logSNRRate(at time: Double) -> Double {
        let (rates, level) = (rates(at: time), level(at: time))
        return 2 * (rates.alpha / level.alpha - rates.sigma / level.sigma)
    }
}

/// The variance-preserving process with β(t) = β_min + t·(β_max − β_min) on 0 … 1.
/// Source: Song et al. 2021 (arXiv:2011.13456), equations 32 and 33.
public struct VariancePreservingSchedule: ContinuousSchedule, Codable, Equatable {
    /// β(0)
    public var betaMinimum: Double
    /// β(1)
    public var betaMaximum: Double

    /// A process; the defaults are the paper's.
    public init(betaMinimum: Double = 0.1, betaMaximum: Double = 20) {
        self.betaMinimum = betaMinimum
        self.betaMaximum = betaMaximum
    }

    enum CodingKeys: String, CodingKey {
        case betaMinimum = "beta_min"
        case betaMaximum = "beta_max"
    }

    /// 1
    public var start: Double { 1 }

    /// β at a time.
    public func beta(at time: Double) -> Double { betaMinimum + time * (betaMaximum - betaMinimum) }

    /// ∫₀ᵗ β
    func integral(to time: Double) -> Double {
        time * (betaMinimum + time * (betaMaximum - betaMinimum) / 2)
    }

    /// α = exp(−½∫β), σ = √(1 − α²).
    public func level(at time: Double) -> NoiseLevel {
        let integral = integral(to: time)
        return NoiseLevel(time: time, alpha: exp(-integral / 2), sigma: (-expm1(-integral)).squareRoot())
    }

    /// α′ = −½βα, σ′ = ½βα²/σ.
    public func rates(at time: Double) -> (alpha: Double, sigma: Double) {
        let (beta, level) = (beta(at: time), level(at: time))
        return (-beta * level.alpha / 2, beta * level.alpha * level.alpha / (2 * level.sigma))
    }

    /// Solves ∫β = ln(1 + e^{−λ}).
    public func time(logSNR: Double) -> Double {
        let integral = log1p(exp(-logSNR))
        let slope = betaMaximum - betaMinimum
        // The root that stays exact where β hardly changes.
        let root = (betaMinimum * betaMinimum + 2 * slope * integral).squareRoot()
        return 2 * integral / (betaMinimum + root)
    }
}

/// The sub-variance-preserving process: the same drift with less noise, σ = 1 − α².
/// Source: Song et al. 2021 (arXiv:2011.13456), equation 28.
public struct SubVariancePreservingSchedule: ContinuousSchedule, Codable, Equatable {
    /// The process with the same drift.
    public var parent: VariancePreservingSchedule

    /// A process; the defaults are the paper's.
    public init(betaMinimum: Double = 0.1, betaMaximum: Double = 20) {
        parent = VariancePreservingSchedule(betaMinimum: betaMinimum, betaMaximum: betaMaximum)
    }

    /// 1
    public var start: Double { 1 }

    /// α = exp(−½∫β), σ = 1 − α².
    public func level(at time: Double) -> NoiseLevel {
        let integral = parent.integral(to: time)
        return NoiseLevel(time: time, alpha: exp(-integral / 2), sigma: -expm1(-integral))
    }

    /// α′ = −½βα, σ′ = βα².
    public func rates(at time: Double) -> (alpha: Double, sigma: Double) {
        let (beta, alpha) = (parent.beta(at: time), level(at: time).alpha)
        return (-beta * alpha / 2, beta * alpha * alpha)
    }

    /// Solves α/(1 − α²) = e^{λ/2}.
    public func time(logSNR: Double) -> Double {
        let inverse = exp(-logSNR / 2)
        let alpha = 2 / (inverse + (inverse * inverse + 4).squareRoot())
        return parent.time(logSNR: 2 * log(alpha) - log1p(-alpha * alpha))
    }
}

/// The variance-exploding process: α = 1 and σ geometric from σ_min to σ_max on 0 … 1.
/// Source: Song et al. 2021 (arXiv:2011.13456), equations 30 and 31.
public struct VarianceExplodingSchedule: ContinuousSchedule, Codable, Equatable {
    /// σ at time 0.
    public var sigmaMinimum: Double
    /// σ at time 1.
    public var sigmaMaximum: Double

    /// A process; the defaults are the paper's for CIFAR-10.
    public init(sigmaMinimum: Double = 0.01, sigmaMaximum: Double = 50) {
        self.sigmaMinimum = sigmaMinimum
        self.sigmaMaximum = sigmaMaximum
    }

    enum CodingKeys: String, CodingKey {
        case sigmaMinimum = "sigma_min"
        case sigmaMaximum = "sigma_max"
    }

    /// 1
    public var start: Double { 1 }

    private var logRange: Double { log(sigmaMaximum / sigmaMinimum) }

    /// σ = σ_min·(σ_max/σ_min)ᵗ
    public func level(at time: Double) -> NoiseLevel {
        NoiseLevel(time: time, alpha: 1, sigma: sigmaMinimum * exp(time * logRange))
    }

    /// α′ = 0, σ′ = σ·ln(σ_max/σ_min).
    public func rates(at time: Double) -> (alpha: Double, sigma: Double) {
        (0, level(at: time).sigma * logRange)
    }

    /// The time of a σ.
    public func time(logSNR: Double) -> Double { (-logSNR / 2 - log(sigmaMinimum)) / logRange }
}

/// The process whose time is its noise: α = 1, σ = t, from σ_min to σ_max.
/// Source: Karras et al. 2022 (arXiv:2206.00364), table 1, last column.
public struct EDMSchedule: ContinuousSchedule, Codable, Equatable {
    /// The σ where sampling ends before its last step to 0.
    public var sigmaMinimum: Double
    /// The σ where sampling starts.
    public var sigmaMaximum: Double
    /// ρ, how much the steps crowd at low noise.
    public var rho: Double

    /// A process; the defaults are the paper's.
    public init(sigmaMinimum: Double = 0.002, sigmaMaximum: Double = 80, rho: Double = 7) {
        self.sigmaMinimum = sigmaMinimum
        self.sigmaMaximum = sigmaMaximum
        self.rho = rho
    }

    enum CodingKeys: String, CodingKey {
        case rho
        case sigmaMinimum = "sigma_min"
        case sigmaMaximum = "sigma_max"
    }

    /// σ_max
    public var start: Double { sigmaMaximum }
    /// σ = t
    public func level(at time: Double) -> NoiseLevel { NoiseLevel(time: time, alpha: 1, sigma: time) }
    /// α′ = 0, σ′ = 1.
    public func rates(at time: Double) -> (alpha: Double, sigma: Double) { (0, 1) }
    /// σ = e^{−λ/2}
    public func time(logSNR: Double) -> Double { exp(-logSNR / 2) }
    /// σ_min·(σ_max/σ_min)^share: shares are even in ln σ, as on `VarianceExplodingSchedule`.
    public func time(atShare share: Double) -> Double {
        sigmaMinimum * pow(sigmaMaximum / sigmaMinimum, share)
    }
    /// σ·ln(σ_max/σ_min)
    public func shareRate(at time: Double) -> Double { time * log(sigmaMaximum / sigmaMinimum) }
}

/// The straight path between data and noise: α = 1 − t, σ = t on 0 … 1.
///
/// A resolution shift s moves times to s·t / (1 + (s − 1)·t); grids apply it, the path stays.
/// Source: Liu et al. 2022 (arXiv:2209.03003), equation 1; Esser et al. 2024 (arXiv:2403.03206),
/// equation 23, for the shift.
public struct StraightSchedule: ContinuousSchedule, Codable, Equatable {
    /// The path.
    public init() {}
    /// 1
    public var start: Double { 1 }
    /// α = 1 − t, σ = t
    public func level(at time: Double) -> NoiseLevel { NoiseLevel(time: time, alpha: 1 - time, sigma: time) }
    /// α′ = −1, σ′ = 1.
    public func rates(at time: Double) -> (alpha: Double, sigma: Double) { (-1, 1) }
    /// t = 1/(1 + e^{λ/2})
    public func time(logSNR: Double) -> Double { 1 / (1 + exp(logSNR / 2)) }

    /// A time moved by a resolution shift.
    public static func shifted(_ time: Double, by shift: Double) -> Double {
        shift * time / (1 + (shift - 1) * time)
    }
}

/// The trigonometric path: α = cos(πt/2), σ = sin(πt/2) on 0 … 1, the cosine schedule without its offset.
/// Source: Nichol and Dhariwal 2021 (arXiv:2102.09672), equation 17; Salimans and Ho 2022
/// (arXiv:2202.00512), section 2; a stochastic interpolant of Albergo and Vanden-Eijnden 2022
/// (arXiv:2209.15571), equation 5.
public struct TrigonometricSchedule: ContinuousSchedule, Codable, Equatable {
    /// The path.
    public init() {}
    /// 1
    public var start: Double { 1 }
    /// α = cos(πt/2), σ = sin(πt/2)
    public func level(at time: Double) -> NoiseLevel {
        // The cosine as a sine from the other end, so that there is no data at all at time 1.
        NoiseLevel(time: time, alpha: sin(.pi / 2 * (1 - time)), sigma: sin(.pi / 2 * time))
    }
    /// The derivatives of cosine and sine.
    public func rates(at time: Double) -> (alpha: Double, sigma: Double) {
        let level = level(at: time)
        return (-.pi / 2 * level.sigma, .pi / 2 * level.alpha)
    }
    /// t = 2/π · arctan e^{−λ/2}
    public func time(logSNR: Double) -> Double { 2 / .pi * atan(exp(-logSNR / 2)) }
}
