import Foundation

/// How much the loss at a level counts.
///
/// Published weights are stated for different predictions; they are one thing in different units, because
/// the errors of all predictions of one estimate are the error of its data times a number. Here a weight
/// w means w·‖x̂₀ − x₀‖², and `weight(on:at:)` gives it in the unit of a network's own output:
///
///     w_noise    = w·σ²/α²            w_flow  = w·σ²/(α + σ)²
///     w_velocity = w·σ²/(α² + σ²)²    w_score = w·σ⁴/α²
///
/// (w·σ² where α² + σ² = 1). Inside, a weight is kept for v at α² + σ² = 1, the one unit in which all
/// of them are finite at both ends, as a function of the shares a = α²/(α² + σ²) and s = 1 − a.
public struct LossWeighting: Sendable {
    /// A level with the shares of signal and noise in its variance.
    struct Place {
        let level: NoiseLevel
        var signal: Double { level.signalShare }
        var noise: Double { level.noiseShare }
    }

    /// The weight of v's error, `nil` where every prediction's own error counts the same.
    private let velocityWeight: (@Sendable (Place) -> Double)?

    /// A weighting from its value for v at α² + σ² = 1.
    init(velocityWeight: @escaping @Sendable (Place) -> Double) {
        self.velocityWeight = velocityWeight
    }

    private init() { velocityWeight = nil }

    /// A weighting from the weight of ‖x̂₀ − x₀‖² at a level.
    public static func onData(_ weight: @escaping @Sendable (NoiseLevel) -> Double) -> LossWeighting {
        LossWeighting { weight($0.level) * $0.noise }
    }

    /// A weighting from the weight of ‖ε̂ − ε‖² at a level.
    public static func onNoise(_ weight: @escaping @Sendable (NoiseLevel) -> Double) -> LossWeighting {
        LossWeighting { weight($0.level) * $0.signal }
    }

    /// 1 in the network's own unit: L_simple.
    /// Source: Ho et al. 2020 (arXiv:2006.11239), equation 14.
    public static let simple = LossWeighting()

    /// Whether no loss is changed.
    public var isSimple: Bool { velocityWeight == nil }

    /// The same weighting for errors of any output: L_simple of an output counts that output's own errors alike.
    func stated(for output: any OutputMeaning) -> LossWeighting {
        guard isSimple else { return self }
        return LossWeighting { output.squaredError(ofUnitVelocityErrorAt: $0.level) }
    }

    /// The weight of the squared error of an output at a level, in the output's own unit.
    public func weight(on output: any OutputMeaning, at level: NoiseLevel) -> Double {
        guard let velocityWeight else { return 1 }
        return velocityWeight(Place(level: level)) / output.squaredError(ofUnitVelocityErrorAt: level)
    }
}

extension LossWeighting {
    /// λ(σ) = (σ² + σ_data²)/(σ·σ_data)² of the data's error.
    /// Source: Karras et al. 2022 (arXiv:2206.00364), table 1 and section 5.
    public static func edm(sigmaData: Double = 0.5) -> LossWeighting {
        let variance = sigmaData * sigmaData
        return LossWeighting { ($0.noise + $0.signal * variance) / variance }
    }

    /// min(SNR, γ) of the data's error: min(SNR, γ)/SNR of the noise's, min(SNR, γ)/(SNR + 1) of v's.
    /// Source: Hang et al. 2023 (arXiv:2303.09556), section 3.4.
    public static func minSNR(gamma: Double = 5) -> LossWeighting {
        LossWeighting { min($0.signal, gamma * $0.noise) }
    }

    /// SNR + 1 of the data's error: v's errors count the same at every level.
    /// Source: Salimans and Ho 2022 (arXiv:2202.00512), section 4.
    public static let uniformVelocity = LossWeighting { _ in 1 }

    /// SNR of the data's error: the noise's errors count the same at every level.
    public static let uniformNoise = LossWeighting { $0.signal }

    /// 1: the data's errors count the same at every level.
    public static let uniformData = LossWeighting { $0.noise }

    /// 1/(k + SNR)^γ of the noise's error.
    /// Source: Choi et al. 2022 (P2, arXiv:2204.00227), section 3, whose λ_t is the weight that makes
    /// the noise's error count 1.
    public static func p2(gamma: Double = 1, k: Double = 1) -> LossWeighting {
        LossWeighting { $0.signal * pow($0.noise / (k * $0.noise + $0.signal), gamma) }
    }

    /// sigmoid(b − λ) of the noise's error, with λ the log-SNR: e^b·sigmoid(λ − b) of the data's.
    /// Source: Kingma and Gao 2023 (arXiv:2303.00848), section 5; Hoogeboom et al. 2024
    /// (arXiv:2410.19324), section 3.
    public static func sigmoid(bias: Double) -> LossWeighting {
        LossWeighting { $0.signal * $0.noise / ($0.signal * exp(-bias) + $0.noise) }
    }
}

extension LossWeighting {
    /// The weights of the variational bound, L_{t−1} = ½·(SNR(t−1) − SNR(t))·‖x̂₀ − x₀‖² in nats, for a
    /// reverse process with the posterior's own variance. At the first time, where the bound has its decoder
    /// L₀, ½·SNR(0): a decoder N(x₀; x̂₀, σ²/α²).
    ///
    /// Source: Ho et al. 2020 (arXiv:2006.11239), equations 7, 8 and 12; in this form Kingma et al. 2021
    /// (arXiv:2107.00630), section 4.1.
    public static func variational(_ schedule: DiscreteSchedule) -> LossWeighting {
        LossWeighting { place in
            let time = place.level.time ?? schedule.time(logSNR: place.level.logSNR)
            let ratio = place.signal / place.noise
            guard time >= 1 else { return 0.5 * ratio * place.noise }
            let previous = schedule.level(at: time - 1)
            return 0.5 * (pow(previous.alpha / previous.sigma, 2) - ratio) * place.noise
        }
    }

    /// The weights of the variational bound in continuous time, −½·SNR′ of the data's error, for times
    /// drawn evenly over their range (`NoiseSchedule.time(atShare:)`), with the rate over its share.
    /// Source: Kingma et al. 2021 (arXiv:2107.00630), section 4.2.
    public static func variational(_ schedule: any ContinuousSchedule) -> LossWeighting {
        logSNR(schedule) { _ in 1 }
    }

    /// −½·λ′·w(λ) of the noise's error: a weight over the log-SNR, for times drawn evenly over their range, with
    /// the rate over its share.
    ///
    /// Source: Kingma and Gao 2023 (arXiv:2303.00848), section 2; Esser et al. 2024 (arXiv:2403.03206),
    /// section 2. Up to constant factors w is 1 for the bound, e^{−λ/2} for rectified flow and for v on the
    /// cosine schedule, sech(λ/2) for noise on it, N(λ; −2·P_mean, (2·P_std)²)·(e^{−λ} + σ_data²) for EDM.
    public static func logSNR(
        _ schedule: any ContinuousSchedule, _ weight: @escaping @Sendable (_ logSNR: Double) -> Double
    ) -> LossWeighting {
        LossWeighting { place in
            let logSNR = place.level.logSNR
            let time = place.level.time ?? schedule.time(logSNR: logSNR)
            let rate = schedule.logSNRRate(at: time) * schedule.shareRate(at: time)
            return -0.5 * rate * weight(logSNR) * place.signal
        }
    }
}
