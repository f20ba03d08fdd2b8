import Foundation
import Tensors

/// Points with weights, whose weighted means estimate what the target's points would give.
public struct WeightedSamples: Sendable {
    /// `[count, D]`
    public let points: Tensor
    /// ln w, `[count]`: of the target's density, which need not be normalised, over the proposal's.
    public let logWeights: Tensor

    /// Points with the logarithms of their weights.
    public init(points: Tensor, logWeights: Tensor) {
        self.points = points
        self.logWeights = logWeights
    }

    private var count: Double { Double(logWeights.elementCount) }

    /// ln Ẑ = ln(Σ w/N): the target's normaliser over the proposal's. Ẑ is unbiased, its logarithm is not.
    public var logNormalizer: Tensor { logWeights.logSumExp([0]) - log(count) }

    /// Σ w·f / Σ w, self-normalised: consistent, with a bias of order 1/N, whatever the target's constant.
    /// - Parameter values: f of each point, `[count, …]`
    public func mean(of values: Tensor) -> Tensor {
        (values * logWeights.softmax(0).broadcast(toRank: values.rank)).sum([0])
    }

    /// Σ w·f / N: unbiased where the target's density is normalised.
    /// - Parameter values: f of each point, `[count, …]`
    public func unbiasedMean(of values: Tensor) -> Tensor {
        (values * logWeights.exp().broadcast(toRank: values.rank)).mean([0])
    }

    /// (Σ w)² / Σ w²: how many independent points of the target these are worth, from 1 to N.
    /// Source: Kong 1992; Liu 2001, Monte Carlo Strategies in Scientific Computing, section 2.5.3.
    public var effectiveSampleSize: Tensor { logWeights.softmax(0).squared().sum().reciprocal() }

    /// ln Ẑ − mean(ln w) ≥ 0: what is lost where the logarithm of a mean is bounded by the mean of
    /// logarithms, as the variational bound does.
    public var jensenGap: Tensor { logNormalizer - logWeights.mean() }
}

/// Points of an easy distribution for sums over a hard one.
public struct ImportanceSampling<Proposal: Distribution>: Sendable {
    /// ln h, normalised or not.
    public var target: LogDensity
    /// g, whose tails must not be lighter than the target's.
    public var proposal: Proposal

    /// Sums over a target by points of a proposal.
    public init(target: LogDensity, proposal: Proposal) {
        self.target = target
        self.proposal = proposal
    }

    /// Points x of the proposal with weights w = h(x)/g(x).
    public func samples(_ count: Int, _ random: RandomGenerator) -> WeightedSamples {
        let points = proposal.draw(count, random)
        return WeightedSamples(points: points, logWeights: target(points) - proposal.logDensity(points))
    }
}
