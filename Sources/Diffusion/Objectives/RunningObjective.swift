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

    /// The middles of `count` equal shares of the distribution of times, least noise first.
    public static func evenShares(_ count: Int = 8) -> [Double] {
        (0..<count).map { (Double($0) + 0.5) / Double(count) }
    }

    /// The mean loss of each example over fixed, even shares of the distribution of times, `[batch]`: what is
    /// measured on held-out data. Nothing is remembered.
    /// - Parameter count: the number of times.
    /// - Throws: what the objective throws.
    public func heldOutLosses(
        _ example: Example, _ roles: Roles, times count: Int = 8, _ generator: RandomGenerator
    ) throws -> Tensor {
        let losses = try Self.evenShares(count).map { share in
            try objective.losses(example, roles, atShare: share, generator).total
        }
        return stacked(losses).mean([0])
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
