import Tensors

/// The cross-entropy of a classifier of noisy samples, whose gradient guides samples to a class.
///
/// L = −ln p(y|x_t), with x_t = α·x₀ + σ·ε at times drawn as a denoiser's are. The network gives a number for each class,
/// `[batch, classes]`, of a sample in the scaling of its process and of a time, and reads the labels of the example.
/// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), section 4 and appendix H.
public struct ClassificationObjective: TimedObjective {
    /// What noise is added by, and how the network takes a sample.
    public let process: Process
    /// How times are drawn.
    public let times: any TimeSampling

    /// An objective.
    public init(_ process: Process, times: any TimeSampling) {
        (self.process, self.times) = (process, times)
    }

    /// An objective whose times are all as likely.
    public init(_ process: Process) {
        self.init(process, times: process.schedule.uniformTimes)
    }

    /// How a classifier did on examples, `[batch]` each.
    public struct Outcome {
        /// −ln of the probability of the right class, in nats.
        public let crossEntropy: Tensor
        /// 1 where the likeliest class is the right one, and 0 elsewhere.
        public let isRight: Tensor
    }

    /// How a classifier does on examples at given times, one time for each. Draws the noise where the example has none.
    /// - Throws: `DiffusionError` where the example has no labels; the error that a tensor carries.
    public func outcome(
        _ example: Example, _ roles: Roles, at times: [Double], _ generator: RandomGenerator
    ) throws -> Outcome {
        guard let labels = example.labels?.sent(to: example.data.device) else {
            throw DiffusionError("a classifier learns from classes, and the data have none")
        }
        let noisy = NoisyExample(example, on: process, at: times, generator)
        let logits = noisy.batch.rawOutput(roles.student, noisy.sample)
        try logits.rethrow()
        precondition(
            logits.rank == 2 && logits.shape[0] == example.count,
            "a classifier gave \(logits.shape) for \(example.count) examples")
        return Outcome(
            crossEntropy: -logits.logSoftmax(1).taken(labels.unsqueezed(1), along: 1).squeezed(1),
            isRight: (logits.indexOfMax(1) .== labels).to(logits.elementType))
    }

    /// −ln p(y|x_t) of each example, with the accuracy beside it.
    public func losses(
        _ example: Example, _ roles: Roles, at times: [Double], _ generator: RandomGenerator
    ) throws -> Losses {
        let outcome = try outcome(example, roles, at: times, generator)
        return Losses(outcome.crossEntropy, parts: [("accuracy", outcome.isRight)])
    }
}

extension ClassificationObjective {
    /// The objective of a recipe's words, of which it reads how times are drawn.
    /// - Throws: `DiffusionError` where a word is not known, or samples of the process are bits.
    public init(_ settings: ObjectiveSettings, on process: Process) throws {
        guard !process.isOfBits else {
            throw DiffusionError(
                "a classifier of noisy samples learns on Gaussian noise, and diffusion.process binomial flips bits: use another process"
            )
        }
        self.init(process, times: try settings.times(on: process.schedule))
    }
}
