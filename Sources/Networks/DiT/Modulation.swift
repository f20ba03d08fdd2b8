import Layers
import Tensors

/// Shifts, scales and gates of a block's features that follow from time and condition (adaLN-Zero).
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

    /// - Parameter condition: the embedded condition after the non-linearity, `[batch, width]`.
    /// - Returns: `count` tensors `[batch, 1, width]`.
    func callAsFunction(_ condition: Tensor) -> [Tensor] {
        projection(condition).unsqueezed(1).chunked(count, of: 2)
    }
}
