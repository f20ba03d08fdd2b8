import Layers
import Tensors

/// A transformer over the pixels of a picture that looks at a context; diffusers' `Transformer2DModel`.
/// Parameters `norm.*`, `proj_in.*`, `transformer_blocks.N.*`, `proj_out.*`.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 3.3 and appendix E.2.1.
struct ContextTransformer {
    /// What the transformers of one network have in common.
    struct Options {
        /// Groups of the norm before the blocks.
        var groups: Int
        /// Whether pixels are projected by linear layers rather than convolutions of kernel 1.
        var isLinear: Bool
        /// Whether scores of half precision are computed in float32.
        var upcasts: Bool
    }

    /// A change of every pixel's features.
    enum Projection {
        case linear(Linear)
        case convolution(Convolution2D)

        init(inputs: Int, outputs: Int, isLinear: Bool, _ weights: Weights) {
            self =
                isLinear
                ? .linear(Linear(inputs: inputs, outputs: outputs, weights))
                : .convolution(Convolution2D(inputs: inputs, outputs: outputs, kernel: 1, weights))
        }
    }

    let norm: GroupNorm
    let input: Projection
    let blocks: [ContextTransformerBlock]
    let output: Projection

    /// - Parameters:
    ///   - layers: the number of blocks.
    ///   - contextWidth: features of the context.
    ///   - onlyContext: whether pixels look at the context only, and not at each other.
    init(
        channels: Int, heads: Int, layers: Int, contextWidth: Int, onlyContext: Bool, _ options: Options,
        _ weights: Weights
    ) {
        let headSize = channels / heads
        let inner = heads * headSize
        norm = GroupNorm(groups: options.groups, channels: channels, epsilon: 1e-6, weights["norm"])
        input = Projection(
            inputs: channels, outputs: inner, isLinear: options.isLinear, weights["proj_in"])
        blocks = (0..<layers).map {
            ContextTransformerBlock(
                width: inner, heads: heads, contextWidth: contextWidth, onlyContext: onlyContext,
                upcasts: options.upcasts, weights["transformer_blocks"][$0])
        }
        output = Projection(
            inputs: inner, outputs: channels, isLinear: options.isLinear, weights["proj_out"])
    }

    /// `[batch, channels, height, width]`, the shape stays.
    func callAsFunction(_ x: Tensor, _ inputs: AttentionInputs) -> Tensor {
        let (height, width) = (x.shape[2], x.shape[3])
        // Where channels lie innermost, these are views.
        func tokens(_ picture: Tensor) -> Tensor { picture.flattened(from: 2).transposed(1, 2).contiguous() }
        func picture(_ tokens: Tensor) -> Tensor {
            tokens.reshaped([x.shape[0], height, width, tokens.shape[2]]).permuted(0, 3, 1, 2)
        }
        var hidden = norm(x)
        switch input {
        case .linear(let layer): hidden = layer(tokens(hidden))
        case .convolution(let layer): hidden = tokens(layer(hidden))
        }
        for block in blocks { hidden = block(hidden, inputs) }
        switch output {
        case .linear(let layer): return picture(layer(hidden, then: .nothing, adding: tokens(x)))
        case .convolution(let layer): return layer(picture(hidden), adding: x)
        }
    }
}

/// Attention of tokens to each other, attention to a context and a gated feed-forward network, each after a
/// norm and beside a short cut; diffusers' `BasicTransformerBlock`.
/// Parameters `norm1.*`, `attn1.*`, `norm2.*`, `attn2.*`, `norm3.*`, `ff.net.*`.
struct ContextTransformerBlock {
    let norm1: LayerNorm
    let attention1: ContextAttention
    let norm2: LayerNorm
    let attention2: ContextAttention
    let norm3: LayerNorm
    let feedForward: GEGLUFeedForward
    let onlyContext: Bool

    init(
        width: Int, heads: Int, contextWidth: Int, onlyContext: Bool, upcasts: Bool, _ weights: Weights
    ) {
        func attention(_ contextWidth: Int?, _ weights: Weights) -> ContextAttention {
            ContextAttention(
                width: width, contextWidth: contextWidth, heads: heads, headSize: width / heads,
                upcasts: upcasts, weights)
        }
        norm1 = LayerNorm(width: width, weights["norm1"])
        attention1 = attention(onlyContext ? contextWidth : nil, weights["attn1"])
        norm2 = LayerNorm(width: width, weights["norm2"])
        attention2 = attention(contextWidth, weights["attn2"])
        norm3 = LayerNorm(width: width, weights["norm3"])
        feedForward = GEGLUFeedForward(width: width, weights["ff"]["net"])
        self.onlyContext = onlyContext
    }

    /// The layers that look at the context.
    var contextLayers: [ContextAttention] { onlyContext ? [attention1, attention2] : [attention2] }

    /// `[batch, tokens, width]`, the shape stays.
    func callAsFunction(_ tokens: Tensor, _ inputs: AttentionInputs) -> Tensor {
        guard let context = inputs.context else { preconditionFailure("cross attention needs a context") }
        let first = norm1(tokens)
        // Without attention among pixels the context is seen whole first: diffusers masks the second only.
        func seen(by layer: ContextAttention) -> ContextProjection {
            inputs.projections?[layer.name] ?? layer.projection(of: context)
        }
        var tokens = attention1(
            first, to: onlyContext ? seen(by: attention1) : attention1.projection(of: first), bias: nil,
            inputs.slicing, adding: tokens)
        tokens = attention2(
            norm2(tokens), to: seen(by: attention2), bias: inputs.contextBias,
            beside: inputs.imagePrompts?.seen(by: attention2.name) ?? [], inputs.slicing, adding: tokens)
        return feedForward(norm3(tokens), adding: tokens)
    }
}

/// W₂(a · GELU(b)) with (a, b) = W₁x, four times as wide inside. Parameters `0.proj.*`, `2.*`.
/// Source: Shazeer 2020 (arXiv:2002.05202), section 2.
struct GEGLUFeedForward {
    let input: Linear
    let output: Linear

    init(width: Int, _ weights: Weights) {
        input = Linear(inputs: width, outputs: 8 * width, weights[0]["proj"])
        output = Linear(inputs: 4 * width, outputs: width, weights[2])
    }

    /// `[…, width]`, the shape stays.
    /// - Parameter residual: of that shape.
    func callAsFunction(_ x: Tensor, adding residual: Tensor) -> Tensor {
        output(input(x, then: .geglu), then: .nothing, adding: residual)
    }
}
