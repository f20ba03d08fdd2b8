import Datasets
import Tensors

/// The loss on held-out examples, with the same random numbers every time: what it shows from step to step is the model
/// alone.
struct Validation {
    /// The most examples that are looked at.
    private static let mostExamples = 64
    private let task: any TrainingTask
    private let batch: Batch

    /// Takes examples evenly from what is held back.
    init(_ task: any TrainingTask, _ heldOut: any Dataset) throws {
        self.task = task
        var batch = try heldOut.batch(at: heldOut.evenlySpread(Self.mostExamples))
        batch.captions = batch.captions?.map { Array($0.prefix(1)) }
        self.batch = batch
    }

    /// The mean loss.
    func loss() throws -> Double { try task.heldOutLoss(batch, RandomGenerator(seed: 0)) }
}
