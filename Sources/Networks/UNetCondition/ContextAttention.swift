import Layers
import Tensors

/// How many heads of attention are computed at once: fewer need less memory and more time, and the answer
/// is the same to rounding.
public enum AttentionSlicing: Equatable, Sendable {
    /// All heads.
    case whole
    /// Half of them, what diffusers calls `auto`.
    case halves
    /// At most this many; one at a time is what diffusers calls `max`.
    case heads(Int)

    /// Heads that are computed at once, of `count`.
    func size(of count: Int) -> Int {
        switch self {
        case .whole: count
        case .halves: max(count / 2, 1)
        case .heads(let size): min(max(size, 1), count)
        }
    }

    /// Attention `[batch, heads, tokens, head size]`, some heads at a time.
    /// - Parameter bias: added to the scores, `[batch, 1, 1, count]`
    func attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor?) -> Tensor {
        let heads = query.shape[1]
        let size = size(of: heads)
        guard size < heads else {
            return Layers.attention(query: query, key: key, value: value, mask: bias)
        }
        let slices = stride(from: 0, to: heads, by: size).map { start in
            let range = start..<min(start + size, heads)
            return Layers.attention(
                query: query.slice(range, of: 1), key: key.slice(range, of: 1),
                value: value.slice(range, of: 1), mask: bias)
        }
        return concatenated(slices, along: 1)
    }
}

/// The keys and values of a context, `[batch, tokens, heads · head size]` each.
package struct ContextProjection: Sendable {
    package let key: Tensor
    package let value: Tensor

    package init(key: Tensor, value: Tensor) { (self.key, self.value) = (key, value) }
}

/// A layer of attention that reads a context, whose share of it is made once a run.
protocol ContextLayer {
    /// The path of the layer's parameters.
    var name: String { get }
    /// What is read of a context `[batch, tokens, context width]`.
    func projection(of context: Tensor) -> ContextProjection
}

/// What the attention of every block is given in one call of a network.
struct AttentionInputs {
    /// What pixels attend to beside each other, `[batch, tokens, width]`.
    var context: Tensor?
    /// Added to the scores of the context's tokens, `[batch, 1, 1, tokens]`.
    var contextBias: Tensor?
    /// What layers have made of the context already.
    var projections: ContextProjections?
    /// What is attended to beside a text.
    var imagePrompts: ImagePrompts?
    /// How many heads are computed at once.
    var slicing = AttentionSlicing.whole
}

/// Attention of tokens to a context, or to each other, without biases before it.
/// Parameters `to_q.weight`, `to_k.weight`, `to_v.weight`, `to_out.0.*`.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 3.3.
struct ContextAttention: ContextLayer {
    let query: Linear
    let key: Linear
    let value: Linear
    let output: Linear
    let heads: Int
    let headSize: Int
    let upcasts: Bool
    let name: String

    /// - Parameters:
    ///   - contextWidth: features of the context; tokens look at each other where `nil`.
    ///   - upcasts: whether scores of half precision are computed in float32.
    init(width: Int, contextWidth: Int?, heads: Int, headSize: Int, upcasts: Bool, _ weights: Weights) {
        let (inner, seen) = (heads * headSize, contextWidth ?? width)
        query = Linear(inputs: width, outputs: inner, bias: false, weights["to_q"])
        key = Linear(inputs: seen, outputs: inner, bias: false, weights["to_k"])
        value = Linear(inputs: seen, outputs: inner, bias: false, weights["to_v"])
        output = Linear(inputs: inner, outputs: width, weights["to_out"][0])
        self.heads = heads
        self.headSize = headSize
        self.upcasts = upcasts
        name = weights.path
    }

    /// What is read of a context `[batch, count, context width]`.
    func projection(of context: Tensor) -> ContextProjection {
        ContextProjection(key: key(context), value: value(context))
    }

    /// `[batch, tokens, width]`, the shape stays.
    /// - Parameters:
    ///   - seen: what is read of `count` tokens.
    ///   - bias: added to the scores, `[batch, 1, 1, count]`
    ///   - prompts: attended to beside that, each by itself, and added.
    ///   - residual: added to the answer, of its shape.
    func callAsFunction(
        _ tokens: Tensor, to seen: ContextProjection, bias: Tensor?,
        beside prompts: [ContextProjection] = [], _ slicing: AttentionSlicing,
        adding residual: Tensor
    ) -> Tensor {
        let batch = tokens.shape[0]
        let isUpcast = upcasts && tokens.elementType.byteCount < 4
        func split(_ x: Tensor) -> Tensor {
            let parts = x.reshaped([batch, x.shape[1], heads, headSize]).transposed(1, 2)
            return isUpcast ? parts.to(.float32) : parts
        }
        let query = split(query(tokens))
        var mixed = slicing.attention(
            query: query, key: split(seen.key), value: split(seen.value),
            bias: isUpcast ? bias?.to(.float32) : bias)
        for prompt in prompts {
            mixed =
                mixed
                + slicing.attention(
                    query: query, key: split(prompt.key), value: split(prompt.value), bias: nil)
        }
        return output(
            mixed.transposed(1, 2).reshaped([batch, tokens.shape[1], heads * headSize])
                .to(tokens.elementType), then: .nothing, adding: residual)
    }
}
