import Foundation

/// An amount of information, in a given unit.
public struct Information: Comparable, Sendable {
    /// In units of the natural logarithm.
    public var nats: Double

    /// An amount in nats.
    public init(nats: Double) {
        self.nats = nats
    }

    /// In units of the logarithm to base 2.
    public var bits: Double { nats / log(2) }

    /// Whether the first is the smaller amount.
    public static func < (a: Information, b: Information) -> Bool { a.nats < b.nats }
}

/// Probabilities of finitely many outcomes.
public struct FiniteDistribution: Sendable {
    /// p_i, which sum to 1.
    public let probabilities: [Double]

    /// A distribution from weights that are not negative; they are scaled to sum 1.
    public init(weights: [Double]) {
        precondition(!weights.isEmpty && weights.allSatisfy { $0 >= 0 }, "weights are not negative")
        let total = weights.reduce(0, +)
        probabilities = weights.map { $0 / total }
    }

    /// H = −Σ p·ln p, an outcome of probability 0 adding nothing.
    /// Source: Shannon 1948, section 6.
    public var entropy: Information {
        Information(nats: -probabilities.reduce(0) { $0 + ($1 > 0 ? $1 * log($1) : 0) })
    }

    /// KL(p‖q) = Σ p·ln(p/q), infinite where q lacks an outcome of p. Not symmetric.
    /// Source: Kullback and Leibler 1951, equation 2.4.
    public func divergence(to other: FiniteDistribution) -> Information {
        precondition(probabilities.count == other.probabilities.count, "both have the same outcomes")
        return Information(
            nats: zip(probabilities, other.probabilities).reduce(0) { sum, pair in
                sum + (pair.0 > 0 ? pair.0 * log(pair.0 / pair.1) : 0)
            })
    }
}
