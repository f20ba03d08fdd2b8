import Tensors

/// Guidance in a limited interval of noise: early it harms the diversity, late it does nothing. Outside,
/// the conditional branch alone is evaluated.
/// Source: Kynkäänniemi et al. 2024 (arXiv:2404.07724), section 3.
public struct LimitedGuidance<Base: Guidance>: Guidance {
    /// The guidance inside the interval.
    public var base: Base
    /// σ_lo, in units of σ/α; excluded.
    public var lower: Double
    /// σ_hi, in units of σ/α; included. The start of a flow has σ/α = ∞.
    public var upper: Double

    /// Whether the level lies outside, or the base does not steer.
    public func isConditional(at level: NoiseLevel) -> Bool {
        !contains(level) || base.isConditional(at: level)
    }

    /// The guided estimate inside, the conditional one outside.
    public func callAsFunction(_ branches: Branches<Estimate>, sample x: Tensor, at level: NoiseLevel)
        -> Estimate
    {
        contains(level) ? base(branches, sample: x, at: level) : branches.conditional
    }

    private func contains(_ level: NoiseLevel) -> Bool {
        level.noiseRatio > lower && level.noiseRatio <= upper
    }
}

extension Guidance {
    /// This guidance where σ/α is above `lower` and at most `upper`.
    public func limited(above lower: Double, upTo upper: Double) -> LimitedGuidance<Self> {
        LimitedGuidance(base: self, lower: lower, upper: upper)
    }
}
