import Tensors

/// L_simple + λ·L_vlb for a network that learns its variance: the bound moves the variance alone, for
/// no gradient goes through its mean.
///
/// Both parts come from one draw of time and noise; L_vlb is T times the drawn term, as λ = 0.001 means it. The network
/// has twice the channels of its sample: the prediction, and the share of ln β in the logarithm of the variance, from
/// −1 to 1 (diffusers' `learned_range`).
/// Source: Nichol and Dhariwal 2021 (arXiv:2102.09672), equation 16 and section 3.1.
public struct HybridObjective: TimedObjective {
    /// What is trained, and how its network takes a sample.
    public let process: Process
    /// λ
    public let boundWeight: Double
    /// How much each level counts in the squared error.
    public let weighting: LossWeighting
    /// How times are drawn.
    public let times: any TimeSampling
    /// The bound, with a learned variance.
    public let bound: VariationalBound

    /// An objective.
    /// - Parameter variance: what the network's further channels mean: `learnedRange`, or `learned`.
    /// - Throws: `DiffusionError` where the process is no table of at least two steps.
    public init(
        _ process: Process, boundWeight: Double = 0.001, weighting: LossWeighting = .simple,
        variance: VariationalBound.Variance = .learnedRange, decoder: VariationalBound.Decoder = .pixels,
        times: (any TimeSampling)? = nil
    ) throws {
        self.process = process
        self.boundWeight = boundWeight
        self.weighting = weighting
        self.times = times ?? process.schedule.uniformTimes
        bound = try VariationalBound(process, variance: variance, decoder: decoder)
        precondition(bound.learnsVariance, "the hybrid loss is for a learned variance")
    }

    /// The squared error, and the bound's term at λ·T; the mean over the elements of each example. Draws the noise where the
    /// example has none.
    public func losses(
        _ example: Example, _ roles: Roles, at times: [Double], _ generator: RandomGenerator
    ) throws -> Losses {
        let noisy = NoisyExample(example, on: process, at: times, generator)
        let output = try bound.output(of: roles.student, for: noisy)
        let (predicted, share) = bound.parts(output)
        let simple = noisy.weightedError(of: predicted, weighting)
        let fixedMean = concatenated([predicted.detached(), share!], along: 1)
        let scaled = bound.scaledTerm(of: noisy, at: times, output: fixedMean, weight: boundWeight)
        return Losses(simple + scaled, parts: [("simple", simple), ("bound", scaled)])
    }
}

extension VariationalBound {
    /// The bound of a process.
    /// - Throws: `DiffusionError` where the process is no table of at least two steps.
    init(_ process: Process, variance: Variance, decoder: Decoder) throws {
        guard let schedule = process.schedule as? DiscreteSchedule, schedule.count > 1 else {
            throw DiffusionError(
                "the variational bound is a sum over the steps of a table of β: use a process of at least two such steps, or the denoising objective"
            )
        }
        self.init(
            schedule: schedule, prediction: process.parameterization.output, variance: variance,
            decoder: decoder)
    }

    /// What a network gives for a noisy example, with as many channels as the bound reads.
    /// - Throws: the error that a tensor carries.
    func output(of network: Roles.Network, for noisy: NoisyExample) throws -> Tensor {
        let x = noisy.sample
        let output = noisy.batch.rawOutput(network, x)
        try output.rethrow()
        let channels = learnsVariance ? 2 * x.shape[1] : x.shape[1]
        precondition(
            output.shape[1] == channels,
            "the network gave \(output.shape) for a sample \(x.shape), not \(channels) channels")
        return output
    }

    /// The terms of the drawn times, times T, so that their mean over even times is the bound, `[batch]`.
    func scaledTerm(
        of noisy: NoisyExample, at times: [Double], output: Tensor, weight: Double = 1
    ) -> Tensor {
        let indices = Tensor(times.map { Int($0) })
        return term(noisy.data, sample: noisy.sample, times: indices, output: output)
            * (weight * Double(schedule.count))
    }
}
