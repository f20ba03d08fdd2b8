import Tensors

/// Chains that know no more than where they are.
public struct PlainState: ChainState {
    /// `[chains, D]`; of chains over finitely many states `[chains]`, int64.
    public var position: Tensor
}

/// A chain that draws one coordinate after another from its distribution given all others; every move is
/// accepted. One step is a sweep over all coordinates.
/// Source: Geman and Geman 1984, section XII.
public struct GibbsSampler: MarkovSampler {
    /// New values `[chains]` of one coordinate, given points `[chains, D]`.
    public typealias Conditional = @Sendable (_ x: Tensor, RandomGenerator) -> Tensor

    /// How coordinate 0, 1, … is drawn.
    public var conditionals: [Conditional]

    /// A sweep over coordinates; `Gaussian.conditionals` are some.
    public init(_ conditionals: [Conditional]) {
        self.conditionals = conditionals
    }

    /// Chains at points `[chains, D]`.
    public func start(at points: Tensor) -> PlainState { PlainState(position: points) }

    /// Every chain a sweep further.
    public func step(_ state: PlainState, _ random: RandomGenerator) -> PlainState {
        var x = state.position
        for (index, draw) in conditionals.enumerated() {
            let place = Tensor.full(Double(index), [x.shape[0], 1], .int64)
            x = x.scattering(draw(x, random).unsqueezed(1), at: place, along: 1)
        }
        return PlainState(position: x)
    }
}
