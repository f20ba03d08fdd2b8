import Foundation
import Tensors

/// A Gaussian of independent coordinates; with D = 1, of one number.
public struct DiagonalGaussian: Distribution {
    /// m, `[D]`
    public let mean: Tensor
    /// s², `[D]`
    public let variance: Tensor

    /// A Gaussian of independent coordinates.
    public init(mean: Tensor, variance: Tensor) {
        self.mean = mean
        self.variance = variance
    }

    /// N(m, s²) of one number.
    public init(mean: Double, deviation: Double) {
        self.init(mean: Tensor([mean]), variance: Tensor([deviation * deviation]))
    }

    /// D
    public var dimension: Int { mean.shape[0] }

    /// m + s·z, `[count, D]`.
    public func draw(_ count: Int, _ random: RandomGenerator) -> Tensor {
        mean + variance.squareRoot() * random.normal([count, dimension], mean.elementType)
    }

    /// Σ ln N(x_i; m_i, s_i²) of points `[count, D]`.
    public func logDensity(_ x: Tensor) -> Tensor {
        let squares = (x - mean).squared() / variance
        return (squares + variance.log() + log(2 * .pi)).sum([1]) * -0.5
    }

    /// H = ½·Σ (1 + ln 2π s²).
    /// - Throws: the error that a tensor of this Gaussian carries.
    public func entropy() throws -> Information {
        Information(nats: try (variance.log() + (1 + log(2 * .pi))).sum().item() / 2)
    }

    /// KL(N₁‖N₂) = Σ [ln(s₂/s₁) + (s₁² + (m₁ − m₂)²)/2s₂² − ½].
    /// - Throws: the error that a tensor of one of both carries.
    public func divergence(to other: DiagonalGaussian) throws -> Information {
        let ratio = variance / other.variance
        let shift = (mean - other.mean).squared() / other.variance
        return Information(nats: try (ratio + shift - ratio.log() - 1).sum().item() / 2)
    }
}
