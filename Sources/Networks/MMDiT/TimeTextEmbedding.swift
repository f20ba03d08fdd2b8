import Layers
import Tensors

/// The time and the text as a whole as one vector. Parameters `timestep_embedder.*`, `text_embedder.*`.
struct TimeTextEmbedding {
    let time: TimestepEmbedding
    let text: TimestepEmbedding

    init(_ configuration: MMDiTConfiguration, _ weights: Weights) {
        time = TimestepEmbedding(
            inputs: 256, outputs: configuration.width, weights["timestep_embedder"])
        text = TimestepEmbedding(
            inputs: configuration.pooledProjectionDim, outputs: configuration.width, weights["text_embedder"])
    }

    /// - Parameters:
    ///   - time: `[batch]`, or `[1]` for all alike; from 0 to 1,000.
    ///   - pooled: `[batch, pooledProjectionDim]`
    /// - Returns: after the non-linearity, `[batch, width]`.
    func callAsFunction(_ time: Tensor, pooled: Tensor) -> Tensor {
        let frequencies = sinusoidalEmbedding(time, width: 256, cosinesFirst: true).to(pooled.elementType)
        return (self.time(frequencies) + text(pooled)).silu()
    }
}
