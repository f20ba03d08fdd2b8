import Tensors

/// A network that looks at a noisy picture and a time and answers with a picture of the same size:
/// the noise in it, the picture under it, or whatever it was trained to say.
public protocol NoiseNetwork {
    /// What the network says about a batch.
    ///
    /// - Parameters:
    ///   - x: noisy pictures `[batch, channels, height, width]`, in the element type of the weights.
    ///   - time: what the network is told of the noise level, `[batch]`, or `[1]` for all alike.
    ///   - labels: classes `[batch]` as `int64`, where the network knows classes; otherwise `nil`.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, output channels, height, width]`
    func callAsFunction(_ x: Tensor, time: Tensor, labels: Tensor?, dropout: RandomGenerator?) -> Tensor
}
