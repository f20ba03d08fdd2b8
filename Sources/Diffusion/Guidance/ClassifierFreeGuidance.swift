import Tensors

/// Classifier-free guidance: away from what the model gives without a condition, or under a negative one.
///
/// ε̂ = ε∅ + s·(ε_c − ε∅): s = 0 is unconditional, 1 conditional only. The paper's w is s − 1: ε̂ = (1 + w)·ε_c − w·ε∅.
/// Source: Ho and Salimans 2022 (arXiv:2207.12598), equation 6.
public struct ClassifierFreeGuidance: Guidance, Equatable {
    /// s
    public var scale: Double

    /// Guidance of a scale.
    public init(scale: Double) {
        self.scale = scale
    }

    /// Guidance by the paper's weight; 0 is the conditional branch alone.
    public init(weight: Double) {
        self.init(scale: weight + 1)
    }

    /// w = s − 1
    public var weight: Double { scale - 1 }

    /// Whether the unconditional branch is needed at all.
    public var needsUnconditional: Bool { scale != 1 }

    /// At s = 1 only the condition counts.
    public func isConditional(at level: NoiseLevel) -> Bool { !needsUnconditional }

    /// The guided estimate. Estimates of data and noise are both linear in what the network gave, so
    /// the formula holds for each whatever the network predicts. A learned variance is the conditional one.
    public func callAsFunction(_ branches: Branches<Estimate>, sample x: Tensor, at level: NoiseLevel)
        -> Estimate
    {
        precondition(branches.negatives.isEmpty, "a negative condition takes the place of the unconditional")
        if scale == 1 { return branches.conditional }
        if scale == 0 { return branches.unconditional }
        return Estimate(
            data: extrapolated(branches.conditional.data, from: branches.unconditional.data),
            noise: extrapolated(branches.conditional.noise, from: branches.unconditional.noise),
            variance: branches.conditional.variance)
    }

    /// u + s·(c − u)
    func extrapolated(_ conditional: Tensor, from unconditional: Tensor) -> Tensor {
        unconditional.adding(conditional - unconditional, scale: scale)
    }
}
