import Tensors

/// What chains with an acceptance test know between steps.
public struct MetropolisState: ChainState {
    /// `[chains, D]`
    public var position: Tensor
    /// ln p there, up to a constant, `[chains]`.
    public var logDensity: Tensor
    /// How many moves of each chain were accepted, `[chains]`.
    public var accepted: Tensor
    /// How many were proposed.
    public var steps: Int

    /// The share of moves accepted, `[chains]`.
    public var acceptanceRate: Tensor { accepted / Double(max(steps, 1)) }

    init(position: Tensor, logDensity: Tensor) {
        self.position = position
        self.logDensity = logDensity
        accepted = Tensor.zeros([position.shape[0]], .float64, on: position.device)
        steps = 0
    }

    /// Moves on where the test min(1, e^logRatio) passes.
    /// - Returns: where it passed, `[chains]`.
    mutating func move(
        to point: Tensor, logDensity other: Tensor, logRatio: Tensor, _ random: RandomGenerator
    )
        -> Tensor
    {
        // A ratio that is not a number passes no test: the chain stays.
        let passes = random.uniform(logRatio.shape, .float64).log() .< logRatio
        position = passes.unsqueezed(1).choosing(point, otherwise: position)
        logDensity = passes.choosing(other, otherwise: logDensity)
        accepted = accepted + passes.to(.float64)
        steps += 1
        return passes
    }
}

/// A chain that proposes and accepts with probability min(1, p(y)·q(x|y) / p(x)·q(y|x)), so that its law
/// tends to p, known up to a constant.
/// Source: Metropolis et al. 1953; Hastings 1970, equation 8.
public struct MetropolisHastings: MarkovSampler {
    /// A proposed point y `[chains, D]` for x, and ln q(x|y) − ln q(y|x), `[chains]`; `nil` where q is
    /// symmetric.
    public typealias Proposal = @Sendable (_ x: Tensor, RandomGenerator) -> (point: Tensor, logRatio: Tensor?)

    /// ln p up to a constant.
    public var target: LogDensity
    /// q
    public var proposal: Proposal

    /// A chain with a proposal of any kind.
    public init(target: LogDensity, proposal: @escaping Proposal) {
        self.target = target
        self.proposal = proposal
    }

    /// A random walk: y = x + deviation·z.
    public init(target: LogDensity, deviation: Double) {
        self.init(target: target) { x, random in
            (x.adding(random.normal(x.shape, x.elementType), scale: deviation), nil)
        }
    }

    /// Chains at points `[chains, D]`.
    public func start(at points: Tensor) -> MetropolisState {
        MetropolisState(position: points, logDensity: target(points))
    }

    /// Every chain a step further, or where it was.
    public func step(_ state: MetropolisState, _ random: RandomGenerator) -> MetropolisState {
        var next = state
        let (point, logRatio) = proposal(state.position, random)
        let logDensity = target(point)
        let difference = logDensity - state.logDensity
        _ = next.move(
            to: point, logDensity: logDensity, logRatio: logRatio.map { difference + $0 } ?? difference,
            random)
        return next
    }
}
