import Foundation
import Tensors

/// Data that are a mixture of Gaussians: what a perfect denoiser would give is known in closed form, at any
/// noise level, and so are score, likelihood and probability flow.
///
/// q(x₀) = Σ w_k·N(m_k, C_k); the noisy sample is Σ w_k·N(α·m_k, α²·C_k + σ²·1).
public struct GaussianMixture: Sendable {
    /// ln w_k, `[K]`
    let logWeights: Tensor
    /// m_k, `[K, D]`
    let means: Tensor
    /// The eigenvalues of C_k, `[K, D]`
    let variances: Tensor
    /// The eigenvectors of C_k in columns, `[K, D, D]`
    let axes: Tensor

    /// A mixture.
    /// - Parameters:
    ///   - weights: `[K]`, positive; they are scaled to sum 1.
    ///   - means: `[K, D]`
    ///   - covariances: `[K, D, D]`, symmetric, no eigenvalue below 0.
    public init(weights: Tensor, means: Tensor, covariances: Tensor) {
        let eigen = covariances.symmetricEigen()
        logWeights = (weights / weights.sum()).log()
        self.means = means
        variances = eigen.values.clamped(from: 0)
        axes = eigen.vectors
    }

    /// D, the number of elements of an example.
    public var dimension: Int { means.shape[1] }

    /// x − α·m_k in the axes of each part, and the variance there: `[batch, K, D]`, `[K, D]`.
    private func centred(_ x: Tensor, _ level: NoiseLevel) -> (Tensor, Tensor) {
        let offset = x.flattened(from: 1).unsqueezed(1) - means * level.alpha
        // [K, batch, D] × [K, D, D]
        let turned = offset.transposed(0, 1).matmul(axes).transposed(0, 1)
        let total = variances * (level.alpha * level.alpha) + level.sigma * level.sigma
        return (turned, total.clamped(from: 1e-300))
    }

    /// ln w_k + ln N(x; α·m_k, α²·C_k + σ²·1), `[batch, K]`.
    private func logJoint(_ turned: Tensor, _ total: Tensor) -> Tensor {
        let squares = (turned.squared() / total).sum([2])
        let normalizer = total.log().sum([1]) + Double(dimension) * log(2 * .pi)
        return logWeights - (squares + normalizer) * 0.5
    }

    /// ln w_k·q(x | part k) of samples `[batch, …]` at a level, `[batch, K]`: logits whose softmax is the exact
    /// probability of each part.
    public func partLogits(_ x: Tensor, at level: NoiseLevel) -> Tensor {
        let (turned, total) = centred(x, level)
        return logJoint(turned, total)
    }

    /// One of its Gaussians alone: the data under the condition that they are of that part.
    public func part(_ index: Int) -> GaussianMixture {
        GaussianMixture(
            logWeights: .zeros([1], logWeights.elementType),
            means: means.slice(index..<index + 1, of: 0),
            variances: variances.slice(index..<index + 1, of: 0), axes: axes.slice(index..<index + 1, of: 0))
    }

    private init(logWeights: Tensor, means: Tensor, variances: Tensor, axes: Tensor) {
        (self.logWeights, self.means, self.variances, self.axes) = (logWeights, means, variances, axes)
    }

    /// ln q(x) of samples `[batch, D]` at a level, `[batch]`.
    public func logDensity(_ x: Tensor, at level: NoiseLevel) -> Tensor {
        let (turned, total) = centred(x, level)
        return logJoint(turned, total).logSumExp([1])
    }

    /// E[x₀ | x] and E[ε | x] of samples `[batch, …]` at a level.
    public func estimate(_ x: Tensor, at level: NoiseLevel) -> Estimate {
        let (turned, total) = centred(x, level)
        let shares = logJoint(turned, total).softmax(1).unsqueezed(2)
        func mixed(_ inAxes: Tensor, plus offset: Tensor? = nil) -> Tensor {
            let back = inAxes.transposed(0, 1).matmul(axes.transposed()).transposed(0, 1)
            return ((offset.map { back + $0 } ?? back) * shares).sum([1]).reshaped(x.shape)
        }
        return Estimate(
            data: mixed(turned * (variances * level.alpha / total), plus: means),
            noise: mixed(turned * (level.sigma / total)))
    }

    /// The perfect denoiser. Through `prediction`, what it gives is turned into what such a network would
    /// give and back, so that its rounding is that of a network.
    public func denoiser(_ prediction: Prediction? = nil) -> Denoiser {
        Denoiser { x, level in
            let exact = estimate(x, at: level)
            guard let prediction, prediction.isDefined(at: level) else { return exact }
            return prediction.estimate(prediction.output(exact, at: level), sample: x, at: level)
        }
    }

    /// ∇ ln q(x) = −E[ε | x]/σ of samples `[batch, …]` at a level with σ > 0.
    public func score(_ x: Tensor, at level: NoiseLevel) -> Tensor {
        estimate(x, at: level).noise / -level.sigma
    }
}
