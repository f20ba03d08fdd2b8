import Datasets
import Diffusion
import Foundation
import Layers
import Networks
import Tensors

/// A network that learns to denoise by an objective: codec → conditioner → `Objective`.
public final class DenoisingTask: TrainingTask {
    /// The parameters. What is conditioned on, such as a text encoder, may be among them.
    public let store: ParameterStore
    /// The network that learns to denoise.
    public let student: any NoiseNetwork
    /// What examples become before noise is added.
    public var codec: any ExampleCodec = PlainCodec()
    /// What the network is given beside the noisy examples.
    public var conditioner: any Conditioner = Unconditioned()
    /// The loss, and what it remembers of earlier steps.
    private var objective: RunningObjective
    /// The order in memory of pictures.
    private let memoryFormat: MemoryFormat
    private let device: Device

    /// A task with a network that is built already.
    /// - Parameter memoryFormat: the order in memory in which the network takes pictures.
    public init(
        store: ParameterStore, student: any NoiseNetwork, objective: any Objective,
        memoryFormat: MemoryFormat = .contiguous
    ) {
        (self.store, self.student, self.memoryFormat) = (store, student, memoryFormat)
        self.objective = RunningObjective(objective)
        device = store.parameters.first?.device ?? .cpu
    }

    /// A task with a network whose parameters are drawn from a recipe's seed, on its device.
    /// - Throws: what `network` throws; `TensorError` where the device is not there.
    public convenience init(
        _ recipe: Recipe, objective: any Objective, network: (Weights) throws -> any NoiseNetwork
    ) throws {
        let store = try ParameterStore(trainedBy: recipe)
        self.init(
            store: store, student: try store.build(network), objective: objective,
            memoryFormat: recipe.training.memoryFormat.format)
    }

    /// The objective's losses.
    public func losses(_ batch: Batch, phase: Int, step: Int, _ generator: RandomGenerator) throws -> Losses {
        let (example, roles) = try bound(to: batch, generator, isTraining: true)
        return try objective.losses(example, roles, generator)
    }

    /// The mean loss at eight fixed times, evenly spaced in the distribution that training draws from. No condition is
    /// hidden and nothing is dropped.
    public func heldOutLoss(_ batch: Batch, _ generator: RandomGenerator) throws -> Double {
        let (example, roles) = try bound(to: batch, generator, isTraining: false)
        return try objective.heldOutLosses(example, roles, generator).detached().mean().item(Double.self)
    }

    /// The objective's memory.
    public func savedMemory() throws -> Data { try objective.savedMemory() }

    /// Goes on from the objective's saved memory.
    public func restoreMemory(_ saved: Data) throws { try objective.restore(saved) }

    /// A batch as objectives take it, and the network with its conditions bound.
    /// - Parameters:
    ///   - generator: for what the codec draws and, in training, for hidden conditions and dropout.
    ///   - isTraining: whether conditions are hidden and numbers dropped.
    private func bound(to batch: Batch, _ generator: RandomGenerator, isTraining: Bool) throws -> (
        Example, Roles
    ) {
        let dropout = isTraining ? generator : nil
        let conditions = try conditioner.conditions(of: batch, hiding: dropout, on: device)
        let network = student
        return (
            try example(of: batch, generator),
            Roles { x, times in network(x, time: times, conditions, dropout: dropout) }
        )
    }

    /// A batch encoded, on the device.
    private func example(of batch: Batch, _ generator: RandomGenerator) throws -> Example {
        func placed(_ tensor: Tensor) -> Tensor { tensor.placed(on: device, memoryFormat) }
        var example = Example(data: try codec.encoded(placed(batch.data), generator))
        let own = batch.tensors.filter { !["data", "labels"].contains($0.key) }
        for (name, tensor) in own { example[name] = placed(tensor) }
        example.labels = conditioner.classes(of: batch)
        return example
    }
}

extension ParameterStore {
    /// An empty store whose parameters are drawn from a recipe's seed, on its device.
    /// - Throws: `TensorError` where the device is not there.
    public convenience init(trainedBy recipe: Recipe) throws {
        self.init(
            .initialized(RandomGenerator(seed: UInt64(truncatingIfNeeded: recipe.seed))), purpose: .training,
            on: try Device(available: recipe.training.device),
            memoryFormat: recipe.training.memoryFormat.format)
    }
}

extension Tensor {
    /// On a device, a batch of pictures in an order of memory.
    func placed(on device: Device, _ memoryFormat: MemoryFormat) -> Tensor {
        let sent = sent(to: device)
        return sent.rank == 4 ? sent.contiguous(memoryFormat) : sent
    }
}
