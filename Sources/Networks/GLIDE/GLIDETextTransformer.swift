import Layers
import Tensors

/// The text transformer inside GLIDE's network: tokens that see each other in both directions. Parameters, under the published
/// names: `token_embedding.weight`, `positional_embedding`, `padding_embedding`, `transformer.resblocks.N.*`, `final_ln.*`,
/// `transformer_proj.*`.
/// Source: Nichol et al. 2021 (GLIDE, arXiv:2112.10741), section 4.1.
struct GLIDETextTransformer {
    let tokens: Embedding
    let positions: Tensor
    /// What stands at each place without a token.
    let padding: Tensor
    let blocks: [GLIDETextBlock]
    let finalNorm: LayerNorm
    let projection: Linear
    /// The token that stands for none.
    let paddingToken: Int

    /// - Parameter timeWidth: features of the embedded time, to which a text as a whole is added.
    init(_ configuration: GLIDEUNetConfiguration, timeWidth: Int, _ weights: Weights) {
        let (length, width) = (configuration.textLength, configuration.textWidth)
        tokens = Embedding(
            count: configuration.vocabularySize, width: width, deviation: 0.02, weights["token_embedding"])
        positions = weights.parameter("positional_embedding", [length, width], .normal(deviation: 0.01))
        padding = weights.parameter("padding_embedding", [length, width], .normal(deviation: 0.01))
        blocks = (0..<configuration.textLayers).map {
            GLIDETextBlock(
                width: width, heads: configuration.textHeads, weights["transformer"]["resblocks"][$0])
        }
        finalNorm = LayerNorm(width: width, weights["final_ln"])
        projection = Linear(inputs: width, outputs: timeWidth, weights["transformer_proj"])
        paddingToken = configuration.vocabularySize - 1
    }

    /// - Parameter ids: `[batch, length]` as `int64`.
    /// - Returns: the normed states of the last layer, `[batch, length, width]`, and what the state at the last place, which
    ///   is most often one without a token, adds to the embedded time, `[batch, timeWidth]`.
    func callAsFunction(_ ids: Tensor) -> (states: Tensor, whole: Tensor) {
        let isToken = (.!(ids .== Double(paddingToken))).to(positions.elementType).unsqueezed(2)
        let embedded = (tokens(ids) + positions) * isToken + padding * (1 - isToken)
        let hidden = blocks.reduce(embedded) { hidden, block in
            recomputable([hidden], dropout: nil) { block($0[0]) }
        }
        let states = finalNorm(hidden)
        return (states, projection(states.select(ids.shape[1] - 1, of: 1)))
    }
}

/// Attention, then two linear layers, each behind a norm and beside a shortcut. Queries, keys and values of a head follow each
/// other in one product, `attn.c_qkv`.
struct GLIDETextBlock {
    let norm1: LayerNorm
    let joined: Linear
    let output: Linear
    let norm2: LayerNorm
    let linear1: Linear
    let linear2: Linear
    let heads: Int

    init(width: Int, heads: Int, _ weights: Weights) {
        norm1 = LayerNorm(width: width, weights["ln_1"])
        joined = Linear(inputs: width, outputs: 3 * width, weights["attn"]["c_qkv"])
        output = Linear(inputs: width, outputs: width, weights["attn"]["c_proj"])
        norm2 = LayerNorm(width: width, weights["ln_2"])
        linear1 = Linear(inputs: width, outputs: 4 * width, weights["mlp"]["c_fc"])
        linear2 = Linear(inputs: 4 * width, outputs: width, weights["mlp"]["c_proj"])
        self.heads = heads
    }

    /// `[batch, tokens, width]`, the shape stays.
    func callAsFunction(_ x: Tensor) -> Tensor {
        let attended = x + output(mixed(joined(norm1(x))))
        return attended + linear2(Activation.gelu(linear1(norm2(attended))))
    }

    /// `[batch, tokens, 3 · width]` → `[batch, tokens, width]`
    private func mixed(_ joined: Tensor) -> Tensor {
        let (batch, count, width) = (joined.shape[0], joined.shape[1], joined.shape[2] / 3)
        let parts = joined.reshaped([batch, count, heads, 3, width / heads]).transposed(1, 2)
        func part(_ index: Int) -> Tensor { parts.select(index, of: 3).contiguous() }
        let mixed = attention(query: part(0), key: part(1), value: part(2))
        return mixed.transposed(1, 2).reshaped([batch, count, width])
    }
}
