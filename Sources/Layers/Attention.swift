import Tensors

/// Attention of tokens to each other, in several heads.
/// Parameters `to_q.*`, `to_k.*`, `to_v.*`, `to_out.0.*`.
/// Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
public struct SelfAttention: Sendable {
    let query: Linear
    let key: Linear
    let value: Linear
    let output: Linear
    let heads: Int
    let headSize: Int

    /// Attention among tokens of `width` features, in `heads` heads of `headSize` features.
    public init(width: Int, heads: Int, headSize: Int, bias: Bool = true, _ weights: Weights) {
        let inner = heads * headSize
        query = Linear(inputs: width, outputs: inner, bias: bias, weights["to_q"])
        key = Linear(inputs: width, outputs: inner, bias: bias, weights["to_k"])
        value = Linear(inputs: width, outputs: inner, bias: bias, weights["to_v"])
        output = Linear(inputs: inner, outputs: width, weights["to_out"][0])
        self.heads = heads
        self.headSize = headSize
    }

    /// `[batch, tokens, width]`, the shape stays.
    public func callAsFunction(_ tokens: Tensor) -> Tensor { self(tokens, adding: nil) }

    /// picture + attention among the pixels of `normed`: `[batch, width, height, columns]` each, the shape stays.
    package func amongPixels(of normed: Tensor, adding picture: Tensor) -> Tensor {
        // Where channels lie innermost, all of these are views.
        func tokens(_ x: Tensor) -> Tensor { x.flattened(from: 2).transposed(1, 2) }
        let shape = picture.shape
        return self(tokens(normed), adding: tokens(picture))
            .reshaped([shape[0], shape[2], shape[3], shape[1]]).permuted(0, 3, 1, 2)
    }

    /// residual + gate · attention(tokens).
    /// - Parameters:
    ///   - tokens: `[batch, tokens, width]`, the shape stays.
    ///   - residual: of that shape.
    ///   - gate: `[batch, 1, width]`
    package func callAsFunction(_ tokens: Tensor, adding residual: Tensor?, gatedBy gate: Tensor? = nil)
        -> Tensor
    {
        // Three products read these tokens: laid out once, they are not copied by each.
        let tokens = tokens.contiguous()
        let (batch, count) = (tokens.shape[0], tokens.shape[1])
        func split(_ x: Tensor) -> Tensor {
            x.reshaped([batch, count, heads, headSize]).transposed(1, 2)
        }
        let mixed = attention(
            query: split(query(tokens)), key: split(key(tokens)), value: split(value(tokens)))
        return output(
            mixed.transposed(1, 2).reshaped([batch, count, heads * headSize]), then: .nothing,
            adding: residual,
            gatedBy: gate)
    }
}
