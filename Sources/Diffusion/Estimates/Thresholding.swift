import Tensors

/// Keeping the estimated data in the range that data have.
public enum Thresholding: Sendable, Equatable {
    /// Cut off at ±range.
    case fixed(range: Double)
    /// Cut off at the given quantile of each example's magnitudes, at least 1 and at most `maximum`,
    /// and scaled back to ±1. Saharia et al. 2022 (Imagen, arXiv:2205.11487), section 2.3.
    case dynamic(quantile: Double, maximum: Double)

    /// Estimated data `[batch, …]` within range.
    public func callAsFunction(_ data: Tensor) -> Tensor {
        switch self {
        case .fixed(let range):
            return data.clamped(to: -range...range)
        case .dynamic(let quantile, let maximum):
            // Quantiles of half-precision numbers do not exist; they are taken in float32.
            let wide = data.elementType == .float64 ? data : data.to(.float32)
            let limit = wide.flattened(from: 1).magnitude().quantile(quantile, 1)
                .clamped(to: 1...Swift.max(1, maximum)).broadcast(toRank: data.rank)
            return (wide.clamped(between: -limit, and: limit) / limit).to(data.elementType)
        }
    }
}

extension Denoiser {
    /// This denoiser with its data kept in range. The estimated noise stays as it was, unless it is to
    /// be what the changed data imply.
    public func thresholded(_ thresholding: Thresholding, recomputingNoise: Bool = false) -> Denoiser {
        map { estimate, x, level in
            var changed = estimate
            changed.data = thresholding(estimate.data)
            if recomputingNoise { changed.noise = x.adding(changed.data, scale: -level.alpha) / level.sigma }
            return changed
        }
    }
}
