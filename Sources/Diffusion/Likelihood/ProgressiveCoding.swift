import Foundation
import Tensors

/// Data sent step by step, from noise to the data: what each step costs is a term of the variational bound, and what is
/// known of the data after it is the estimate x̂₀.
///
/// Any denoiser will do: a network of any prediction on any process, or an exact one.
/// Source: Ho et al. 2020 (arXiv:2006.11239), section 4.3 and algorithms 3 and 4.
public struct ProgressiveCoding: Sendable {
    /// The levels.
    public let chain: CodingChain
    /// The bound over them, of estimated data.
    public let bound: VariationalBound

    /// The coding over a chain.
    /// - Parameters:
    ///   - variance: that of the model's steps; a learned one is in `Estimate.variance`.
    ///   - clipsData: whether estimated data are cut off at ±1.
    ///   - decoder: what L₀ is.
    public init(
        _ chain: CodingChain, variance: ReverseVariance = .fixedSmall, clipsData: Bool = false,
        decoder: VariationalBound.Decoder = .pixels
    ) {
        self.chain = chain
        bound = VariationalBound(
            schedule: chain.table, prediction: Prediction.data, variance: variance, clipsData: clipsData,
            decoder: decoder)
    }

    /// What sending data costs, and how well they are known at each level.
    public struct Course: Sendable {
        /// L_T, L₀ … L_{T−1} in bits per dimension.
        public let terms: VariationalBound.Terms
        /// The mean squared error of x̂₀ at each level, least noise first, `[batch, T]`.
        public let errors: Tensor

        /// What has been sent when x at a level is known, in bits per dimension, `[batch, T]`: L_T and the terms of all
        /// noisier levels.
        public var rates: Tensor {
            let sent = terms.steps.flipped(1).cumulativeSum(1).flipped(1) - terms.steps
            return sent + terms.prior.unsqueezed(1)
        }
    }

    /// The course of data `[batch, …]`.
    /// - Parameters:
    ///   - noise: ε `[batch, …]` of each level, called from the noisiest on.
    ///   - onStep: called after each level.
    /// - Throws: `DiffusionError` where a learned variance is wanted and not given; the error that a tensor carries.
    public func course(
        of data: Tensor, denoiser: Denoiser, noise: (_ step: Int) -> Tensor, onStep: () -> Void = {}
    ) throws -> Course {
        var (terms, errors): ([Tensor], [Tensor]) = ([], [])
        for (step, level) in chain.levels.enumerated().reversed() {
            let x = (data * level.alpha).adding(noise(step), scale: level.sigma)
            let estimate = denoiser(x, level)
            try estimate.data.rethrow()
            let times = Tensor(Array(repeating: step, count: data.shape[0]))
            terms.append(bound.term(data, sample: x, times: times, output: try output(estimate)))
            let known = bound.clipsData ? estimate.data.clamped(to: -1...1) : estimate.data
            errors.append((known - data).squared().meanPerExample())
            onStep()
        }
        return Course(
            terms: .init(prior: bound.prior(data), steps: stacked(terms.reversed(), along: 1)),
            errors: stacked(errors.reversed(), along: 1))
    }

    /// The channels that the bound reads.
    private func output(_ estimate: Estimate) throws -> Tensor {
        guard bound.learnsVariance else { return estimate.data }
        guard let variance = estimate.variance else {
            throw DiffusionError(
                "the network has no channels for the variance that '\(bound.variance.rawValue)' asks of it")
        }
        return concatenated([estimate.data, variance], along: 1)
    }
}
