import Tensors

/// The part of a sample that is known: inpainting puts it back, noised to the sample's level, after every
/// step.
///
/// Source: Lugmayr et al. 2022 (arXiv:2201.09865), equation 8, without its resampling; Song et al. 2021
/// (arXiv:2011.13456), appendix I.2.
public struct KnownRegion: Sendable {
    /// The data, of which the known part counts, `[batch, …]`.
    public var data: Tensor
    /// The noise that is laid on them, the same at every level.
    public var noise: Tensor
    /// 1 where data are to be made and 0 where they are known, `[1 or batch, …]`.
    public var mask: Tensor
    /// How much noise known data have beside a sample at a level.
    public var level: @Sendable (NoiseLevel) -> NoiseLevel

    /// A region.
    public init(
        data: Tensor, noise: Tensor, mask: Tensor,
        level: @escaping @Sendable (NoiseLevel) -> NoiseLevel = { $0 }
    ) {
        (self.data, self.noise, self.mask, self.level) = (data, noise, mask, level)
    }

    /// A sample with its known part put back at a level; without noise where that is `nil`.
    func restored(in x: Tensor, at level: NoiseLevel?) -> Tensor {
        let known = level.map(self.level).map { (data * $0.alpha).adding(noise, scale: $0.sigma) } ?? data
        return known + mask * (x - known)
    }
}

/// A method that puts the known part of the sample back after every step.
struct RestoringSolver<Base: Solver>: Solver {
    let base: Base
    let region: KnownRegion
    /// The grid, whose next step says what level a sample is at.
    let grid: StepGrid

    var couplesExamples: Bool { base.couplesExamples }
    var stepsFromEstimate: Bool { base.stepsFromEstimate }
    func start() -> Base.Memory { base.start() }

    func step(
        _ x: Tensor, _ step: StepGrid.Step, _ memory: inout Base.Memory, denoiser: Denoiser,
        noise: NoiseSource
    ) -> (sample: Tensor, estimate: Estimate) {
        let level = grid.steps.first { $0.index == step.index + 1 }?.from
        // Stages inside a step see the known part at the level where the step ends, as in diffusers.
        let inside = Denoiser { x, asked in
            denoiser(asked == step.from ? x : region.restored(in: x, at: step.to), asked)
        }
        let result = base.step(x, step, &memory, denoiser: inside, noise: noise)
        return (region.restored(in: result.sample, at: level), result.estimate)
    }
}

extension Sampler {
    /// This sampler with the known part of samples put back after every step.
    public func restoring(_ region: KnownRegion) -> Sampler {
        func wrapped(_ solver: some Solver) -> any Solver {
            RestoringSolver(base: solver, region: region, grid: grid)
        }
        var sampler = self
        sampler.solver = wrapped(solver)
        return sampler
    }
}
