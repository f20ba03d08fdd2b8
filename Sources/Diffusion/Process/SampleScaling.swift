import Foundation

/// How a network wants a sample scaled before it sees it: the scaling in which the formula of its output is meant.
public enum SampleScaling: String, Sendable, CaseIterable {
    /// α² + σ² = 1, as in DDPM.
    case variancePreserving
    /// α² + σ = 1, as on the sub-variance-preserving process.
    case subVariancePreserving
    /// α = 1, as in score matching with Langevin dynamics.
    case varianceExploding
    /// α + σ = 1, as in rectified flow.
    case straight

    /// The size of a sample at a level in this scaling: divide by it.
    public func scale(of level: NoiseLevel) -> Double {
        switch self {
        case .variancePreserving: (level.alpha * level.alpha + level.sigma * level.sigma).squareRoot()
        // c with (α/c)² + σ/c = 1.
        case .subVariancePreserving:
            (level.sigma + (level.sigma * level.sigma + 4 * level.alpha * level.alpha).squareRoot()) / 2
        case .varianceExploding: level.alpha
        case .straight: level.alpha + level.sigma
        }
    }
}
