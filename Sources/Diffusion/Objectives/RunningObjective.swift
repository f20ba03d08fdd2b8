import Foundation
import Tensors

/// An objective of any kind with its memory: what a run of training holds and saves.
public struct RunningObjective: Sendable {
    /// The objective.
    public let objective: any Objective
    private var memory: any Codable & Sendable

    /// An objective before its first step.
    public init(_ objective: any Objective) {
        self.objective = objective
        memory = objective.initialMemory
    }

    /// The losses of a step; the memory goes on.
    /// - Throws: what the objective throws.
    public mutating func losses(
        _ example: Example, _ roles: Roles, _ generator: RandomGenerator
    ) throws -> Losses {
        func step<O: Objective>(_ objective: O) throws -> Losses {
            guard var own = memory as? O.Memory else {
                preconditionFailure("the memory of another objective")
            }
            let losses = try objective.losses(example, roles, &own, generator)
            memory = own
            return losses
        }
        return try step(objective)
    }

    /// The memory, to be saved with a run.
    /// - Throws: where it cannot be written.
    public func savedMemory() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return try encoder.encode(memory)
    }

    /// Goes on from a saved memory.
    /// - Throws: `DecodingError` where it is no memory of such an objective.
    public mutating func restore(_ saved: Data) throws {
        func read<O: Objective>(_ objective: O) throws -> any Codable & Sendable {
            try JSONDecoder().decode(O.Memory.self, from: saved)
        }
        memory = try read(objective)
    }
}
