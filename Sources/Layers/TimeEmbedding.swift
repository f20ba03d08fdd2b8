import Foundation
import Tensors

/// Sines and cosines of a time at geometrically spaced frequencies.
///
/// Frequencies are maxPeriod^(−i / (width/2 − shift)) for i = 0 … width/2 − 1, the sines first unless
/// `cosinesFirst`; computed in float32 whatever the network's precision, as diffusers does.
/// Source: Ho et al. 2020 (arXiv:2006.11239), appendix B, after Vaswani et al. 2017, section 3.5.
/// - Parameter times: `[batch]`
/// - Returns: `[batch, width]`, float32
public func sinusoidalEmbedding(
    _ times: Tensor, width: Int, shift: Double = 0, cosinesFirst: Bool = false, maxPeriod: Double = 10_000
) -> Tensor {
    let half = width / 2
    let exponents =
        Tensor.range(to: Double(half), .float32, on: times.device) * -Foundation.log(maxPeriod)
        / (Double(half) - shift)
    // The float32 exponential of the matrix library is off by a last bit here and there, another on each
    // processor, which a time of 1,000 multiplies: rounded once, frequencies are nearest to all of them.
    let frequencies = exponents.to(.float64).exp().to(.float32)
    let angles = times.to(.float32).unsqueezed(1) * frequencies.unsqueezed(0)
    let parts = cosinesFirst ? [angles.cos(), angles.sin()] : [angles.sin(), angles.cos()]
    let embedding = concatenated(parts, along: -1)
    return width % 2 == 1 ? embedding.padded([0, 1]) : embedding
}

/// The two-layer network that turns an embedded time into the vector that blocks read.
/// Parameters `linear_1.*`, `linear_2.*`.
public struct TimestepEmbedding: Sendable {
    let linear1: Linear
    let linear2: Linear
    let activation: Activation

    /// From `inputs` to `outputs` features.
    public init(inputs: Int, outputs: Int, activation: Activation = .silu, _ weights: Weights) {
        linear1 = Linear(inputs: inputs, outputs: outputs, weights["linear_1"])
        linear2 = Linear(inputs: outputs, outputs: outputs, weights["linear_2"])
        self.activation = activation
    }

    /// `[batch, inputs]` → `[batch, outputs]`
    public func callAsFunction(_ x: Tensor) -> Tensor { linear2(activation(linear1(x))) }
}
