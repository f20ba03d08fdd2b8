import Tensors

/// Importance sampling by a walk from an easy distribution p₀ to the target f through
/// f_β = p₀^(1−β)·f^β: at each β the points are weighted, then moved by a chain that leaves f_β alone.
///
/// In physics the same is driving a system by force; minus the logarithm of a weight is the work done on
/// it. Source: Neal 1998 (arXiv:physics/9803008), section 2; Jarzynski 1997 (arXiv:cond-mat/9610209).
public struct AnnealedImportanceSampling<Base: Distribution, Kernel: MarkovSampler>: Sendable {
    /// All that the coming steps depend on.
    public struct State: Sendable {
        /// `[count, D]`
        public var points: Tensor
        /// W, `[count]`, in units of the temperature.
        public var work: Tensor
        /// How many β have been passed.
        public var index: Int
    }

    /// p₀
    public var base: Base
    /// ln f up to a constant, whose exponential is the normaliser that is sought.
    public var target: LogDensity
    /// β from above 0 to 1, ascending.
    public var betas: [Double]
    /// How many steps the chain takes at each β.
    public var moves: Int
    /// The chain that leaves a density alone.
    public var kernel: @Sendable (LogDensity) -> Kernel

    /// A walk in `betas.count` steps.
    public init(
        from base: Base, to target: LogDensity, betas: [Double], moves: Int = 1,
        kernel: @escaping @Sendable (LogDensity) -> Kernel
    ) {
        precondition(
            betas.last == 1 && zip([0] + betas, betas).allSatisfy { $0 < $1 }, "β ascends from above 0 to 1")
        self.base = base
        self.target = target
        self.betas = betas
        self.moves = moves
        self.kernel = kernel
    }

    /// Points of p₀; no work is done yet.
    public func start(_ count: Int, _ random: RandomGenerator) -> State {
        let points = base.draw(count, random)
        return State(points: points, work: Tensor.zeros([count], points.elementType), index: 0)
    }

    /// On to the next β: W += (β − β′)·(ln p₀ − ln f), then the chain's moves.
    public func step(_ state: State, _ random: RandomGenerator) -> State {
        var next = state
        let beta = betas[state.index]
        let increment = beta - (state.index == 0 ? 0 : betas[state.index - 1])
        let difference = base.logDensity(state.points) - target(state.points)
        next.work = state.work.adding(difference, scale: increment)
        let chain = kernel(base.target.path(to: target, at: beta))
        var walker = chain.start(at: state.points)
        for _ in 0..<moves { walker = chain.step(walker, random) }
        next.points = walker.position
        next.index += 1
        return next
    }

    /// The whole walk of `count` points.
    public func run(_ count: Int, _ random: RandomGenerator) -> AnnealedWork {
        var state = start(count, random)
        for _ in betas { state = step(state, random) }
        return AnnealedWork(points: state.points, work: state.work)
    }
}

/// The work of many forward walks, and the free energy that follows from it: ΔF = −ln(Z/Z₀).
public struct AnnealedWork: Sendable {
    /// Where the walks ended, `[count, D]`.
    public let points: Tensor
    /// W of each, `[count]`.
    public let work: Tensor

    /// The work of walks that ended at points.
    public init(points: Tensor, work: Tensor) {
        self.points = points
        self.work = work
    }

    /// The end points with weights e^(−W).
    public var samples: WeightedSamples { WeightedSamples(points: points, logWeights: -work) }

    /// ΔF = −ln⟨e^(−W)⟩, exact for any number of steps in the limit of many walks.
    /// Source: Jarzynski 1997 (arXiv:cond-mat/9610209), equation 2.
    public var freeEnergy: Tensor { -samples.logNormalizer }

    /// ⟨W⟩ − var(W)/2: the second-order cumulant expansion of the same, exact where W is Gaussian.
    /// Source: Jarzynski 1997 (arXiv:cond-mat/9610209), the expansion after equation 2.
    public var cumulantFreeEnergy: Tensor { work.mean() - work.variance() * 0.5 }

    /// ⟨W⟩ − ΔF ≥ 0: the work that a slower walk would have saved; the Jensen gap of the weights.
    public var dissipation: Tensor { samples.jensenGap }
}
