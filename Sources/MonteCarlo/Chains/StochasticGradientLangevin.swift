import Foundation
import Tensors

/// Langevin steps to a posterior whose gradient is estimated from a few of the data, with steps that shrink
/// until the noise of the estimate no longer matters.
///
/// θ ← θ + ε/2·(∇ ln p(θ) + N/n·Σ ∇ ln p(x_i|θ)) + √ε·z, with ε = a·(b + t)^(−γ).
/// Source: Welling and Teh 2011, equation 4.
public struct StochasticGradientLangevin: MarkovSampler {
    /// What the next step depends on.
    public struct State: ChainState {
        /// θ, `[chains, D]`
        public var position: Tensor
        /// t
        public var time: Int
    }

    /// ε as a function of time.
    public struct StepSizes: Sendable {
        /// a, b, γ; γ in (½, 1] makes the sum of steps infinite and that of their squares finite.
        public var scale: Double, offset: Double, exponent: Double

        /// ε = scale·(offset + t)^(−exponent).
        public init(scale: Double, offset: Double = 1, exponent: Double = 0) {
            self.scale = scale
            self.offset = offset
            self.exponent = exponent
        }

        /// ε of a step.
        public func callAsFunction(_ time: Int) -> Double { scale * pow(offset + Double(time), -exponent) }
    }

    /// ln p(θ)
    public var prior: LogDensity
    /// Σ ln p(x_i|θ) of a batch `[chains, n, …]` for θ `[chains, D]`: `[chains]`.
    public var likelihood: @Sendable (_ theta: Tensor, _ batch: Tensor) -> Tensor
    /// `[N, …]`
    public var data: Tensor
    /// n
    public var batchSize: Int
    /// ε
    public var stepSizes: StepSizes

    /// Steps to the posterior of a prior and of data `[N, …]`.
    public init(
        prior: LogDensity, data: Tensor, batchSize: Int, stepSizes: StepSizes,
        likelihood: @escaping @Sendable (_ theta: Tensor, _ batch: Tensor) -> Tensor
    ) {
        self.prior = prior
        self.likelihood = likelihood
        self.data = data
        self.batchSize = batchSize
        self.stepSizes = stepSizes
    }

    /// Chains at points `[chains, D]`.
    public func start(at points: Tensor) -> State { State(position: points, time: 0) }

    /// Every chain a step further, each on a batch of its own, drawn with replacement.
    public func step(_ state: State, _ random: RandomGenerator) -> State {
        let theta = state.position
        let total = data.shape[0]
        let indices = random.integers([theta.shape[0], batchSize], in: 0..<total)
        let batch = data.indexed([indices])
        let estimate = valueAndGradient(of: { likelihood($0, batch) }, at: theta).gradient
        let gradient = prior.gradient(theta).adding(estimate, scale: Double(total) / Double(batchSize))
        let epsilon = stepSizes(state.time)
        let fresh = random.normal(theta.shape, theta.elementType)
        let moved = theta.adding(gradient, scale: epsilon / 2).adding(fresh, scale: epsilon.squareRoot())
        return State(position: moved, time: state.time + 1)
    }
}
