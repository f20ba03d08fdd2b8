import Foundation
import Tensors

/// The Gaussian of independent coordinates that is nearest to a posterior in KL(q‖p), found by climbing the evidence's
/// lower bound along gradients of reparameterised draws θ = m + s·z.
/// Source: Kingma and Welling 2014 (arXiv:1312.6114), section 2.4; Blei et al. 2017 (arXiv:1601.00670), section 2.
public struct MeanFieldInference: Sendable {
    /// What the next step depends on.
    public struct State: Sendable {
        /// m, `[D]`
        public var mean: Tensor
        /// ln s, `[D]`
        public var logDeviation: Tensor
        /// The number of steps taken.
        public var time: Int

        /// q
        public var gaussian: DiagonalGaussian {
            DiagonalGaussian(mean: mean, variance: (logDeviation * 2).exp())
        }
    }

    /// ln p(y, θ), up to a constant.
    public var logJoint: LogDensity
    /// Draws per step, half of them the mirror images of the others.
    public var draws: Int
    /// The rate of the first step; that of step t is rate/(1 + t/settling).
    public var rate: Double
    /// The number of steps after which the rate has halved.
    public var settling: Double

    /// Climbs a bound.
    public init(logJoint: LogDensity, draws: Int = 32, rate: Double, settling: Double = 100) {
        precondition(draws > 1 && draws.isMultiple(of: 2), "draws come in mirrored pairs")
        self.logJoint = logJoint
        self.draws = draws
        self.rate = rate
        self.settling = settling
    }

    /// From a Gaussian.
    public func start(at gaussian: DiagonalGaussian) -> State {
        State(mean: gaussian.mean, logDeviation: gaussian.variance.log() * 0.5, time: 0)
    }

    /// A step up: m by ⟨∇ ln p⟩, ln s by ⟨∇ ln p·s·z⟩ + 1, the 1 being the entropy's; m in units of s.
    public func step(_ state: State, _ random: RandomGenerator) -> State {
        let half = random.normal([draws / 2, state.mean.shape[0]], state.mean.elementType)
        let unit = concatenated([half, -half])
        let deviation = state.logDeviation.exp()
        let score = logJoint.gradient(state.mean + deviation * unit)
        let own = rate / (1 + Double(state.time) / settling)
        let mean = state.mean + deviation.squared() * score.mean([0]) * own
        let slope = (score * deviation * unit).mean([0]) + 1
        return State(
            mean: mean, logDeviation: state.logDeviation.adding(slope, scale: own), time: state.time + 1)
    }

    /// q after a number of steps.
    public func run(_ steps: Int, from gaussian: DiagonalGaussian, _ random: RandomGenerator)
        -> DiagonalGaussian
    {
        (0..<steps).reduce(start(at: gaussian)) { state, _ in step(state, random) }.gaussian
    }
}
