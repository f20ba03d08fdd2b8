import Layers
import Tensors

/// What time and condition tell a block: shifts, scales and gates of its features (adaLN-Zero).
/// Parameters `weight`, `bias`, which begin as zeros, so that a new block changes nothing.
/// Source: Peebles and Xie 2023 (arXiv:2212.09748), section 3.2.
struct Modulation {
    let projection: Linear
    let count: Int

    /// `count` vectors of `width` features.
    init(width: Int, count: Int, _ weights: Weights) {
        projection = Linear(inputs: width, outputs: count * width, initializer: .zeros, weights)
        self.count = count
    }

    /// - Parameter told: the embedded condition after the non-linearity, `[batch, width]`.
    /// - Returns: `count` tensors `[batch, 1, width]`.
    func callAsFunction(_ told: Tensor) -> [Tensor] {
        projection(told).unsqueezed(1).chunked(count, of: 2)
    }
}
