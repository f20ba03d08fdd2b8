import Foundation
import Tensors

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
    public init(_ path: any ContinuousSchedule, latent: LatentNoise = .none) {
        self.path = path
        self.latent = latent
    }

    /// The path of a schedule against noise, with the latent noise that the schedule holds.
    init(of schedule: any ContinuousSchedule) {
        if let blurred = schedule as? BlurredSchedule {
            self.init(blurred.path, latent: blurred.latent)
        } else {
            self.init(schedule)
        }
    }

    /// The schedule that it is where x₁ is noise.
    public var schedule: any ContinuousSchedule {
        latent.isNone ? path : BlurredSchedule(path: path, latent: latent)
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
    ///   - times: one for each pair.
    public func point(data: Tensor, other: Tensor, latent z: Tensor?, times: [Double]) -> Point {
        func column(_ value: (Double) -> Double) -> Tensor {
            factorColumn(times.map(value), like: data)
        }
        let sample = column { path.level(at: $0).alpha } * data + column { path.level(at: $0).sigma } * other
        let velocity =
            column { path.rates(at: $0).alpha } * data + column { path.rates(at: $0).sigma } * other
        guard !latent.isNone, let z else { return Point(sample: sample, velocity: velocity, latent: nil) }
        let (scale, rate) = (
            column { latent.value(at: $0).scale }, column { latent.value(at: $0).rate }
        )
        return Point(sample: sample + scale * z, velocity: velocity + rate * z, latent: z)
    }
}

/// A path against noise with the latent noise added to it: α, and √(σ² + γ²) in place of σ.
public struct BlurredSchedule: ContinuousSchedule {
    /// α and σ.
    public let path: any ContinuousSchedule
    /// γ
    public let latent: LatentNoise

    /// The path's own.
    public var start: Double { path.start }

    /// √(σ² + γ²) in place of σ.
    public func level(at time: Double) -> NoiseLevel {
        let level = path.level(at: time)
        return NoiseLevel(
            time: time, alpha: level.alpha, sigma: hypot(level.sigma, latent.value(at: time).scale))
    }

    /// (σ·σ′ + γ·γ′)/√(σ² + γ²) in place of σ′; infinite where a bridge begins with no noise at all.
    public func rates(at time: Double) -> (alpha: Double, sigma: Double) {
        let (own, rates) = (path.level(at: time), path.rates(at: time))
        let product = own.sigma * rates.sigma + latent.halfSquareRate(at: time)
        return (rates.alpha, product / level(at: time).sigma)
    }

    /// By halving: more noise at later times.
    public func time(logSNR: Double) -> Double {
        var (low, high) = (0.0, start)
        for _ in 0..<64 {
            let middle = (low + high) / 2
            if level(at: middle).logSNR > logSNR { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    /// The path's own.
    public func time(atShare share: Double) -> Double { path.time(atShare: share) }
    /// The path's own.
    public func shareRate(at time: Double) -> Double { path.shareRate(at: time) }
}

extension ObjectiveWords {
    /// The paths of flow matching.
    public static let interpolants = WordTable<any ContinuousSchedule>(
        "interpolant",
        [
            .init("straight") { _ in StraightSchedule() },
            .init("trigonometric") { _ in TrigonometricSchedule() },
            .init(
                "variance-preserving",
                [.init("beta_min", 0.1, in: 1e-6...100), .init("beta_max", 20, in: 1e-6...1000)]
            ) { VariancePreservingSchedule(betaMinimum: $0[0], betaMaximum: $0[1]) },
            .init("conditional-transport", [.init("sigma_min", 1e-4, in: 0...0.5)]) {
                ConditionalTransportSchedule(sigmaMinimum: $0[0])
            },
        ])
}
