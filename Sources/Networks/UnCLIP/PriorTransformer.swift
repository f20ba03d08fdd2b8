import Layers
import Tensors

/// The diffusion prior of unCLIP, under the parameter names of diffusers' `PriorTransformer`: from a text to CLIP's
/// embedding of a picture that it may describe.
///
/// A causal transformer over the states of the text, the text as a whole, the time, the noisy embedding and one more token,
/// whose state after the last block is the answer: the embedding itself, not the noise in it.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125), section 2.2.
public struct PriorTransformer: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "PriorTransformer" }

    /// What the network was built from.
    public let configuration: PriorTransformerConfiguration

    let timeEmbedding: PriorTimeEmbedding
    let sampleProjection: Linear
    let textNorm: LayerNorm?
    let textProjection: Linear
    let stateProjection: Linear?
    let places: Tensor
    let answerToken: Tensor
    let blocks: [PriorBlock]
    let inputNorm: LayerNorm?
    let outputNorm: LayerNorm
    let outputProjection: Linear
    let mean: Tensor
    let deviation: Tensor

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: PriorTransformerConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let width = configuration.width
        timeEmbedding = PriorTimeEmbedding(configuration, weights["time_embedding"])
        sampleProjection = Linear(
            inputs: configuration.embeddingDim, outputs: width, weights["proj_in"])
        textNorm = configuration.embeddingProjNormType.map { _ in
            LayerNorm(width: configuration.textWidth, weights["embedding_proj_norm"])
        }
        textProjection = Linear(
            inputs: configuration.textWidth, outputs: width, weights["embedding_proj"])
        stateProjection = configuration.encoderHidProjType.map { _ in
            Linear(
                inputs: configuration.embeddingDim, outputs: width, weights["encoder_hidden_states_proj"])
        }
        let count = configuration.numEmbeddings + configuration.additionalEmbeddings
        places = weights.parameter("positional_embedding", [1, count, width], .zeros)
        answerToken = weights.parameter("prd_embedding", [1, 1, width], .zeros)
        blocks = (0..<configuration.numLayers).map {
            PriorBlock(configuration, weights["transformer_blocks"][$0])
        }
        inputNorm = configuration.normInType.map { _ in LayerNorm(width: width, weights["norm_in"]) }
        outputNorm = LayerNorm(width: width, weights["norm_out"])
        outputProjection = Linear(
            inputs: width, outputs: configuration.outputWidth, weights["proj_to_clip_embeddings"])
        mean = weights.constant("clip_mean", [1, configuration.outputWidth], .zeros)
        deviation = weights.constant("clip_std", [1, configuration.outputWidth], .constant(1))
    }

    /// The network's estimate of the embedding, without noise.
    ///
    /// - Parameters:
    ///   - x: the noisy embedding `[batch, embeddingDim]`, in the element type of the weights.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - states: the states of the text, `[batch, numEmbeddings, stateWidth]`.
    ///   - mask: which of them are text, 1 or 0, `[batch, numEmbeddings]`.
    ///   - text: the text as a whole, `[batch, textWidth]`.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, outputWidth]`
    public func callAsFunction(
        _ x: Tensor, time: Tensor, states: Tensor, mask: Tensor, text: Tensor,
        dropout: RandomGenerator? = nil
    ) -> Tensor {
        let (batch, width) = (x.shape[0], configuration.width)
        precondition(
            states.shape[1] == configuration.numEmbeddings,
            "\(states.shape[1]) tokens of a text, and the prior takes \(configuration.numEmbeddings)")
        func token(_ vectors: Tensor) -> Tensor {
            vectors.unsqueezed(1).expanded(to: [batch, 1, width])
        }
        let parts = [
            stateProjection?(states) ?? states, token(textProjection(textNorm?(text) ?? text)),
            token(timeEmbedding(time, as: x.elementType)), token(sampleProjection(x)),
            answerToken.expanded(to: [batch, 1, width]),
        ]
        let placed = concatenated(parts, along: 1) + places
        var tokens = inputNorm?(placed) ?? placed
        let seen = bias(mask, as: x.elementType)
        for block in blocks {
            tokens = recomputable([tokens], dropout: dropout) {
                block($0[0], mask: seen, dropout: dropout)
            }
        }
        return outputProjection(outputNorm(tokens.select(tokens.shape[1] - 1, of: 1)))
    }

    /// An embedding in the units of the prior, which takes the mean and the deviation of each feature out.
    public func unscaled(_ embedding: Tensor) -> Tensor {
        embedding * deviation.to(embedding.elementType) + mean.to(embedding.elementType)
    }

    /// What is added to scores: a large negative number for padding and for tokens that come later, `[batch, 1, tokens,
    /// tokens]`.
    private func bias(_ mask: Tensor, as type: ElementType) -> Tensor {
        let count = configuration.numEmbeddings + configuration.additionalEmbeddings
        let later = 1 - Tensor.ones([count, count], type, on: mask.device).lowerTriangle()
        let hidden = (1 - mask.to(type)).padded([0, configuration.additionalEmbeddings])
        return (hidden.unsqueezed(1).unsqueezed(1) + later) * -10_000
    }
}

