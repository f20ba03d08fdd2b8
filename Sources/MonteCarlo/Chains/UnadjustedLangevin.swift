import Tensors

/// The overdamped Langevin equation dx = ∇ ln p·dt + √2·dB in steps of h, without a correction: its law is
/// off by order h.
/// Source: Parisi 1981; Roberts and Tweedie 1996, section 1.4.1 (ULA), with their step 2h.
public struct UnadjustedLangevin: MarkovSampler {
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
    public func start(at points: Tensor) -> PlainState { PlainState(position: points) }

    /// x + h·∇ ln p + √(2h)·z
    public func step(_ state: PlainState, _ random: RandomGenerator) -> PlainState {
        let x = state.position
        let fresh = random.normal(x.shape, x.elementType)
        return PlainState(
            position: x.adding(target.gradient(x), scale: stepSize)
                .adding(fresh, scale: (2 * stepSize).squareRoot()))
    }
}
