import Tensors

/// A Markov chain of finitely many states, whose whole transition matrix is at hand.
public struct FiniteChain: MarkovSampler {
    /// P_ij, the probability to go from i to j: `[S, S]`, rows of sum 1.
    public let transitions: Tensor

    /// A chain of a transition matrix `[S, S]`, its rows scaled to sum 1.
    public init(transitions: Tensor) {
        let wide = transitions.to(.float64)
        self.transitions = wide / wide.sum([1], keepingDimensions: true)
    }

    /// The Metropolis–Hastings chain to a target π with a proposal q:
    /// P_ij = q_ij·min(1, π_j·q_ji / π_i·q_ij) off the diagonal. Source: Hastings 1970, equation 8.
    /// - Parameters:
    ///   - target: π up to a constant, `[S]`, positive.
    ///   - proposal: q, `[S, S]`, rows of sum 1.
    public init(target: Tensor, proposal: Tensor) {
        let flow = target.unsqueezed(1) * proposal
        let moves = minimum(flow, flow.transposed()) / target.unsqueezed(1)
        let away = moves - moves.diagonal().diagonalMatrix()
        transitions = away + (1 - away.sum([1])).diagonalMatrix()
    }

    /// max |π_i·P_ij − π_j·P_ji|: 0 where the chain is reversible with respect to π, and so keeps it.
    /// - Parameter target: π, `[S]`, of sum 1.
    public func detailedBalanceError(_ target: Tensor) -> Tensor {
        let flow = target.unsqueezed(1) * transitions
        return (flow - flow.transposed()).magnitude().max()
    }

    /// The distribution after a number of steps, from one `[S]`.
    public func distribution(_ start: Tensor, after steps: Int) -> Tensor {
        (0..<steps).reduce(start) { law, _ in law.matmul(transitions) }
    }

    /// Chains at states `[chains]`, int64.
    public func start(at points: Tensor) -> PlainState { PlainState(position: points) }

    /// Every chain a step further: the first state whose cumulative probability exceeds a uniform number.
    public func step(_ state: PlainState, _ random: RandomGenerator) -> PlainState {
        let cumulative = transitions.gathered(state.position).cumulativeSum(1)
        let threshold = random.uniform([state.position.shape[0], 1], .float64)
        let passed = (cumulative .<= threshold).to(.int64).sum([1])
        // The last sum may fall short of 1 by rounding.
        return PlainState(position: passed.clamped(upTo: Double(transitions.shape[0] - 1)).to(.int64))
    }
}
