import Foundation
import Tensors

/// Independent normal distributions of all elements of latents.
/// Source: Kingma and Welling 2014 (arXiv:1312.6114), section 3 and appendix B.
public struct LatentDistribution {
    /// `[batch, channels, …]`
    public let mean: Tensor
    /// Natural logarithms of the variances, `[batch, channels, …]`.
    public let logVariance: Tensor

    /// The distributions of given means and log-variances; the latter are kept in −30 … 20, so that no
    /// variance vanishes or overflows.
    public init(mean: Tensor, logVariance: Tensor) {
        self.mean = mean
        self.logVariance = logVariance.clamped(to: -30...20)
    }

    /// The distributions that a network describes by `[batch, 2 · channels, …]`: means, then log-variances.
    public init(_ moments: Tensor) {
        let parts = moments.chunked(2, of: 1)
        self.init(mean: parts[0], logVariance: parts[1])
    }

    /// The most likely values.
    public var mode: Tensor { mean }
    /// The variances.
    public var variance: Tensor { logVariance.exp() }
    /// The standard deviations.
    public var deviation: Tensor { (logVariance * 0.5).exp() }

    /// Values drawn by way of standard normal `noise` of the same shape, so that gradients reach the moments
    /// (equation 4 of the source).
    public func sample(_ noise: Tensor) -> Tensor { mean + deviation * noise }

    /// The Kullback-Leibler divergence from the standard normal distribution, in nats, `[batch]`.
    public func divergence() -> Tensor {
        (mean.squared() + variance - 1 - logVariance).sumPerExample() * 0.5
    }

    /// The Kullback-Leibler divergence from another distribution, in nats, `[batch]`.
    public func divergence(from other: LatentDistribution) -> Tensor {
        let terms =
            ((mean - other.mean).squared() + variance) / other.variance - 1 - logVariance + other.logVariance
        return terms.sumPerExample() * 0.5
    }

    /// −ln of the density at `values` of the same shape, in nats, `[batch]`.
    public func negativeLogLikelihood(of values: Tensor) -> Tensor {
        let terms = logVariance + (values - mean).squared() / variance + Foundation.log(2 * Double.pi)
        return terms.sumPerExample() * 0.5
    }
}
