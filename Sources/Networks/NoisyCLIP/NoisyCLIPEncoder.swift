import Checkpoints
import Layers
import Tensors

/// The layers that both encoders of a CLIP that knows noise are made of: attention whose keys have no bias, then two linear
/// layers, each behind a norm and beside a shortcut.
struct NoisyCLIPEncoder {
    let layers: [NoisyCLIPLayer]
    let finalNorm: LayerNorm
    let projection: Linear

    init(layers: Int, heads: Int, headWidth: Int, outputs: Int, _ weights: Weights) {
        let width = heads * headWidth
        self.layers = (0..<layers).map {
            NoisyCLIPLayer(heads: heads, headWidth: headWidth, weights["layers"][$0])
        }
        finalNorm = LayerNorm(width: width, weights["final_norm"])
        projection = Linear(inputs: width, outputs: outputs, bias: false, weights["projection"])
    }

    /// Tokens `[batch, tokens, width]`, the shape stays.
    func callAsFunction(_ tokens: Tensor, isCausal: Bool) -> Tensor {
        layers.reduce(tokens) { $1($0, isCausal: isCausal) }
    }

    /// A vector of length 1 of one token's state, `[batch, width]` → `[batch, outputs]`.
    func embedding(of state: Tensor) -> Tensor {
        let projected = projection(finalNorm(state))
        return projected / ((projected * projected).sum([1], keepingDimensions: true).squareRoot() + 1e-12)
    }

    /// From the published names of both encoders to those of the networks.
    static let names = NameMap([
        ("blocks.input.w_voc", "tokens.weight"), ("blocks.input.w_pos", "positions"),
        ("blocks.input.w_t", "times.weight"), ("blocks.input.patch_proj", "patches.weight"),
        ("blocks.input.ln.g", "first_norm.weight"), ("blocks.input.ln.b", "first_norm.bias"),
        ("blocks.output.ln.g", "final_norm.weight"), ("blocks.output.ln.b", "final_norm.bias"),
        ("blocks.output.f.w", "projection.weight"),
        ("blocks.block_{i}.f_attn.ln.g", "layers.{i}.norm1.weight"),
        ("blocks.block_{i}.f_attn.ln.b", "layers.{i}.norm1.bias"),
        ("blocks.block_{i}.f_attn.f_q.w", "layers.{i}.attention.q_proj.weight"),
        ("blocks.block_{i}.f_attn.f_q.b", "layers.{i}.attention.q_proj.bias"),
        ("blocks.block_{i}.f_attn.f_k.w", "layers.{i}.attention.k_proj.weight"),
        ("blocks.block_{i}.f_attn.f_v.w", "layers.{i}.attention.v_proj.weight"),
        ("blocks.block_{i}.f_attn.f_v.b", "layers.{i}.attention.v_proj.bias"),
        ("blocks.block_{i}.f_attn.f_c.w", "layers.{i}.attention.out_proj.weight"),
        ("blocks.block_{i}.f_attn.f_c.b", "layers.{i}.attention.out_proj.bias"),
        ("blocks.block_{i}.f_mlp.ln.g", "layers.{i}.norm2.weight"),
        ("blocks.block_{i}.f_mlp.ln.b", "layers.{i}.norm2.bias"),
        ("blocks.block_{i}.f_mlp.f_1.w", "layers.{i}.linear1.weight"),
        ("blocks.block_{i}.f_mlp.f_1.b", "layers.{i}.linear1.bias"),
        ("blocks.block_{i}.f_mlp.f_2.w", "layers.{i}.linear2.weight"),
        ("blocks.block_{i}.f_mlp.f_2.b", "layers.{i}.linear2.bias"), ("*", "*"),
    ])
}

struct NoisyCLIPLayer {
    let norm1: LayerNorm
    let attention: EncoderAttention
    let norm2: LayerNorm
    let linear1: Linear
    let linear2: Linear

    init(heads: Int, headWidth: Int, _ weights: Weights) {
        let width = heads * headWidth
        var options = EncoderAttention.Options(width: width, heads: heads, headSize: headWidth)
        options.keyBias = false
        norm1 = LayerNorm(width: width, weights["norm1"])
        attention = EncoderAttention(options, weights["attention"])
        norm2 = LayerNorm(width: width, weights["norm2"])
        linear1 = Linear(inputs: width, outputs: 4 * width, weights["linear1"])
        linear2 = Linear(inputs: 4 * width, outputs: width, weights["linear2"])
    }

    /// `[batch, tokens, width]`, the shape stays.
    func callAsFunction(_ x: Tensor, isCausal: Bool) -> Tensor {
        let attended = x + attention(norm1(x), isCausal: isCausal)
        return attended + linear2(Activation.gelu(linear1(norm2(attended))))
    }
}
