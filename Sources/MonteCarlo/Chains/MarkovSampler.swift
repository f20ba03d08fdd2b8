import Tensors

/// What a batch of chains knows between steps.
public protocol ChainState: Sendable {
    /// Where each chain is, `[chains, …]`.
    var position: Tensor { get }
}

/// One step of a Markov chain, for a batch of independent chains at once. An immutable value; what the
/// next step depends on is its `State`.
public protocol MarkovSampler<State>: Sendable {
    /// What a batch of chains knows between steps.
    associatedtype State: ChainState

    /// Chains at given points `[chains, …]`.
    func start(at points: Tensor) -> State

    /// Every chain a step further.
    func step(_ state: State, _ random: RandomGenerator) -> State
}

/// The states of a batch of chains one after another, without end: the caller's `for` loop says when.
public struct Chain<Sampler: MarkovSampler>: Sequence, IteratorProtocol {
    private let sampler: Sampler
    private let random: RandomGenerator
    private var state: Sampler.State

    init(_ sampler: Sampler, from state: Sampler.State, _ random: RandomGenerator) {
        self.sampler = sampler
        self.state = state
        self.random = random
    }

    /// The state after the next step.
    public mutating func next() -> Sampler.State? {
        state = sampler.step(state, random)
        return state
    }
}

extension MarkovSampler {
    /// The states after each step of chains from given points `[chains, …]`.
    public func chain(from points: Tensor, _ random: RandomGenerator) -> Chain<Self> {
        Chain(self, from: start(at: points), random)
    }

    /// Where the chains are at `count` times, `[count, chains, …]`.
    /// - Parameters:
    ///   - discarding: steps before the first of them, for the chains to forget where they began.
    ///   - interval: steps from each of them to the next.
    public func samples(
        _ count: Int, from points: Tensor, discarding: Int = 0, every interval: Int = 1,
        _ random: RandomGenerator
    ) -> Tensor {
        var state = start(at: points)
        for _ in 0..<discarding { state = step(state, random) }
        return stacked(
            (0..<count).map { _ in
                for _ in 0..<interval { state = step(state, random) }
                return state.position
            })
    }
}
