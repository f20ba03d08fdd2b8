import Layers
import Tensors

/// Attention of pixels to a context and, in the same softmax, to each other; diffusers' `Attention` with added keys and
/// values. Parameters `group_norm.*`, `norm_cross.*`, `to_q.*`, `to_k.*`, `to_v.*`, `add_k_proj.*`, `add_v_proj.*`,
/// `to_out.0.*`.
/// Source: Nichol et al. 2021 (GLIDE, arXiv:2112.10741), section 4.1.
struct AddedContextAttention: ContextLayer {
    /// What the layers of one network have in common.
    struct Options {
        /// Groups of the norm before the layer.
        var groups: Int
        /// How the context is normed, where it is.
        var contextNorm: UNet2DConditionConfiguration.CrossAttentionNorm?
    }

    /// A norm of the context.
    enum ContextNorm {
        case layer(LayerNorm)
        case group(GroupNorm)

        init(_ norm: UNet2DConditionConfiguration.CrossAttentionNorm, width: Int, _ weights: Weights) {
            self =
                norm == .layer
                ? .layer(LayerNorm(width: width, weights))
                : .group(GroupNorm(groups: AddedContextAttention.contextGroups, channels: width, weights))
        }

        /// `[batch, tokens, width]`, the shape stays. Groups are groups of features, over all tokens.
        func callAsFunction(_ context: Tensor) -> Tensor {
            switch self {
            case .layer(let norm): norm(context)
            case .group(let norm): norm(context.transposed(1, 2).contiguous()).transposed(1, 2)
            }
        }
    }

    /// Groups of a group norm of the context, whatever the network's others have.
    static let contextGroups = 32

    let norm: GroupNorm
    let contextNorm: ContextNorm?
    let query: Linear
    /// Keys and values of the pixels; `nil` where they look at the context only.
    let own: (key: Linear, value: Linear)?
    let addedKey: Linear
    let addedValue: Linear
    let output: Linear
    let heads: Int
    let headSize: Int
    let name: String

    /// - Parameters:
    ///   - headSize: channels of one head.
    ///   - contextWidth: features of the context.
    ///   - onlyContext: whether pixels look at the context only, and not at each other.
    init(
        channels: Int, headSize: Int, contextWidth: Int, onlyContext: Bool, _ options: Options,
        _ weights: Weights
    ) {
        func inward(_ inputs: Int, _ name: String) -> Linear {
            Linear(inputs: inputs, outputs: channels, weights[name])
        }
        norm = GroupNorm(groups: options.groups, channels: channels, weights["group_norm"])
        contextNorm = options.contextNorm.map {
            ContextNorm($0, width: contextWidth, weights["norm_cross"])
        }
        query = inward(channels, "to_q")
        own = onlyContext ? nil : (inward(channels, "to_k"), inward(channels, "to_v"))
        addedKey = inward(contextWidth, "add_k_proj")
        addedValue = inward(contextWidth, "add_v_proj")
        output = Linear(inputs: channels, outputs: channels, weights["to_out"][0])
        (heads, self.headSize, name) = (channels / headSize, headSize, weights.path)
    }

    func projection(of context: Tensor) -> ContextProjection {
        let context = contextNorm?(context).contiguous() ?? context
        return ContextProjection(key: addedKey(context), value: addedValue(context))
    }

    /// `[batch, channels, height, width]`, the shape stays.
    func callAsFunction(_ x: Tensor, _ inputs: AttentionInputs) -> Tensor {
        guard let context = inputs.context else { preconditionFailure("cross attention needs a context") }
        func tokens(_ picture: Tensor) -> Tensor { picture.flattened(from: 2).transposed(1, 2).contiguous() }
        let (shape, pixels) = (x.shape, tokens(norm(x)))
        let added = inputs.projections?[name] ?? projection(of: context)
        var (keys, values, bias) = (added.key, added.value, inputs.contextBias)
        if let own {
            keys = concatenated([keys, own.key(pixels)], along: 1)
            values = concatenated([values, own.value(pixels)], along: 1)
            bias = bias?.padded([0, pixels.shape[1]])
        }
        func split(_ x: Tensor) -> Tensor {
            x.reshaped([shape[0], x.shape[1], heads, headSize]).transposed(1, 2)
        }
        let mixed = inputs.slicing.attention(
            query: split(query(pixels)), key: split(keys), value: split(values), bias: bias)
        return output(
            mixed.transposed(1, 2).reshaped([shape[0], pixels.shape[1], shape[1]]), then: .nothing,
            adding: tokens(x)
        ).reshaped([shape[0], shape[2], shape[3], shape[1]]).permuted(0, 3, 1, 2)
    }
}
