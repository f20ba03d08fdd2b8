import Layers
import Tensors

/// The sizes of one of CLIP's two transformers.
struct CLIPEncoderOptions {
    var width: Int
    /// Features inside the two-layer network of a layer.
    var innerWidth: Int
    var layers: Int
    var heads: Int
    var activation: Activation
    var epsilon: Double

    /// - Throws: `NetworkError` that names the key of transformers whose value will not do.
    func validate() throws {
        try checkRange("hidden_size", width, within: 1...1_048_576)
        try checkRange("intermediate_size", innerWidth, within: 1...1_048_576)
        try checkRange("num_hidden_layers", layers, within: 1...1_000)
        try checkRange("num_attention_heads", heads, within: 1...width)
        guard width % heads == 0 else {
            throw NetworkError(
                "num_attention_heads", "is \(heads), which does not divide the 'hidden_size' of \(width)")
        }
        try checkPositive("layer_norm_eps", epsilon)
    }
}

/// A stack of layers: attention, then two linear layers, each behind a norm and beside a shortcut.
/// Source: Radford et al. 2021 (arXiv:2103.00020), section 2.4.
struct CLIPEncoder {
    let layers: [CLIPLayer]

    init(_ options: CLIPEncoderOptions, _ weights: Weights) {
        layers = (0..<options.layers).map { CLIPLayer(options, weights["layers"][$0]) }
    }

    /// The tokens `[batch, tokens, width]`, and what each layer makes of them: one tensor more than there
    /// are layers.
    func callAsFunction(_ tokens: Tensor, mask: Tensor? = nil, isCausal: Bool = false) -> [Tensor] {
        var states = [tokens]
        for layer in layers {
            states.append(
                recomputable([states[states.count - 1]], dropout: nil) {
                    layer($0[0], mask: mask, isCausal: isCausal)
                })
        }
        return states
    }
}

struct CLIPLayer {
    let norm1: LayerNorm
    let attention: EncoderAttention
    let norm2: LayerNorm
    let linear1: Linear
    let linear2: Linear
    let activation: Activation

    init(_ options: CLIPEncoderOptions, _ weights: Weights) {
        let (width, inner) = (options.width, options.innerWidth)
        norm1 = LayerNorm(width: width, epsilon: options.epsilon, weights["layer_norm1"])
        attention = EncoderAttention(
            .init(width: width, heads: options.heads, headSize: width / options.heads),
            weights["self_attn"])
        norm2 = LayerNorm(width: width, epsilon: options.epsilon, weights["layer_norm2"])
        linear1 = Linear(inputs: width, outputs: inner, weights["mlp"]["fc1"])
        linear2 = Linear(inputs: inner, outputs: width, weights["mlp"]["fc2"])
        activation = options.activation
    }

    func callAsFunction(_ x: Tensor, mask: Tensor?, isCausal: Bool) -> Tensor {
        let attended = x + attention(norm1(x), mask: mask, isCausal: isCausal)
        return attended + linear2(activation(linear1(norm2(attended))))
    }
}
