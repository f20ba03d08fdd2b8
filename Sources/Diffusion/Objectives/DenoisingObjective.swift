import Tensors

/// The squared error of what a network predicts for a noisy sample: one objective for every process,
/// meaning of the output, weighting and distribution of times.
///
/// Source: Ho et al. 2020 (arXiv:2006.11239), algorithm 1; with `EDMPreconditioning` over `EDMSchedule` at log-normal
/// times Karras et al. 2022 (arXiv:2206.00364), equation 8; over `StraightSchedule` rectified flow, Esser et al. 2024
/// (arXiv:2403.03206), section 2.
public struct DenoisingObjective: TimedObjective {
    /// What is trained, and how its network takes a sample.
    public let process: Process
    /// How much each level counts.
    public let weighting: LossWeighting
    /// How times are drawn.
    public let times: any TimeSampling

    /// An objective.
    public init(_ process: Process, weighting: LossWeighting = .simple, times: any TimeSampling) {
        self.process = process
        self.weighting = weighting
        self.times = times
    }

    /// An objective whose times are all as likely.
    public init(_ process: Process, weighting: LossWeighting = .simple) {
        self.init(process, weighting: weighting, times: process.schedule.uniformTimes)
    }

    /// w·‖F − target‖², the mean over the elements of each example. Draws the noise where the example has none.
    public func losses(
        _ example: Example, _ roles: Roles, at times: [Double], _ generator: RandomGenerator
    ) throws -> Losses {
        let noisy = NoisyExample(example, on: process, at: times, generator)
        let output = try noisy.batch.output(roles.student, noisy.sample)
        return Losses(noisy.weightedError(of: output, weighting))
    }
}
