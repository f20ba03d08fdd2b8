import Tensors

/// What becomes of the activations inside a network's blocks until the backward pass needs them.
public enum Activations {
    @TaskLocal static var areRecomputed = false

    /// Runs networks whose blocks keep their inputs only and compute the rest again in the backward pass
    /// (`checkpointed`): much less memory, about a third more arithmetic, the same gradients.
    /// - Parameter isWanted: where `false`, the body runs as it would without this scope.
    public static func recomputed<R>(where isWanted: Bool = true, _ body: () throws -> R) rethrows -> R {
        try $areRecomputed.withValue(isWanted, operation: body)
    }
}

/// A block of a network, whose activations are computed again in the backward pass where that is wanted.
/// - Parameters:
///   - inputs: every tensor that the block reads and that may have been computed under a record.
///   - dropout: what the block draws from.
///   - block: a function of the inputs; it gives a new tensor.
package func recomputable(
    _ inputs: [Tensor], dropout: RandomGenerator?, _ block: @escaping ([Tensor]) -> Tensor
) -> Tensor {
    guard Activations.areRecomputed else { return block(inputs) }
    return checkpointed(inputs, generator: dropout) { [block($0)] }[0]
}
