import Foundation
import Tensors

/// Observations y_i ~ N(θ, s²) of an unknown θ ~ N(m₀, s₀²), coordinate by coordinate: a conjugate model, in which
/// all that inference approximates is known.
public struct GaussianMeanModel: Sendable {
    /// The law of θ before any observation, over `[D]`.
    public let prior: DiagonalGaussian
    /// s², `[D]`
    public let noiseVariance: Tensor
    /// y, `[N, D]`
    public let observations: Tensor

    /// Observations `[N, D]` with noise of variance `[D]`.
    public init(prior: DiagonalGaussian, noiseVariance: Tensor, observations: Tensor) {
        self.prior = prior
        self.noiseVariance = noiseVariance
        self.observations = observations
    }

    private var count: Double { Double(observations.shape[0]) }

    /// ln p(y|θ) of points `[count, D]`, `[count]`.
    public func logLikelihood(_ theta: Tensor) -> Tensor {
        let squares = (observations.unsqueezed(0) - theta.unsqueezed(1)).squared() / noiseVariance
        let constant = (noiseVariance.log() + log(2 * .pi)).sum() * count
        return (squares.sum([1, 2]) + constant) * -0.5
    }

    /// ln p(y, θ) of points `[count, D]`, `[count]`: the unnormalised posterior.
    public var logJoint: LogDensity { LogDensity { logLikelihood($0) + prior.logDensity($0) } }

    /// p(θ|y) = N(v·(m₀/s₀² + Σy/s²), v), v = 1/(1/s₀² + N/s²).
    public var posterior: DiagonalGaussian {
        let variance = (prior.variance.reciprocal() + count / noiseVariance).reciprocal()
        let sum = prior.mean / prior.variance + observations.sum([0]) / noiseVariance
        return DiagonalGaussian(mean: variance * sum, variance: variance)
    }

    /// ln p(y) = ln p(y|θ) + ln p(θ) − ln p(θ|y), by Bayes' rule at any θ; a scalar.
    public var logEvidence: Tensor {
        let posterior = posterior
        let theta = posterior.mean.unsqueezed(0)
        return (logJoint(theta) - posterior.logDensity(theta)).sum()
    }

    /// The lower bound E_q[ln p(y|θ)] − KL(q‖p(θ)) ≤ ln p(y), in closed form, in nats.
    /// Source: Blei et al. 2017 (arXiv:1601.00670), equation 14.
    /// - Throws: the error that a tensor of the model or of q carries.
    public func evidenceLowerBound(_ q: DiagonalGaussian) throws -> Double {
        let spread = (q.variance / noiseVariance).sum() * (count / 2)
        let expected = logLikelihood(q.mean.unsqueezed(0)).sum() - spread
        return try expected.item() - q.divergence(to: prior).nats
    }

    /// The θ of the largest likelihood: the mean of the observations.
    public var maximumLikelihood: Tensor { observations.mean([0]) }
}

extension DiagonalGaussian {
    /// The Gaussian under which observations `[N, D]` are most likely: their mean and their variance with divisor N.
    public init(mostLikelyFor observations: Tensor) {
        self.init(mean: observations.mean([0]), variance: observations.variance([0], correction: 0))
    }
}
