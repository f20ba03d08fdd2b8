/// The variance of a step of the reverse process; raw values are diffusers' `variance_type`.
///
/// Source: Ho et al. 2020 (arXiv:2006.11239), section 3.2, for the fixed ones; Nichol and Dhariwal 2021
/// (arXiv:2102.09672), section 3.1, for the learned ones.
public enum ReverseVariance: String, Codable, Sendable, CaseIterable {
    /// β̃
    case fixedSmall = "fixed_small"
    /// β̃ by way of its logarithm.
    case fixedSmallLog = "fixed_small_log"
    /// β
    case fixedLarge = "fixed_large"
    /// ln β
    case fixedLargeLog = "fixed_large_log"
    /// The network's further channels.
    case learned
    /// Between ln β̃ and ln β by the network's further channels.
    case learnedRange = "learned_range"

    /// Whether the network gives it.
    public var isLearned: Bool { self == .learned || self == .learnedRange }
}
