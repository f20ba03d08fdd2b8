import Tensors

/// The Langevin step as a proposal that is accepted or not: exact for any h.
/// Source: Roberts and Tweedie 1996, section 1.4.2 (MALA), with their step 2h.
public struct MetropolisAdjustedLangevin: MarkovSampler {
    /// What the next step depends on.
    public struct State: ChainState {
        /// Position, density and acceptance.
        public var walk: MetropolisState
        /// ∇ ln p, `[chains, D]`.
        public var gradient: Tensor

        /// `[chains, D]`
        public var position: Tensor { walk.position }
    }

    /// ln p up to a constant.
    public var target: LogDensity
    /// h
    public var stepSize: Double

    /// Steps of h.
    public init(target: LogDensity, stepSize: Double) {
        self.target = target
        self.stepSize = stepSize
    }

    /// Chains at points `[chains, D]`.
    public func start(at points: Tensor) -> State {
        let (logDensity, gradient) = target.valueAndGradient(points)
        return State(walk: MetropolisState(position: points, logDensity: logDensity), gradient: gradient)
    }

    /// Every chain a step further, or where it was.
    public func step(_ state: State, _ random: RandomGenerator) -> State {
        var next = state
        let x = state.position
        let fresh = random.normal(x.shape, x.elementType)
        let mean = x.adding(state.gradient, scale: stepSize)
        let y = mean.adding(fresh, scale: (2 * stepSize).squareRoot())
        let (logDensity, gradient) = target.valueAndGradient(y)
        // ln q(x|y) − ln q(y|x), q(y|x) = N(y; x + h·∇ ln p(x), 2h).
        let back = (x - y.adding(gradient, scale: stepSize)).squared().sum([1]) / (4 * stepSize)
        let forth = fresh.squared().sum([1]) * 0.5
        let passes = next.walk.move(
            to: y, logDensity: logDensity, logRatio: logDensity - state.walk.logDensity + forth - back, random
        )
        next.gradient = passes.unsqueezed(1).choosing(gradient, otherwise: state.gradient)
        return next
    }
}
