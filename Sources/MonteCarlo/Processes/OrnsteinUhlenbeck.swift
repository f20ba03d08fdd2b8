import Foundation
import Tensors

/// The Ornstein–Uhlenbeck process dx = θ·(m − x)·dt + σ·dB: Brownian motion on a spring, and the forward process of a
/// variance-preserving diffusion.
/// Source: Uhlenbeck and Ornstein 1930; Gillespie 1996, equation 2.1, for exact steps.
public struct OrnsteinUhlenbeck: ExactProcess {
    /// θ > 0
    public var rate: Double
    /// m
    public var level: Double
    /// σ
    public var volatility: Double

    /// A process that returns to a level at a rate.
    public init(rate: Double, level: Double = 0, volatility: Double) {
        self.rate = rate
        self.level = level
        self.volatility = volatility
    }

    /// σ²/2θ, the variance that every start tends to.
    public var stationaryVariance: Double { volatility * volatility / (2 * rate) }

    /// θ·(m − x)
    public func drift(_ x: Tensor, at time: Double) -> Tensor { (level - x) * rate }

    /// σ
    public func diffusion(_ x: Tensor, at time: Double) -> Tensor { x * 0 + volatility }

    /// A draw from the Gaussian of the moments below.
    public func transition(_ x: Tensor, duration: Double, _ random: RandomGenerator) -> Tensor {
        let deviation = (-stationaryVariance * expm1(-2 * rate * duration)).squareRoot()
        return mean(from: x, after: duration)
            .adding(random.normal(x.shape, x.elementType), scale: deviation)
    }

    /// m + (x − m)·e^(−θ·t)
    public func mean(from x: Tensor, after time: Double) -> Tensor {
        (x - level) * exp(-rate * time) + level
    }

    /// σ²/2θ·(1 − e^(−2θ·t))
    public func variance(from x: Tensor, after time: Double) -> Tensor {
        x * 0 - stationaryVariance * expm1(-2 * rate * time)
    }
}
