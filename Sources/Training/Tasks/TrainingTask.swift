import Datasets
import Diffusion
import Foundation
import Layers
import Tensors

/// What a run learns: from batches to losses, and which parameters each loss moves.
///
/// `Trainer` takes care of everything else: order of the data, gradients, optimizers, averages, checkpoints. A task is a
/// file; what it draws comes from the generator that is handed in, so a run that is resumed goes on bit for bit.
public protocol TrainingTask: AnyObject {
    /// Every parameter of the run: those that are trained, and constants that are saved beside them.
    var store: ParameterStore { get }

    /// What a step does one after the other: each phase moves parameters of its own by a loss of its own.
    var phases: [TrainingPhase] { get }

    /// The losses of a batch, one for each example, with named parts for the log. Phases of one step are given the same
    /// batches in the same order.
    /// - Parameters:
    ///   - phase: the number of the phase in ``phases``.
    ///   - step: the number of the step that is being taken, from 1.
    ///   - generator: for everything random, on the processor.
    /// - Throws: the error that a tensor carries; `RecipeError` where the batch lacks what is needed.
    func losses(_ batch: Batch, phase: Int, step: Int, _ generator: RandomGenerator) throws -> Losses

    /// The mean loss of examples that are not learnt from; nothing is remembered.
    /// - Throws: as ``losses(_:phase:step:_:)`` does.
    func heldOutLoss(_ batch: Batch, _ generator: RandomGenerator) throws -> Double

    /// Moves what is not moved by gradients, after all phases of a step.
    /// - Throws: the error that a tensor carries.
    func finish(step: Int, _ generator: RandomGenerator) throws

    /// What the coming steps depend on beside the parameters, to be saved with a run.
    /// - Throws: where it cannot be written.
    func savedMemory() throws -> Data

    /// Goes on from a saved memory.
    /// - Throws: `DecodingError` where it is none of such a task.
    func restoreMemory(_ saved: Data) throws
}

extension TrainingTask {
    /// One phase that moves every parameter.
    public var phases: [TrainingPhase] { [TrainingPhase()] }

    /// Nothing.
    public func finish(step: Int, _ generator: RandomGenerator) throws {}

    /// Nothing.
    public func savedMemory() throws -> Data { Data("{}".utf8) }

    /// Nothing.
    public func restoreMemory(_ saved: Data) throws {}
}

/// A part of a step, with an optimizer of its own.
public struct TrainingPhase: Sendable {
    /// What its loss and its parts are called in the log, before an underscore; empty in the first phase.
    public var name: String
    /// Which parameters it moves.
    public var moves: @Sendable (_ parameter: String) -> Bool
    /// The number of the first step in which it takes place, from 1.
    public var firstStep: Int

    /// A phase; by default one that moves every parameter in every step.
    public init(
        _ name: String = "", firstStep: Int = 1,
        moving moves: @escaping @Sendable (String) -> Bool = { _ in true }
    ) {
        (self.name, self.firstStep, self.moves) = (name, firstStep, moves)
    }

    /// The name of a value of this phase in the log.
    func logged(_ value: String) -> String { name.isEmpty ? value : "\(name)_\(value)" }
}
