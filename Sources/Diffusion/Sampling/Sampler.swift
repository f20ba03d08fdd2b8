import Tensors

/// A process cut into steps, and the method that takes them: all that a run needs beside a denoiser.
public struct Sampler: Sendable {
    /// Where the method stops.
    public var grid: StepGrid
    /// The method.
    public var solver: any Solver
    /// How estimated data are kept in range, `nil` where they are not.
    public var thresholding: Thresholding?
    /// Whether the estimated noise follows the data that were kept in range.
    public var recomputesNoise: Bool
    /// Whether the times of the grid are those of the process that the network was trained on. Where another
    /// process's grid is taken, times for the network come from the log-SNR of the levels.
    public var hasTimesOfProcess = true

    /// A sampler.
    public init(
        _ grid: StepGrid, _ solver: any Solver, thresholding: Thresholding? = nil,
        recomputesNoise: Bool = false
    ) {
        self.grid = grid
        self.solver = solver
        self.thresholding = thresholding
        self.recomputesNoise = recomputesNoise
    }

    /// Checks that data and noise follow from the network's output wherever it is called.
    ///
    /// Where no signal is left, a predicted noise makes the data infinite. Where they are cut off at ± a range
    /// their sign is left, which is what diffusers samples, too; but the noise that an exact model predicts there is
    /// the sample itself, and its data are 0/0.
    /// - Throws: `DiffusionError` that names the time.
    public func check(_ output: any OutputMeaning, isExact: Bool = false) throws {
        guard let step = grid.steps.first(where: { !output.isDefined(at: $0.from) }) else { return }
        if case .fixed? = thresholding, output as? Prediction == .noise, !isExact { return }
        let lost = step.from.alpha == 0 ? "the data where no signal is left" : "the noise where there is none"
        let time = step.from.time ?? 0
        throw DiffusionError(
            "predicted \(output.word) says nothing of \(lost), at time \(Int(exactly: time).map(String.init) ?? "\(time)"): use a model that predicts v, or another grid"
        )
    }

    /// The variance that a step takes from the network; `nil` where none does.
    public var learnedVariance: ReverseVariance? {
        guard let variance = (solver as? DDPMSolver)?.variance, variance.isLearned,
            // A step from the first time of the process adds no noise.
            grid.steps.contains(where: { ($0.from.time ?? 1) > 0 })
        else { return nil }
        return variance
    }

    /// This sampler, where every level that it passes is finite.
    /// - Throws: `DiffusionError` that names the first step where it is not.
    package func checked() throws -> Sampler {
        try grid.checkFinite()
        return self
    }

    /// A denoiser with the data kept in range as this sampler wants them.
    public func ranged(_ denoiser: Denoiser) -> Denoiser {
        guard let thresholding else { return denoiser }
        return denoiser.thresholded(thresholding, recomputingNoise: recomputesNoise)
    }

    /// The run from unit noise `[batch, …]`.
    public func sampling(_ noise: Tensor, denoiser: Denoiser, source: NoiseSource) -> AnySequence<
        SamplingProgress
    > {
        solver.sampling(scaled(noise), through: grid, denoiser: ranged(denoiser), noise: source)
    }

    /// What stands between samples of this run and the network of a process.
    public func parameterization(of process: Process) -> Parameterization {
        guard !hasTimesOfProcess else { return process.parameterization }
        var parameterization = process.parameterization
        let time = parameterization.time
        parameterization.time = { level in
            time(NoiseLevel(time: nil, alpha: level.alpha, sigma: level.sigma))
        }
        return parameterization
    }

    /// Unit noise as the sample that the grid starts with.
    public func scaled(_ noise: Tensor) -> Tensor {
        grid.startScale == 1 ? noise : noise * grid.startScale
    }
}
