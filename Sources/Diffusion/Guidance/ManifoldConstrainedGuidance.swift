import Tensors

/// CFG++: the data are guided, the noise that a step puts back is the unconditional one, so that the
/// sample stays where the unconditional model knows it.
///
/// x̂₀ = x̂₀∅ + λ·(x̂₀c − x̂₀∅) and ε̂ = ε∅, λ from 0 to 1 as a rule. A solver that reads both (DDIM, Euler) then
/// takes the paper's step; one that reads the data alone sees plain guidance. The two no longer satisfy
/// x = α·data + σ·noise, so nothing that recomputes one from the other (`RescaledGuidance`) belongs after it.
/// Source: Chung et al. 2024 (arXiv:2406.08070), algorithm 2 and the appendix on inversion.
public struct ManifoldConstrainedGuidance: Guidance, Equatable {
    private let extrapolation: ClassifierFreeGuidance
    private let isInverse: Bool

    /// Guidance of scale λ.
    public init(scale: Double) {
        self.init(scale: scale, isInverse: false)
    }

    private init(scale: Double, isInverse: Bool) {
        extrapolation = ClassifierFreeGuidance(scale: scale)
        self.isInverse = isInverse
    }

    /// λ
    public var scale: Double { extrapolation.scale }

    /// The guidance whose step climbs back the way that this one's came down, along an inverted grid:
    /// what this one removes as guided noise it puts back, and the reverse.
    public var inverse: ManifoldConstrainedGuidance {
        ManifoldConstrainedGuidance(scale: scale, isInverse: !isInverse)
    }

    /// The guided data with the unconditional noise; for inversion the unconditional data with the
    /// guided noise.
    public func callAsFunction(_ branches: Branches<Estimate>, sample x: Tensor, at level: NoiseLevel)
        -> Estimate
    {
        let guided = extrapolation(branches, sample: x, at: level)
        let plain = branches.unconditional
        return isInverse
            ? Estimate(data: plain.data, noise: guided.noise)
            : Estimate(data: guided.data, noise: plain.noise)
    }
}
