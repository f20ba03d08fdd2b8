import Diffusion
import Tensors

extension SchedulerConfiguration {
    /// The sampler of a run of `steps` steps, as diffusers' class of that name makes it.
    /// - Throws: `DiffusionError` where the process has no such steps, or a combination of flags has no meaning.
    public func sampler(steps: Int, options: SamplerOptions = SamplerOptions()) throws -> Sampler {
        guard (1...StepGrid.maximalCount).contains(steps) else {
            throw DiffusionError(field: "steps", "is \(steps): give 1 to \(StepGrid.maximalCount)")
        }
        try options.check(readBy: kind.name, kind.reads)
        var sampler = try kind.makeSampler(self, steps, options)
        // PNDM starts anew wherever it starts.
        if kind == .pndm { return try sampler.checked() }
        sampler.grid = sampler.grid.dropping(first: options.skippedSteps)
        return try sampler.checked()
    }

    /// How estimated data are kept in range by classes that know both ways, `nil` where they are not.
    public var thresholding: Thresholding? {
        if thresholds { return .dynamic(quantile: thresholdQuantile, maximum: thresholdMaximum) }
        return clipsData ? .fixed(range: clipRange) : nil
    }

    /// The discrete process.
    public var schedule: DiscreteSchedule {
        let schedule =
            if hasSingleTables {
                DiscreteSchedule(
                    single: trainedBetas.map { Tensor($0).to(.float32) }
                        ?? betaSchedule.singleBetas(count: trainSteps, from: betaStart, to: betaEnd))
            } else {
                DiscreteSchedule(
                    betas: trainedBetas
                        ?? betaSchedule.betas(count: trainSteps, from: betaStart, to: betaEnd))
            }
        return zeroTerminalSNR ? schedule.rescaledToZeroTerminalSNR() : schedule
    }

    /// Throws where a discrete process has fewer times than a run has steps.
    func checkSteps(_ steps: Int) throws {
        guard steps <= trainSteps else {
            throw DiffusionError(field: "steps", "is \(steps): this process allows 1 to \(trainSteps)")
        }
    }
}
