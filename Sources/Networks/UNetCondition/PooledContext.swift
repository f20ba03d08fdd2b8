import Layers
import Tensors

/// A context as one vector of the embedded time's width: attention of the mean of its tokens to all of them; diffusers'
/// `TextTimeEmbedding`.
/// Parameters `norm1.*`, `pool.positional_embedding`, `pool.q_proj.*`, `pool.k_proj.*`, `pool.v_proj.*`, `proj.*`, `norm2.*`.
/// Source: Saharia et al. 2022 (Imagen, arXiv:2205.11487), section 2.4; the pooling: Radford et al. 2021 (arXiv:2103.00020),
/// section 2.4.
struct PooledContext {
    let inputNorm: LayerNorm
    let place: Tensor
    let query: Linear
    let key: Linear
    let value: Linear
    let projection: Linear
    let outputNorm: LayerNorm
    let heads: Int

    /// - Parameters:
    ///   - width: features of the context.
    ///   - heads: heads of the attention, which divide the width.
    ///   - outputs: features of the embedded time.
    init(width: Int, heads: Int, outputs: Int, _ weights: Weights) {
        let pool = weights["pool"]
        func inward(_ name: String) -> Linear { Linear(inputs: width, outputs: width, pool[name]) }
        inputNorm = LayerNorm(width: width, weights["norm1"])
        place = pool.parameter(
            "positional_embedding", [1, width], .normal(deviation: 1 / Double(width).squareRoot()))
        (query, key, value) = (inward("q_proj"), inward("k_proj"), inward("v_proj"))
        projection = Linear(inputs: width, outputs: outputs, weights["proj"])
        outputNorm = LayerNorm(width: outputs, weights["norm2"])
        self.heads = heads
    }

    /// `[batch, tokens, width]` → `[batch, outputs]`
    func callAsFunction(_ context: Tensor) -> Tensor {
        let (batch, width) = (context.shape[0], context.shape[2])
        func split(_ x: Tensor) -> Tensor {
            x.reshaped([batch, x.shape[1], heads, width / heads]).transposed(1, 2)
        }
        let tokens = inputNorm(context)
        let mean = tokens.mean([1], keepingDimensions: true) + place
        let all = concatenated([mean, tokens], along: 1)
        let pooled = attention(query: split(query(mean)), key: split(key(all)), value: split(value(all)))
        return outputNorm(projection(pooled.transposed(1, 2).reshaped([batch, width])))
    }
}
