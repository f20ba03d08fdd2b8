import Tensors

/// What a network's output means.
///
/// Raw values are diffusers' `prediction_type`, and `score`. From each follow data and noise by
/// x = α·x₀ + σ·ε, so one can be had from the other wherever it is defined.
public enum Prediction: String, Codable, OutputMeaning, CaseIterable {
    /// ε, the noise in the sample. Ho et al. 2020 (arXiv:2006.11239), equation 14.
    case noise = "epsilon"
    /// x₀, the data.
    case data = "sample"
    /// v = α·ε − σ·x₀. Salimans and Ho 2022 (arXiv:2202.00512), appendix D.
    case velocity = "v_prediction"
    /// u = ε − x₀, the velocity of the straight path. Liu et al. 2022 (arXiv:2209.03003), equation 1,
    /// with time from data to noise.
    case flow = "flow_prediction"
    /// ∇ log q(x) = −ε/σ, by Tweedie's formula. Song et al. 2021 (arXiv:2011.13456), section 3.
    case score

    /// What the network should give for data and noise at a level.
    /// - Parameters:
    ///   - alpha: α, a number or one number per example as `[batch, 1, …]`.
    ///   - sigma: σ, likewise.
    public func target(data: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        switch self {
        case .noise: noise
        case .data: data
        case .velocity: alpha * noise - sigma * data
        case .flow: noise - data
        case .score: -(noise / sigma)
        }
    }

    /// What a network with this prediction would have given for an estimate.
    public func output(_ estimate: Estimate, at level: NoiseLevel) -> Tensor {
        switch self {
        case .noise: estimate.noise
        case .data: estimate.data
        case .velocity: (estimate.noise * level.alpha).adding(estimate.data, scale: -level.sigma)
        case .flow: estimate.noise - estimate.data
        case .score: estimate.noise / -level.sigma
        }
    }

    /// Data and noise from what the network gave.
    ///
    /// Where α = 0 the sample holds nothing of the data, and a predicted noise says nothing of it:
    /// the caller refuses `noise` and `score` there (`isDefined(at:)`).
    public func estimate(_ output: Tensor, sample x: Tensor, at level: NoiseLevel) -> Estimate {
        let (alpha, sigma) = (level.alpha, level.sigma)
        switch self {
        case .noise:
            return Estimate(data: x.adding(output, scale: -sigma) / alpha, noise: output)
        case .score:
            let noise = output * -sigma
            return Estimate(data: x.adding(noise, scale: -sigma) / alpha, noise: noise)
        case .data:
            return Estimate(data: output, noise: x.adding(output, scale: -alpha) / sigma)
        case .velocity:
            let square = alpha * alpha + sigma * sigma
            return Estimate(
                data: (x * (alpha / square)).adding(output, scale: -sigma / square),
                noise: (x * (sigma / square)).adding(output, scale: alpha / square))
        case .flow:
            let sum = alpha + sigma
            return Estimate(
                data: x.adding(output, scale: -sigma) / sum, noise: x.adding(output, scale: alpha) / sum)
        }
    }

    /// The data from the output for examples at levels of their own.
    public func data(_ output: Tensor, sample x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        switch self {
        case .noise: (x - sigma * output) / alpha
        case .data: output
        case .velocity: (alpha * x - sigma * output) / (alpha.squared() + sigma.squared())
        case .flow: (x - sigma * output) / (alpha + sigma)
        case .score: (x + sigma.squared() * output) / alpha
        }
    }

    /// Whether data and noise follow from this prediction at a level.
    public func isDefined(at level: NoiseLevel) -> Bool {
        switch self {
        case .noise, .score: level.alpha > 0
        case .data: level.sigma > 0
        case .velocity, .flow: true
        }
    }

    /// a of noise, s of data, α² + σ² of v, (α + σ)²/(α² + σ²) of flow, a/σ² of the score.
    public func squaredError(ofUnitVelocityErrorAt level: NoiseLevel) -> Double {
        switch self {
        case .noise: level.signalShare
        case .data: level.noiseShare
        case .velocity: level.square
        case .flow: (level.alpha + level.sigma) * (level.alpha + level.sigma) / level.square
        case .score: level.signalShare / max(level.sigma * level.sigma, 1e-150)
        }
    }
}

extension Prediction {
    /// The word that analytic models and this program's own commands use: `noise`, `data`, `v`, `flow`, `score`.
    public var word: String {
        switch self {
        case .noise: "noise"
        case .data: "data"
        case .velocity: "v"
        case .flow: "flow"
        case .score: "score"
        }
    }

    /// The prediction that a word stands for, `nil` where there is none.
    public init?(word: String) {
        guard let found = Prediction.allCases.first(where: { $0.word == word }) else { return nil }
        self = found
    }
}
