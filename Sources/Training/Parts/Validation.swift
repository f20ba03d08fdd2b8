import Datasets
import Diffusion
import Networks
import Tensors

/// The loss on held-out examples at eight fixed times, evenly spaced in the distribution that training draws from, with
/// the same noise every time: what it shows from step to step is the network alone.
struct Validation {
    /// The most examples that are looked at.
    private static let mostExamples = 64
    private let parts: TrainingParts
    private let batch: Batch
    private let device: Device

    /// Takes examples evenly from what is held back.
    init(_ parts: TrainingParts, _ heldOut: any Dataset, on device: Device) throws {
        let count = min(heldOut.count, Self.mostExamples)
        (self.parts, self.device) = (parts, device)
        var batch = try heldOut.batch(at: (0..<count).map { $0 * heldOut.count / count })
        batch.captions = batch.captions?.map { Array($0.prefix(1)) }
        self.batch = batch
    }

    /// The mean loss. No condition is hidden and nothing is dropped.
    func loss() throws -> Double {
        let generator = RandomGenerator(seed: 0)
        let (example, roles) = try parts.bound(to: batch, generator, isTraining: false, on: device)
        return try RunningObjective(parts.objective).heldOutLosses(example, roles, generator).detached()
            .mean()
            .item(Double.self)
    }
}
