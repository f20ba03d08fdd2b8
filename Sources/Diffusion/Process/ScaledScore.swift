import Tensors

/// A network whose output over σ is the score: F = σ·∇ log q(x) = −ε, of unit variance at every level.
///
/// A loss on F counts the score's own squared error σ² times.
/// Source: Song et al. 2021 (arXiv:2011.13456), section 3.3 and appendix C, where the weight λ(t) of the score's
/// error is the variance of the noise; the output of their code's networks is divided by σ.
public struct ScaledScore: OutputMeaning, Equatable {
    /// The meaning.
    public init() {}

    /// `score`
    public var word: String { "score" }

    /// −ε
    public func target(data: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor { -noise }

    /// ε̂ = −F, and the data from it.
    public func estimate(_ output: Tensor, sample x: Tensor, at level: NoiseLevel) -> Estimate {
        Prediction.noise.estimate(-output, sample: x, at: level)
    }

    /// (x + σ·F)/α
    public func data(_ output: Tensor, sample x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        (x + sigma * output) / alpha
    }

    /// Where there is a signal.
    public func isDefined(at level: NoiseLevel) -> Bool { level.alpha > 0 }

    /// As of noise.
    public func squaredError(ofUnitVelocityErrorAt level: NoiseLevel) -> Double {
        Prediction.noise.squaredError(ofUnitVelocityErrorAt: level)
    }
}
