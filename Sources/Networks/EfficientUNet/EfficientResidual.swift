import Layers
import Tensors

/// Two convolutions beside a short cut, which read no time: it was added before them.
/// Parameters `norm1.*`, `conv1.*`, `norm2.*`, `conv2.*`, and `conv_shortcut.*` where channels change.
/// Source: Saharia et al. 2022 (arXiv:2205.11487), figure A.27.
struct EfficientResidual {
    let norm1: GroupNorm
    let convolution1: Convolution2D
    let norm2: GroupNorm
    let convolution2: Convolution2D
    let shortcut: Convolution2D?
    let dropout: Dropout

    init(inputs: Int, outputs: Int, groups: Int, dropout: Double, _ weights: Weights) {
        func convolution(_ inputs: Int, _ name: String) -> Convolution2D {
            Convolution2D(inputs: inputs, outputs: outputs, kernel: 3, padding: 1, weights[name])
        }
        norm1 = GroupNorm(groups: groups, channels: inputs, weights["norm1"])
        convolution1 = convolution(inputs, "conv1")
        norm2 = GroupNorm(groups: groups, channels: outputs, weights["norm2"])
        convolution2 = convolution(outputs, "conv2")
        shortcut =
            inputs == outputs
            ? nil : Convolution2D(inputs: inputs, outputs: outputs, kernel: 1, weights["conv_shortcut"])
        self.dropout = Dropout(dropout)
    }

    /// `[batch, inputs, height, width]` → `[batch, outputs, height, width]`
    func callAsFunction(_ x: Tensor, dropout generator: RandomGenerator?) -> Tensor {
        let hidden = convolution1(norm1.deferred(x).then(.silu))
        let normed = norm2.deferred(hidden).then(.silu).then(dropout, generator)
        return convolution2(normed, adding: shortcut?(x) ?? x)
    }
}