extension PriorTransformer: NoiseNetwork {
    /// The network's output for a batch; it reads the context with its mask, and the pooled text.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        conditions.checkRead(
            [
                Conditions.Key.context.name, Conditions.Key.contextMask.name,
                Conditions.Key.pooledText.name,
            ],
            by: Self.className)
        guard let states = conditions[.context], let mask = conditions[.contextMask],
            let text = conditions[.pooledText]
        else { preconditionFailure("a prior needs the states of a text, their mask and the text as a whole") }
        return self(x, time: time, states: states, mask: mask, text: text, dropout: dropout)
    }
}

/// The two-layer network that embeds the time, of any width inside. Parameters `linear_1.*`, `linear_2.*`.
struct PriorTimeEmbedding {
    let linear1: Linear
    let linear2: Linear
    let width: Int
    let activation: Activation

    init(_ configuration: PriorTransformerConfiguration, _ weights: Weights) {
        width = configuration.width
        let inner = configuration.timeEmbedDim ?? width
        linear1 = Linear(inputs: width, outputs: inner, weights["linear_1"])
        linear2 = Linear(inputs: inner, outputs: width, weights["linear_2"])
        activation = configuration.timeEmbedActFn
    }

    /// `[batch]` → `[batch, width]`
    func callAsFunction(_ time: Tensor, as type: ElementType) -> Tensor {
        let features = sinusoidalEmbedding(time, width: width, cosinesFirst: true).to(type)
        return linear2(activation(linear1(features)))
    }
}

/// Attention among the tokens and a feed-forward network, each behind a norm and beside a short cut. Parameters `norm1.*`,
/// `attn1.*`, `norm3.*`, `ff.net.*`.
struct PriorBlock {
    let norm1: LayerNorm
    let attention: EncoderAttention
    let norm3: LayerNorm
    let linear1: Linear
    let linear2: Linear
    let dropout: Dropout

    init(_ configuration: PriorTransformerConfiguration, _ weights: Weights) {
        let width = configuration.width
        norm1 = LayerNorm(width: width, weights["norm1"])
        attention = EncoderAttention(
            .init(
                width: width, heads: configuration.numAttentionHeads,
                headSize: configuration.attentionHeadDim, names: ["to_q", "to_k", "to_v", "to_out.0"]),
            weights["attn1"])
        norm3 = LayerNorm(width: width, weights["norm3"])
        let layers = weights["ff"]["net"]
        linear1 = Linear(inputs: width, outputs: 4 * width, layers[0]["proj"])
        linear2 = Linear(inputs: 4 * width, outputs: width, layers[2])
        dropout = Dropout(configuration.dropout)
    }

    /// `[batch, tokens, width]`, the shape stays.
    func callAsFunction(_ x: Tensor, mask: Tensor, dropout generator: RandomGenerator?) -> Tensor {
        let attended = x + dropout(attention(norm1(x), mask: mask), generator)
        let hidden = dropout(linear1(norm3(attended), then: .gelu), generator)
        return linear2(hidden, then: .nothing, adding: attended)
    }
}
