import Layers
import Tensors

/// Attention of tokens to each other in the encoders of text and pictures, under the parameter names of
/// their library.
/// Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2.
struct EncoderAttention {
    /// How an encoder's attention is made.
    struct Options {
        /// Features of a token.
        var width: Int
        var heads: Int
        /// Features of a head.
        var headSize: Int
        /// Whether queries, keys and values have biases.
        var bias = true
        /// Whether keys do, where the others do. A bias of keys changes no attention.
        var keyBias = true
        /// Whether the last product has one.
        var outputBias = true
        /// What scores are multiplied by; 1/√(head size) where `nil`.
        var scale: Double?
        /// The names of the four products: query, key, value, output.
        var names = ["q_proj", "k_proj", "v_proj", "out_proj"]
    }

    let query: Linear
    let key: Linear
    let value: Linear
    let output: Linear
    let options: Options

    init(_ options: Options, _ weights: Weights) {
        let inner = options.heads * options.headSize
        func inward(_ index: Int, bias: Bool) -> Linear {
            Linear(inputs: options.width, outputs: inner, bias: bias, weights[options.names[index]])
        }
        query = inward(0, bias: options.bias)
        key = inward(1, bias: options.bias && options.keyBias)
        value = inward(2, bias: options.bias)
        output = Linear(
            inputs: inner, outputs: options.width, bias: options.outputBias, weights[options.names[3]])
        self.options = options
    }

    /// `[batch, tokens, width]`, the shape stays.
    /// - Parameters:
    ///   - mask: added to the scores (or `false` = not seen), broadcast to `[batch, heads, tokens, tokens]`.
    ///   - isCausal: whether a token sees only itself and those before it.
    func callAsFunction(_ tokens: Tensor, mask: Tensor? = nil, isCausal: Bool = false) -> Tensor {
        let (batch, count) = (tokens.shape[0], tokens.shape[1])
        func split(_ x: Tensor) -> Tensor {
            x.reshaped([batch, count, options.heads, options.headSize]).transposed(1, 2)
        }
        let mixed = attention(
            query: split(query(tokens)), key: split(key(tokens)), value: split(value(tokens)), mask: mask,
            isCausal: isCausal, scale: options.scale)
        return output(mixed.transposed(1, 2).reshaped([batch, count, options.heads * options.headSize]))
    }
}

/// Which tokens a token sees, from a mask `[batch, tokens]` that is 0 where a token is padding:
/// `[batch, 1, 1, tokens]` of booleans.
func visible(_ mask: Tensor) -> Tensor { (.!(mask .== 0)).unsqueezed(1).unsqueezed(1) }
