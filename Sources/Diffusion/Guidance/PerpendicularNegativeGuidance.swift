import Tensors

/// Perp-Neg: of each negative condition only the part that is perpendicular to the wanted one is
/// subtracted, so that a negative which overlaps with it does not weaken it.
///
/// ε̂ = ε∅ + s·(Δ − Σ wᵢ·Δᵢ^⊥) with Δ = ε_c − ε∅, Δᵢ = ε_i − ε∅ and Δᵢ^⊥ = Δᵢ − (⟨Δᵢ, Δ⟩/|Δ|²)·Δ, taken per
/// example. At one sample the differences of data are −σ/α times those of noise, so that the formula says
/// the same of both.
/// Source: Armandpour et al. 2023 (arXiv:2304.04968), the section on Perp-Neg.
public struct PerpendicularNegativeGuidance: Guidance, Equatable {
    /// s
    public var scale: Double
    /// wᵢ, one for each negative branch; above 0 repels.
    public var weights: [Double]

    /// Guidance of a scale, and the weights of its negative conditions.
    public init(scale: Double, weights: [Double]) {
        self.scale = scale
        self.weights = weights
    }

    /// The guided estimate, data and noise alike.
    public func callAsFunction(_ branches: Branches<Estimate>, sample x: Tensor, at level: NoiseLevel)
        -> Estimate
    {
        precondition(
            branches.negatives.count == weights.count,
            "\(weights.count) weights do not fit \(branches.negatives.count) negative branches")
        return Estimate(
            data: guided(branches.map(\.data)), noise: guided(branches.map(\.noise)))
    }

    private func guided(_ branches: Branches<Tensor>) -> Tensor {
        let wanted = branches.conditional - branches.unconditional
        var direction = wanted
        for (weight, negative) in zip(weights, branches.negatives) {
            let part = perpendicular(negative - branches.unconditional, to: wanted)
            direction = direction.adding(part, scale: -weight)
        }
        return branches.unconditional.adding(direction, scale: scale)
    }

    /// The part of `a` perpendicular to `b`, per example; all of it where b = 0.
    private func perpendicular(_ a: Tensor, to b: Tensor) -> Tensor {
        let square = b.squared().sumPerExample()
        let share = (a * b).sumPerExample() / square.filled(with: 1, where: square .== 0)
        return a - b * share.broadcast(toRank: a.rank)
    }
}
