import Foundation
import Tensors

/// W(t) = x + μ·t + σ·B(t), B being standard Brownian motion: increments N(0, dt), independent. With μ = 0 it is a
/// martingale.
public struct BrownianMotion: ExactProcess {
    /// μ
    public var drift: Double
    /// σ
    public var volatility: Double

    /// Brownian motion; standard by default.
    public init(drift: Double = 0, volatility: Double = 1) {
        self.drift = drift
        self.volatility = volatility
    }

    /// μ
    public func drift(_ x: Tensor, at time: Double) -> Tensor { x * 0 + drift }

    /// σ
    public func diffusion(_ x: Tensor, at time: Double) -> Tensor { x * 0 + volatility }

    /// N(x + μ·t, σ²·t)
    public func transition(_ x: Tensor, duration: Double, _ random: RandomGenerator) -> Tensor {
        (x + drift * duration).adding(
            random.normal(x.shape, x.elementType), scale: volatility * duration.squareRoot())
    }

    /// x + μ·t
    public func mean(from x: Tensor, after time: Double) -> Tensor { x + drift * time }

    /// σ²·t
    public func variance(from x: Tensor, after time: Double) -> Tensor {
        x * 0 + volatility * volatility * time
    }
}

/// Geometric Brownian motion dx = μ·x·dt + σ·x·dB: its logarithm is a Brownian motion of drift μ − σ²/2. With μ = 0
/// it is a martingale.
/// Source: Karatzas and Shreve 1991, example 5.6.8 (as a linear equation); S4 gives the logarithm's form.
public struct GeometricBrownianMotion: ExactProcess {
    /// μ
    public var growth: Double
    /// σ
    public var volatility: Double

    /// Growth at a mean rate.
    public init(growth: Double, volatility: Double) {
        self.growth = growth
        self.volatility = volatility
    }

    /// e^(μ·t + σ·B(t)): the form that gives the drift of the logarithm.
    public init(logarithmicDrift: Double, volatility: Double) {
        self.init(growth: logarithmicDrift + volatility * volatility / 2, volatility: volatility)
    }

    /// ln x
    public var logarithm: BrownianMotion {
        BrownianMotion(drift: growth - volatility * volatility / 2, volatility: volatility)
    }

    /// μ·x
    public func drift(_ x: Tensor, at time: Double) -> Tensor { x * growth }

    /// σ·x
    public func diffusion(_ x: Tensor, at time: Double) -> Tensor { x * volatility }

    /// x·e^((μ − σ²/2)·t + σ·√t·z)
    public func transition(_ x: Tensor, duration: Double, _ random: RandomGenerator) -> Tensor {
        logarithm.transition(x.log(), duration: duration, random).exp()
    }

    /// x·e^(μ·t)
    public func mean(from x: Tensor, after time: Double) -> Tensor { x * exp(growth * time) }

    /// x²·e^(2μ·t)·(e^(σ²·t) − 1)
    public func variance(from x: Tensor, after time: Double) -> Tensor {
        x.squared() * (exp(2 * growth * time) * expm1(volatility * volatility * time))
    }
}
