import Layers
import Tensors

/// One stream's queries, keys and values.
struct AttentionStream {
    let query: Linear
    let key: Linear
    let value: Linear
    let queryNorm: HeadNorm?
    let keyNorm: HeadNorm?
    let headSize: Int

    /// The names of a stream's parameters.
    enum Names {
        /// `to_q`, `to_k`, `to_v`, `norm_q`, `norm_k`
        case picture
        /// `add_q_proj`, `add_k_proj`, `add_v_proj`, `norm_added_q`, `norm_added_k`
        case context
    }

    init(_ configuration: MMDiTConfiguration, _ names: Names, _ weights: Weights) {
        func linear(_ letter: String) -> Linear {
            let name = names == .picture ? "to_\(letter)" : "add_\(letter)_proj"
            return Linear(inputs: configuration.width, outputs: configuration.width, weights[name])
        }
        func norm(_ letter: String) -> HeadNorm? {
            let scope = weights[names == .picture ? "norm_\(letter)" : "norm_added_\(letter)"]
            return configuration.qkNorm.map { HeadNorm($0, width: configuration.attentionHeadDim, scope) }
        }
        (query, key, value) = (linear("q"), linear("k"), linear("v"))
        (queryNorm, keyNorm) = (norm("q"), norm("k"))
        headSize = configuration.attentionHeadDim
    }

    /// `[batch, tokens, width]` → queries, keys and values, each `[batch, heads, tokens, head size]`
    func callAsFunction(_ x: Tensor) -> [Tensor] {
        func heads(_ x: Tensor) -> Tensor {
            x.reshaped([x.shape[0], x.shape[1], -1, headSize]).transposed(1, 2)
        }
        let (query, key) = (heads(query(x)), heads(key(x)))
        return [queryNorm?(query) ?? query, keyNorm?(key) ?? key, heads(value(x))]
    }
}

/// What is done to queries or keys, head by head. Parameters `weight`, `bias` `[head size]`, where it has any.
/// Source: Esser et al. 2024 (arXiv:2403.03206), section 5.3.2.
enum HeadNorm {
    case layer(LayerNorm)
    case rms(RMSNorm)

    init(_ norm: MMDiTConfiguration.QueryKeyNorm, width: Int, _ weights: Weights) {
        switch norm {
        case .rms: self = .rms(RMSNorm(width: width, epsilon: 1e-6, weights))
        case .layer, .plainLayer:
            self = .layer(LayerNorm(width: width, epsilon: 1e-6, affine: norm == .layer, weights))
        }
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .layer(let norm): norm(x)
        case .rms(let norm): norm(x)
        }
    }
}

/// Attention of the tokens of one or two streams to all of them. Parameters of `AttentionStream`,
/// `to_out.0.*`, and `to_add_out.*` where the context reads an answer.
/// Source: Esser et al. 2024 (arXiv:2403.03206), section 4, figure 2.
struct JointAttention {
    let picture: AttentionStream
    let context: AttentionStream?
    let pictureOutput: Linear
    let contextOutput: Linear?

    /// - Parameters:
    ///   - hasContext: whether there is a second stream.
    ///   - answersContext: whether that stream reads an answer, too.
    init(
        _ configuration: MMDiTConfiguration, hasContext: Bool, answersContext: Bool, _ weights: Weights
    ) {
        let width = configuration.width
        picture = AttentionStream(configuration, .picture, weights)
        context = hasContext ? AttentionStream(configuration, .context, weights) : nil
        pictureOutput = Linear(inputs: width, outputs: width, weights["to_out"][0])
        contextOutput =
            answersContext ? Linear(inputs: width, outputs: width, weights["to_add_out"]) : nil
    }

    /// - Parameters:
    ///   - x: `[batch, patches, width]`
    ///   - tokens: the context, `[batch, tokens, width]`, where there is a second stream.
    /// - Returns: answers in the shapes of both; none for a context that reads none.
    func callAsFunction(_ x: Tensor, context tokens: Tensor? = nil) -> (picture: Tensor, context: Tensor?) {
        var parts = picture(x)
        if let context, let tokens {
            parts = zip(parts, context(tokens)).map { concatenated([$0, $1], along: 2) }
        }
        let mixed = attention(query: parts[0], key: parts[1], value: parts[2])
            .transposed(1, 2).flattened(from: 2)
        let patches = x.shape[1]
        let answer = tokens == nil ? mixed : mixed.slice(0..<patches, of: 1)
        return (
            pictureOutput(answer), contextOutput.map { $0(mixed.slice(patches..<mixed.shape[1], of: 1)) }
        )
    }
}
