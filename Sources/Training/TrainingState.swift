import Checkpoints
import Datasets
import Foundation
import Layers
import Storage
import Tensors

/// All that the coming steps of a run depend on. Saved and restored whole, a run goes on bit for bit.
package final class TrainingState {
    /// Every parameter.
    package let store: ParameterStore
    /// What is learnt, with what it remembers of earlier steps.
    let task: any TrainingTask
    /// One for each phase of the task.
    let optimizers: [AdamW]
    /// `nil` where the run keeps no average.
    let average: MovingAverage?
    /// Draws times, noise, dropped labels and dropout.
    let generator: RandomGenerator
    /// Where the order of the data stands.
    var position = BatchOrder.Position()
    /// The number of steps done.
    var step = 0
    /// The number of steps in a row that were skipped because the gradient was not finite.
    var skippedInARow = 0
    /// The losses since the last line of metrics.
    var pendingLosses: [Double] = []
    /// Likewise of the loss's named parts.
    var pendingParts: [String: [Double]] = [:]

    init(_ parts: TrainingParts) {
        (task, store) = (parts.task, parts.task.store)
        optimizers = task.phases.map { [store] phase in
            AdamW(store, parts.optimizers.adamW, moving: phase.moves, stepName: phase.logged("step"))
        }
        average = parts.averageDecay > 0 ? MovingAverage(store, decay: parts.averageDecay) : nil
        // Another stream than the one that drew the weights.
        generator = RandomGenerator(
            seed: UInt64(truncatingIfNeeded: parts.recipe.seed) ^ 0x9E37_79B9_7F4A_7C15)
    }

    /// The parameters that samples are drawn from, averaged where the run keeps an average.
    var sampledParameters: [(String, Tensor)] {
        guard let average else { return store.named }
        return store.names.map { ($0, average.source.tensors[$0]!) }
    }

    private struct Counters: Codable {
        var step: Int
        var averageUpdates: Int?
        var skippedInARow: Int
        var pendingLosses: [Double]
        var pendingParts: [String: [Double]]?
        var position: BatchOrder.Position

        enum CodingKeys: String, CodingKey {
            case step, position
            case averageUpdates = "average_updates"
            case skippedInARow = "skipped_in_a_row"
            case pendingLosses = "pending_losses"
            case pendingParts = "pending_parts"
        }
    }

    /// The files of a checkpoint.
    func files(metadata: [String: String]) throws -> [CheckpointPart] {
        let counters = Counters(
            step: step, averageUpdates: average?.updateCount, skippedInARow: skippedInARow,
            pendingLosses: pendingLosses, pendingParts: pendingParts.isEmpty ? nil : pendingParts,
            position: position)
        func tensors(_ name: String, _ tensors: [(String, Tensor)]) -> CheckpointPart {
            CheckpointPart(name) { try SafetensorsWriter(tensors, metadata: metadata).write(to: $0) }
        }
        func sorted(_ table: [String: Tensor]) -> [(String, Tensor)] { table.sorted { $0.key < $1.key } }
        var parts = [
            tensors("model.safetensors", store.named),
            tensors(
                "optimizer.safetensors",
                sorted(optimizers.map(\.state).reduce([:]) { $0.merging($1) { first, _ in first } })),
            tensors("generators.safetensors", [("noise", generator.state)]),
            CheckpointPart("state.json", bytes: [UInt8](try sortedJSON(counters, isIndented: true))),
            CheckpointPart("objective.json", bytes: [UInt8](try task.savedMemory())),
        ]
        if let average { parts.append(tensors("ema.safetensors", sorted(average.source.tensors))) }
        return parts
    }

    /// Goes on from a checkpoint that was verified.
    func restore(_ checkpoint: Checkpoint) throws {
        func open(_ name: String) throws -> SafetensorsFile {
            try SafetensorsFile(path: checkpoint.path(of: name))
        }
        let data = try Data(contentsOf: URL(file: checkpoint.path(of: "state.json")))
        let counters = try JSONDecoder().decode(Counters.self, from: data)
        let model = try open("model.safetensors")
        for (name, parameter) in store.named { try parameter.assign(model.tensor(named: name)) }
        let saved = try open("optimizer.safetensors")
        for optimizer in optimizers { try optimizer.restore(saved) }
        try average?.restore(open("ema.safetensors"), updateCount: counters.averageUpdates ?? 0)
        try generator.restore(open("generators.safetensors").tensor(named: "noise"))
        // Runs of earlier versions had no objective that remembers anything.
        if checkpoint.files.contains("objective.json") {
            let path = try checkpoint.path(of: "objective.json")
            try task.restoreMemory(Data(contentsOf: URL(file: path)))
        }
        position = counters.position
        (step, skippedInARow, pendingLosses) = (counters.step, counters.skippedInARow, counters.pendingLosses)
        pendingParts = counters.pendingParts ?? [:]
    }
}
