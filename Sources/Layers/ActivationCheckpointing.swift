import Tensors

/// Whether the activations inside a network's blocks are kept until the backward pass, or computed again there.
public enum ActivationCheckpointing {
    @TaskLocal static var isEnabled = false

    /// Runs networks whose blocks keep their inputs only and compute the rest again in the backward pass
    /// (`recomputed`): much less memory, about a third more arithmetic, the same gradients.
    /// - Parameter isWanted: where `false`, the body runs as it would without this scope.
    public static func enabled<R>(where isWanted: Bool = true, _ body: () throws -> R) rethrows -> R {
        try $isEnabled.withValue(isWanted, operation: body)
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
    recomputable(inputs, dropout: dropout) { [block($0)] }[0]
}

/// The same of a block that gives several new tensors.
package func recomputable(
    _ inputs: [Tensor], dropout: RandomGenerator?, _ block: @escaping ([Tensor]) -> [Tensor]
) -> [Tensor] {
    guard ActivationCheckpointing.isEnabled else { return block(inputs) }
    return recomputed(inputs, generator: dropout, block)
}
