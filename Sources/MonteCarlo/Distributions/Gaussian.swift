import Foundation
import Tensors

/// A Gaussian of any covariance.
public struct Gaussian: Distribution {
    /// m, `[D]`
    public let mean: Tensor
    /// C, `[D, D]`
    public let covariance: Tensor
    /// L with L·Lᵀ = C
    private let factor: Tensor
    private let inverseFactor: Tensor

    /// A Gaussian.
    /// - Parameters:
    ///   - mean: `[D]`
    ///   - covariance: `[D, D]`, symmetric and positive definite; another carries libtorch's error on.
    public init(mean: Tensor, covariance: Tensor) {
        self.mean = mean
        self.covariance = covariance
        factor = covariance.choleskyFactor()
        inverseFactor = factor.inverse()
    }

    /// D
    public var dimension: Int { mean.shape[0] }

    private var logDeterminant: Tensor { factor.diagonal().log().sum() * 2 }

    /// m + L·z, `[count, D]`.
    public func draw(_ count: Int, _ random: RandomGenerator) -> Tensor {
        random.normal([count, dimension], mean.elementType).matmul(factor.transposed()) + mean
    }

    /// ln N(x; m, C) of points `[count, D]`.
    public func logDensity(_ x: Tensor) -> Tensor {
        let whitened = (x - mean).matmul(inverseFactor.transposed())
        return (whitened.squared().sum([1]) + logDeterminant + Double(dimension) * log(2 * .pi)) * -0.5
    }

    /// H = D/2·(1 + ln 2π) + ½·ln det C; less than 0 where the Gaussian is narrow.
    /// - Throws: `TensorError` where the covariance is not positive definite.
    public func entropy() throws -> Information {
        let constant = Double(dimension) * (1 + log(2 * .pi))
        return Information(nats: try (logDeterminant + constant).item() / 2)
    }

    /// KL(N₁‖N₂) = ½·[tr(C₂⁻¹C₁) + (m₂ − m₁)ᵀC₂⁻¹(m₂ − m₁) − D + ln det C₂ − ln det C₁].
    /// - Throws: `TensorError` where a covariance is not positive definite.
    public func divergence(to other: Gaussian) throws -> Information {
        let spread = other.inverseFactor.matmul(factor).squared().sum()
        let shift = other.inverseFactor.matmul((other.mean - mean).unsqueezed(1)).squared().sum()
        let volume = other.logDeterminant - logDeterminant
        return Information(nats: try (spread + shift + volume - Double(dimension)).item() / 2)
    }

    /// How each coordinate is drawn given all others, for `GibbsSampler`: with Λ = C⁻¹,
    /// x_i ~ N(m_i − Σ_{j≠i} Λ_ij·(x_j − m_j)/Λ_ii, 1/Λ_ii).
    public var conditionals: [GibbsSampler.Conditional] {
        let precision = inverseFactor.transposed().matmul(inverseFactor)
        return (0..<dimension).map { i in
            let own = precision[i][i]
            let (row, mean) = (precision[i], self.mean)
            return { x, random in
                let all = (x - mean).matmul(row) / own
                let centre = x.select(i, of: 1) - all
                return centre + random.normal([x.shape[0]], x.elementType) / own.squareRoot()
            }
        }
    }
}
