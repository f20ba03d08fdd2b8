import Foundation
import Tensors

// What steps are made of. The probability flow is dx = data·dα + noise·dσ on any path; each move holds one side
// of it fixed. None divides by α, and none by the σ that it moves to.

extension Tensor {
    /// A sample moved with data and noise held fixed: x + data·Δα + noise·Δσ, Euler's step.
    func moved(from t: NoiseLevel, to s: NoiseLevel, along flow: Estimate) -> Tensor {
        let moved = adding(flow.noise, scale: s.sigma - t.sigma)
        return s.alpha == t.alpha ? moved : moved.adding(flow.data, scale: s.alpha - t.alpha)
    }

    /// A sample moved exactly along the flow that the same data would give at every level on the way.
    ///
    /// σ_s/σ_t·x + (α_s − σ_s·α_t/σ_t)·data, which is α_s(1 − e^{−h}) written for both ends.
    /// Source: Lu et al. 2022 (DPM-Solver++, arXiv:2211.01095), equation 9.
    func moved(from t: NoiseLevel, to s: NoiseLevel, data: Tensor) -> Tensor {
        let ratio = s.sigma / t.sigma
        return (self * ratio).adding(data, scale: s.alpha - ratio * t.alpha)
    }
}

/// An ancestral step: down to less noise than is wanted, and fresh noise on top.
///
/// `down` holds as much data as the level that is wanted, and in its place less noise: a level beside the path,
/// whose log-SNR is all that an estimate sees.
/// Source: Song et al. 2021 (arXiv:2010.02502), equation 16; η of a step as k-diffusion bounds it.
struct AncestralStep {
    /// Where the deterministic part ends.
    let down: NoiseLevel
    /// The deviation of the fresh noise.
    let deviation: Double
    /// Whether noise is drawn; a step between equal levels draws and adds none of it, as k-diffusion's does.
    private let draws: Bool

    /// - Parameter least: the least σ/α to go down to.
    init(from t: NoiseLevel, to s: NoiseLevel, eta: Double, least: Double = 0) {
        draws = eta > 0 && s.sigma > 0
        guard draws else {
            (down, deviation) = (s, 0)
            return
        }
        // β̃ = σ_s²(1 − q²). What remains is not had by subtracting that from σ_s²: from a very noisy level, where
        // q is small, nothing of it would be left.
        let q = min(1, t.alpha * s.sigma / (s.alpha * t.sigma))
        let wanted = eta * (1 - q * q).squareRoot()
        let remaining = max(0, (1 - eta * eta) + eta * eta * q * q).squareRoot()
        let floor = least * s.alpha
        down = NoiseLevel(alpha: s.alpha, sigma: max(s.sigma * remaining, floor))
        deviation =
            s.sigma * remaining >= floor
            ? s.sigma * min(1, wanted)
            : max(0, s.sigma * s.sigma - floor * floor).squareRoot()
    }

    /// The sample with its fresh noise.
    func renoised(_ x: Tensor, _ noise: NoiseSource) -> Tensor {
        draws ? x.adding(noise.draw(of: x), scale: deviation) : x
    }
}

extension NoiseSource {
    /// Noise in the shape of a batch `[batch, …]`.
    func draw(of x: Tensor) -> Tensor { draw(Shape(x.shape.dropFirst().map { $0 })) }
}

/// Noise put back before a step, so that the step's own errors are forgotten.
/// Source: Karras et al. 2022 (arXiv:2206.00364), algorithm 2, lines 4 to 6.
public struct Churn: Sendable, Equatable {
    /// S_churn, over all steps together; 0 adds none.
    public var amount: Double
    /// S_tmin … S_tmax, the σ (for data of α = 1) where noise is added.
    public var range: ClosedRange<Double>
    /// S_noise, what the added noise is multiplied with.
    public var noiseScale: Double

    /// Noise put back before a step; by default none.
    public init(amount: Double = 0, range: ClosedRange<Double> = 0...Double.infinity, noiseScale: Double = 1)
    {
        self.amount = amount
        self.range = range
        self.noiseScale = noiseScale
    }

    /// The sample with its noise raised from σ to σ̂ = (1 + γ)σ, and the level that it is at then.
    ///
    /// Noise is drawn in every step where any is ever added, as the paper's code does.
    func applied(to x: Tensor, _ step: StepGrid.Step, _ noise: NoiseSource) -> (Tensor, NoiseLevel) {
        guard amount > 0 else { return (x, step.from) }
        let fresh = noise.draw(of: x)
        let isInside = range.contains(step.from.noiseRatio)
        let gamma = isInside ? min(amount / Double(step.count), 2.0.squareRoot() - 1) : 0
        guard gamma > 0 else { return (x, step.from) }
        let (sigma, raised) = (step.from.sigma, step.from.sigma * (1 + gamma))
        let added = (raised * raised - sigma * sigma).squareRoot()
        return (
            x.adding(fresh, scale: added * noiseScale),
            NoiseLevel(alpha: step.from.alpha, sigma: raised)
        )
    }
}
