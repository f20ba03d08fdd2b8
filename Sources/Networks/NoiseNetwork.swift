import Tensors

/// A network that looks at a noisy picture and a time and answers with a picture of the same size:
/// the noise in it, the picture under it, or whatever it was trained to say.
public protocol NoiseNetwork {
    /// What the network says about a batch.
    ///
    /// - Parameters:
    ///   - x: noisy pictures `[batch, channels, height, width]`, in the element type of the weights.
    ///   - time: what the network is told of the noise level, `[batch]`, or `[1]` for all alike.
    ///   - conditions: what the network is told beside, and nothing else.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, output channels, height, width]`
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

extension UNet2D: NoiseNetwork {
    /// What the network says about a batch; it reads the labels and the deep features.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        self(
            x, time: time, labels: conditions.labels, deepFeatures: conditions.deepFeatures, dropout: dropout)
    }
}

extension AnnotatedUNet: NoiseNetwork {
    /// What the network says about a batch; it reads no conditions.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor { self(x, time: time, labels: conditions.labels) }
}

extension UNet2DCondition: NoiseNetwork {}

extension DiT: NoiseNetwork {
    /// What the network says about a batch; it reads the labels.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor { self(x, time: time, labels: conditions.labels, dropout: dropout) }
}

extension MMDiT: NoiseNetwork {
    /// What the network says about a batch; it reads the context and the pooled text.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        guard let context = conditions.context, let pooled = conditions.pooled else {
            preconditionFailure("this network needs a text and the text as a whole")
        }
        return self(x, time: time, context: context, pooled: pooled)
    }
}
