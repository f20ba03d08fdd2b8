import Tensors

/// Guidance that grows over the steps, from the unconditional estimate to another guidance's: ε̂ = ε∅ + f·(ε̂_g − ε∅), with the
/// share f of the step. For classifier-free guidance that is a scale of f·s.
public struct ScheduledGuidance<Base: Guidance>: Guidance {
    /// The guidance that is reached where f is 1.
    public var base: Base
    /// f at a level.
    public var share: @Sendable (NoiseLevel) -> Double

    /// Only the condition counts where all of the base acts, and that is it for the base.
    public func isConditional(at level: NoiseLevel) -> Bool {
        share(level) == 1 && base.isConditional(at: level)
    }

    /// The base's estimate, or a part of the way to it.
    public func callAsFunction(_ branches: Branches<Estimate>, sample x: Tensor, at level: NoiseLevel)
        -> Estimate
    {
        let guided = base(branches, sample: x, at: level)
        let (share, plain) = (share(level), branches.unconditional)
        if share == 1 { return guided }
        if share == 0 { return plain }
        return Estimate(
            data: plain.data.adding(guided.data - plain.data, scale: share),
            noise: plain.noise.adding(guided.noise - plain.noise, scale: share),
            variance: guided.variance)
    }
}

extension Guidance {
    /// This guidance, growing over the steps of a run.
    public func scheduled(_ schedule: GuidanceSchedule, over grid: StepGrid) -> ScheduledGuidance<Self> {
        ScheduledGuidance(base: self) { schedule.share(grid.place(of: $0)) }
    }
}
