import Tensors

/// A network from a noisy sample and a time to an estimate of the same size: of the noise in it, of the data under it,
/// or of whatever it was trained on.
public protocol NoiseNetwork: Sendable {
    /// The network's output for a batch.
    ///
    /// - Parameters:
    ///   - x: noisy samples, `[batch, channels, height, width]` or `[batch, dimension]`, in the element type of the
    ///     weights.
    ///   - time: the noise level in the network's own measure, `[batch]`, or `[1]` for all alike.
    ///   - conditions: the parts that the network reads, and no others.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, output channels, height, width]` or `[batch, output dimension]`
    func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor

    /// The same conditions, with all that the network makes of them alone, so that it is made once a run and not once a
    /// step. They go with this network, and with these numbers: what is changed afterwards is prepared again.
    func preparing(_ conditions: Conditions) -> Conditions
}

extension NoiseNetwork {
    /// The conditions as they are.
    public func preparing(_ conditions: Conditions) -> Conditions { conditions }
}
