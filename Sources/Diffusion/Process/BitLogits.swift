import Tensors

/// The logarithm of the odds that a bit of the data is 1 and not −1, F = ln(P(x₀ = 1 | x) / P(x₀ = −1 | x)); the estimated
/// data are the mean bits, tanh(F/2).
/// Source: Sohl-Dickstein et al. 2015 (arXiv:1503.03585), appendix B; Austin et al. 2021 (arXiv:2107.03006), section 3.3, for
/// networks that give the data.
public struct BitLogits: OutputMeaning, Equatable {
    /// The meaning.
    public init() {}

    /// `logit`
    public var word: String { "logit" }

    /// The logarithm of the odds of mean bits; infinite where they are certain.
    public func target(data: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        (1 + data).log() - (1 - data).log()
    }

    /// x̂₀ = tanh(F/2), and the noise from it.
    public func estimate(_ output: Tensor, sample x: Tensor, at level: NoiseLevel) -> Estimate {
        Prediction.data.estimate((output / 2).tanh(), sample: x, at: level)
    }

    /// tanh(F/2)
    public func data(_ output: Tensor, sample x: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        (output / 2).tanh()
    }

    /// Where there is noise.
    public func isDefined(at level: NoiseLevel) -> Bool { level.sigma > 0 }

    /// As of data.
    public func squaredError(ofUnitVelocityErrorAt level: NoiseLevel) -> Double {
        Prediction.data.squaredError(ofUnitVelocityErrorAt: level)
    }
}
