import Tensors

/// What a network's output means.
public enum Prediction: String, Codable, Sendable, CaseIterable {
    /// ε, the noise in the sample. Ho et al. 2020 (arXiv:2006.11239), equation 14.
    case noise = "epsilon"
    /// x₀, the data.
    case data = "sample"
    /// v = α·ε − σ·x₀. Salimans and Ho 2022 (arXiv:2202.00512), appendix D.
    case velocity = "v_prediction"

    /// What the network should give for data and noise at a level.
    /// - Parameters:
    ///   - alpha: α, a number or one number per example as `[batch, 1, …]`.
    ///   - sigma: σ, likewise.
    public func target(data: Tensor, noise: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor {
        switch self {
        case .noise: noise
        case .data: data
        case .velocity: alpha * noise - sigma * data
        }
    }

    /// Data and noise from what the network gave.
    ///
    /// Where α = 0 the sample holds nothing of the data, and a predicted noise says nothing of it:
    /// the caller refuses `noise` there (`isDefined(at:)`).
    public func estimate(_ output: Tensor, sample x: Tensor, at level: NoiseLevel) -> Estimate {
        let (alpha, sigma) = (level.alpha, level.sigma)
        switch self {
        case .noise:
            return Estimate(data: x.adding(output, scale: -sigma) / alpha, noise: output)
        case .data:
            return Estimate(data: output, noise: x.adding(output, scale: -alpha) / sigma)
        case .velocity:
            let square = alpha * alpha + sigma * sigma
            return Estimate(
                data: (x * (alpha / square)).adding(output, scale: -sigma / square),
                noise: (x * (sigma / square)).adding(output, scale: alpha / square))
        }
    }

    /// Whether the data can be had from this prediction at a level.
    public func isDefined(at level: NoiseLevel) -> Bool { self != .noise || level.alpha > 0 }
}
