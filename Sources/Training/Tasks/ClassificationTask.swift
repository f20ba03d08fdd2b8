import Datasets
import Diffusion
import Foundation
import Layers
import Networks
import Tensors

/// A classifier that learns to tell noisy pictures apart.
/// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), section 4 and appendix H.
public final class ClassificationTask: TrainingTask {
    /// The parameters of the network.
    public let store: ParameterStore
    private let network: UNetClassifier
    /// The loss, and what it remembers of earlier steps.
    private var objective: RunningObjective
    private let memoryFormat: MemoryFormat
    private let device: Device

    /// A task with a network that is built already.
    public init(
        store: ParameterStore, network: UNetClassifier, objective: ClassificationObjective,
        memoryFormat: MemoryFormat = .contiguous
    ) {
        (self.store, self.network, self.memoryFormat) = (store, network, memoryFormat)
        self.objective = RunningObjective(objective)
        device = store.parameters.first?.device ?? .cpu
    }

    /// The cross-entropies, with the accuracy beside them.
    public func losses(_ batch: Batch, phase: Int, step: Int, _ generator: RandomGenerator) throws -> Losses {
        let (example, roles) = (example(of: batch), roles(dropping: generator))
        return try objective.losses(example, roles, generator)
    }

    /// The mean cross-entropy at eight fixed times, evenly spaced in the distribution that training draws from.
    public func heldOutLoss(_ batch: Batch, _ generator: RandomGenerator) throws -> Double {
        try withoutGradients {
            try objective.heldOutLosses(example(of: batch), roles(dropping: nil), generator).mean()
                .item(Double.self)
        }
    }

    /// The objective's memory.
    public func savedMemory() throws -> Data { try objective.savedMemory() }

    /// Goes on from the objective's saved memory.
    public func restoreMemory(_ saved: Data) throws { try objective.restore(saved) }

    private func example(of batch: Batch) -> Example {
        Example(data: batch.data.placed(on: device, memoryFormat), labels: batch.labels)
    }

    private func roles(dropping generator: RandomGenerator?) -> Roles {
        let network = network
        return Roles { network($0, time: $1, dropout: generator) }
    }
}
