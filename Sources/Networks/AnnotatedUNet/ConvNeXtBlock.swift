import Layers
import Tensors

/// A depthwise convolution that reads the time, then two wide convolutions, beside a short cut.
/// Parameters `mlp.1.*`, `ds_conv.*`, `net.0.*`, `net.1.*`, `net.3.*`, `net.4.*`, `res_conv.*`.
/// Source: Liu et al. 2022 (arXiv:2201.03545), as the annotated diffusion code has it: 3 × 3 kernels
/// and group norms of one group where the paper has 1 × 1 kernels and one layer norm.
struct ConvNeXtBlock {
    let timeProjection: Linear?
    let depthwise: Convolution2D
    let norm1: GroupNorm
    let widening: Convolution2D
    let norm2: GroupNorm
    let narrowing: Convolution2D
    let shortcut: Convolution2D?

    /// - Parameter timeWidth: features of the embedded time, `nil` for a block that does not read it.
    init(inputs: Int, outputs: Int, timeWidth: Int?, multiple: Int, _ weights: Weights) {
        let wide = outputs * multiple
        timeProjection = timeWidth.map { Linear(inputs: $0, outputs: inputs, weights["mlp"][1]) }
        depthwise = Convolution2D(
            inputs: inputs, outputs: inputs, kernel: 7, padding: 3, groups: inputs, weights["ds_conv"])
        let net = weights["net"]
        norm1 = GroupNorm(groups: 1, channels: inputs, net[0])
        widening = Convolution2D(inputs: inputs, outputs: wide, kernel: 3, padding: 1, net[1])
        norm2 = GroupNorm(groups: 1, channels: wide, net[3])
        narrowing = Convolution2D(inputs: wide, outputs: outputs, kernel: 3, padding: 1, net[4])
        shortcut =
            inputs == outputs
            ? nil : Convolution2D(inputs: inputs, outputs: outputs, kernel: 1, weights["res_conv"])
    }

    /// - Parameters:
    ///   - x: `[batch, inputs, height, width]`
    ///   - time: the embedded time after the non-linearity, `[batch, timeWidth]`
    /// - Returns: `[batch, outputs, height, width]`
    func callAsFunction(_ x: Tensor, time: Tensor? = nil) -> Tensor {
        var hidden = depthwise(x)
        if let timeProjection, let time { hidden = hidden + timeProjection(time).broadcast(toRank: 4) }
        hidden = narrowing(norm2(widening(norm1(hidden)).gelu()))
        return hidden + (shortcut?(x) ?? x)
    }
}
