import Tensors

/// What a network learns: a batch and the network to one loss for each example.
///
/// An objective is a value. What its next step depends on (the losses of earlier steps, a curriculum) is its
/// `Memory`, passed in and out and saved with a run. All that is random comes from the generator that is handed in, which
/// is on the processor, in a documented order; so another program can repeat it.
public protocol Objective<Memory>: Sendable {
    /// What one step leaves for the next.
    associatedtype Memory: Codable & Sendable = NoMemory

    /// The memory before the first step.
    var initialMemory: Memory { get }

    /// The losses of a step of training.
    /// - Throws: `DiffusionError` where the example does not fit the objective; the error that a tensor carries.
    func losses(
        _ example: Example, _ roles: Roles, _ memory: inout Memory, _ generator: RandomGenerator
    ) throws -> Losses

    /// The losses at a share of the distribution of times, between 0 and 1, the same for all examples. Means
    /// over evenly spaced shares come near to the mean that is trained on, without the scatter of drawn times.
    /// - Throws: as above.
    func losses(
        _ example: Example, _ roles: Roles, atShare share: Double, _ generator: RandomGenerator
    ) throws -> Losses
}

/// The memory of an objective that needs none.
public struct NoMemory: Codable, Sendable, Equatable {
    /// Nothing.
    public init() {}
}

extension Objective where Memory == NoMemory {
    /// Nothing.
    public var initialMemory: NoMemory { NoMemory() }
}
