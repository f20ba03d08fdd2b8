import Foundation
import Tensors

/// The extra noise of a stochastic interpolant: γ(t), 0 at both ends but for `constant`.
public enum LatentNoise: Codable, Sendable, Equatable {
    /// γ = 0
    case none
    /// γ = √(a·t·(1 − t)), a Brownian bridge. Albergo et al. 2023 (arXiv:2303.08797), section 4.
    case bridge(scale: Double = 1)
    /// γ = s·sin²(πt), whose rate is finite at the ends. Same section.
    case sineSquared(scale: Double = 1)
    /// γ = σ, a blur of the whole path. Tong et al. 2023 (arXiv:2302.00482), section 3.2.
    case constant(Double)

    /// γ and γ′ at a time; the bridge has no rate at its ends.
    public func value(at time: Double) -> (scale: Double, rate: Double) {
        switch self {
        case .none: return (0, 0)
        case .bridge(let scale):
            let gamma = (scale * time * (1 - time)).squareRoot()
            return (gamma, scale * (1 - 2 * time) / (2 * gamma))
        case .sineSquared(let scale):
            return (scale * sin(.pi * time) * sin(.pi * time), scale * .pi * sin(2 * .pi * time))
        case .constant(let sigma): return (sigma, 0)
        }
    }
}

/// A path between data and anything else: x_t = α(t)·x₀ + σ(t)·x₁ + γ(t)·z, z standard normal.
///
/// Where x₁ is noise and γ = 0 it is the process of a schedule; then its velocity is the probability
/// flow's, and under `StraightSchedule` the target is rectified flow's x₁ − x₀. Between two sets of data it
/// is a stochastic interpolant.
/// Source: Albergo and Vanden-Eijnden 2022 (arXiv:2209.15571), section 2; Albergo et al. 2023
/// (arXiv:2303.08797), definition 1; Liu et al. 2022 (arXiv:2209.03003), equation 1 and section 2.3.
public struct Interpolant: Sendable {
    /// α and σ, and their rates.
    public let path: any ContinuousSchedule
    /// γ
    public let latent: LatentNoise

    /// A path.
    public init(_ path: some ContinuousSchedule, latent: LatentNoise = .none) {
        self.path = path
        self.latent = latent
    }

    /// A point on the way of each pair, its velocity, and z.
    public struct Point: Sendable {
        /// x_t `[batch, …]`
        public let sample: Tensor
        /// α′·x₀ + σ′·x₁ + γ′·z, what flow matching regresses on.
        public let velocity: Tensor
        /// z, what a denoiser regresses on: the score is −E[z | x]/γ. `nil` where γ = 0.
        public let latent: Tensor?
    }

    /// The points of pairs at their times.
    /// - Parameters:
    ///   - data: x₀ `[batch, …]`
    ///   - other: x₁, likewise: noise, or other data.
    ///   - latent: z, likewise; read only where γ is not 0.
    ///   - times: `[batch]`
    /// - Throws: the error that `times` carries.
    public func point(data: Tensor, other: Tensor, latent z: Tensor?, times: Tensor) throws -> Point {
        let times = try times.array(of: Double.self)
        func column(_ value: (Double) -> Double) -> Tensor {
            Tensor(times.map(value)).to(data.elementType).to(data.device).broadcast(toRank: data.rank)
        }
        let sample = column { path.level(at: $0).alpha } * data + column { path.level(at: $0).sigma } * other
        let velocity =
            column { path.rates(at: $0).alpha } * data + column { path.rates(at: $0).sigma } * other
        guard latent != .none, let z else { return Point(sample: sample, velocity: velocity, latent: nil) }
        let (scale, rate) = (
            column { latent.value(at: $0).scale }, column { latent.value(at: $0).rate }
        )
        return Point(sample: sample + scale * z, velocity: velocity + rate * z, latent: z)
    }
}
