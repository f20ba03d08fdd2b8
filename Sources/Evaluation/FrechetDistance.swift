import Tensors

/// Mean and covariance of a set of feature vectors: the Gaussian that a Fréchet distance compares.
public struct FeatureStatistics: Sendable {
    /// The mean, `[features]`, float64.
    public let mean: Tensor
    /// The unbiased covariance, `[features, features]`, float64.
    public let covariance: Tensor

    /// A Gaussian of known moments.
    public init(mean: Tensor, covariance: Tensor) {
        self.mean = mean.to(.float64)
        self.covariance = covariance.to(.float64)
    }

    /// The Gaussian of feature vectors `[count, features]`, two at least.
    public init(features: Tensor) {
        let wide = features.to(.float64)
        self.init(mean: wide.mean([0]), covariance: wide.covariance())
    }

    /// The squared Fréchet distance to another Gaussian, which is the squared 2-Wasserstein distance:
    /// |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½).
    ///
    /// The root's trace is taken from the eigenvalues of Σ₁^½ Σ₂ Σ₁^½, which are real and not negative
    /// also where a covariance is singular.
    /// Source: Heusel et al. 2017 (arXiv:1706.08500), equation 6; Dowson and Landau 1982.
    /// - Throws: `TensorError` where a covariance holds what is not a number.
    public func frechetDistance(to other: FeatureStatistics) throws -> Double {
        let root = Self.squareRoot(covariance)
        let product = root.matmul(other.covariance).matmul(root)
        let eigenvalues = symmetric(product).symmetricEigen().values.clamped(from: 0)
        let shift = (mean - other.mean).squared().sum()
        let spread = covariance.trace() + other.covariance.trace() - eigenvalues.squareRoot().sum() * 2
        return try (shift + spread).item()
    }

    private static func squareRoot(_ matrix: Tensor) -> Tensor {
        let eigen = symmetric(matrix).symmetricEigen()
        let roots = eigen.values.clamped(from: 0).squareRoot()
        return (eigen.vectors * roots.unsqueezed(0)).matmul(eigen.vectors.transposed())
    }
}

/// Without the asymmetry that rounding leaves.
private func symmetric(_ matrix: Tensor) -> Tensor { (matrix + matrix.transposed()) * 0.5 }
