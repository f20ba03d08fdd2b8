import Checkpoints
import Layers
import Tensors

/// What CLIP makes of texts.
public struct CLIPTextOutput {
    /// The embedded tokens and the result of each layer, `[batch, tokens, width]`, before the last norm.
    public let states: [Tensor]
    /// One vector a text `[batch, width]`: the normed state at its end.
    public let pooled: Tensor
    let norm: LayerNorm

    /// The states that a generator is conditioned on, `[batch, tokens, width]`.
    ///
    /// Stable Diffusion 1 and 2 read the last layer, normed; with clip-skip n, that of n layers before.
    /// Stable Diffusion XL and 3 read the last but one (with clip-skip n, n more before), not normed.
    /// - Parameters:
    ///   - skipped: how many of the last layers are left out, at most all of them.
    ///   - normed: whether the last norm is applied.
    public func states(skipping skipped: Int = 0, normed: Bool = true) -> Tensor {
        precondition(
            states.indices.contains(skipped), "\(skipped) of \(states.count - 1) layers cannot be skipped")
        let state = states[states.count - 1 - skipped]
        return normed ? norm(state) : state
    }
}

/// CLIP's encoder of texts, under the names of transformers' `CLIPTextModel`: the text encoder of Stable
/// Diffusion 1 (OpenAI's) and 2 (OpenCLIP's H, without its last layer).
/// Source: Radford et al. 2021 (arXiv:2103.00020), section 2.4.
public struct CLIPText: ConfiguredNetwork {
    /// What the network was built from.
    public private(set) var configuration: CLIPTextConfiguration

    private(set) var tokens: Embedding
    let positions: Embedding
    let encoder: CLIPEncoder
    let finalNorm: LayerNorm

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: CLIPTextConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let weights = weights["text_model"]
        let (width, embeddings) = (configuration.hiddenSize, weights["embeddings"])
        tokens = Embedding(
            count: configuration.vocabSize, width: width, deviation: 0.02, embeddings["token_embedding"])
        positions = Embedding(
            count: configuration.maxPositionEmbeddings, width: width, deviation: 0.02,
            embeddings["position_embedding"])
        encoder = CLIPEncoder(configuration.encoder, weights["encoder"])
        finalNorm = LayerNorm(
            width: width, epsilon: configuration.layerNormEps, weights["final_layer_norm"])
    }

    /// The encoder with tokens of their own for vectors that were learned (textual inversion).
    /// Source: Gal et al. 2022 (arXiv:2208.01618).
    /// - Parameters:
    ///   - vectors: `[tokens, hiddenSize]`
    ///   - count: the tokens of its tokenizer, whose ids come before theirs.
    /// - Precondition: the encoder knows as many.
    package func adding(_ vectors: Tensor, after count: Int) -> CLIPText {
        var wider = self
        wider.tokens = tokens.prefix(count, followedBy: vectors)
        wider.configuration.vocabSize = count + vectors.shape[0]
        return wider
    }

    /// What CLIP makes of texts.
    /// - Parameters:
    ///   - ids: tokens `[batch, tokens]` as `int64`, at most `maxPositionEmbeddings` a text.
    ///   - mask: `[batch, tokens]`, 0 where a token is padding that no other shall see. Stable Diffusion
    ///     gives none, whatever the padding, unless the configuration says `useAttentionMask`.
    public func callAsFunction(_ ids: Tensor, mask: Tensor? = nil) -> CLIPTextOutput {
        let count = ids.shape[1]
        precondition(
            count <= configuration.maxPositionEmbeddings,
            "\(count) tokens, and the network knows \(configuration.maxPositionEmbeddings) places")
        let places = Tensor.range(to: Double(count), .int64, on: ids.device)
        let embedded = tokens(ids) + positions(places)
        let seen = mask.map { mask in
            visible(mask) .& Tensor.ones([count, count], .bool, on: ids.device).lowerTriangle()
        }
        let states = encoder(embedded, mask: seen, isCausal: seen == nil)
        return CLIPTextOutput(
            states: states, pooled: atEnd(of: ids, finalNorm(states[states.count - 1])), norm: finalNorm)
    }

    /// The state at the end of each text: its first token `eosTokenId`. Configurations from before that
    /// key was right say 2 there, and mean the token of the largest number.
    private func atEnd(of ids: Tensor, _ states: Tensor) -> Tensor {
        let scores =
            configuration.eosTokenId == 2 ? ids : (ids .== Double(configuration.eosTokenId)).to(.int64)
        let rows = Tensor.range(to: Double(ids.shape[0]), .int64, on: ids.device)
        return states.indexed([rows, scores.indexOfMax(1)])
    }
}

/// `CLIPText` and the projection into the space that texts and pictures share, under the names of
/// transformers' `CLIPTextModelWithProjection`: the second text encoder of Stable Diffusion XL.
public struct CLIPTextWithProjection: ConfiguredNetwork {
    /// The encoder.
    public package(set) var text: CLIPText
    let projection: Linear

    /// What the network was built from.
    public var configuration: CLIPTextConfiguration { text.configuration }

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: CLIPTextConfiguration, _ weights: Weights) throws {
        text = try CLIPText(configuration, weights)
        projection = Linear(
            inputs: configuration.hiddenSize, outputs: configuration.projectionDim, bias: false,
            weights["text_projection"])
    }

    /// What the encoder makes of texts, and one vector a text `[batch, projectionDim]`.
    /// See `CLIPText` for the arguments.
    public func callAsFunction(_ ids: Tensor, mask: Tensor? = nil) -> (
        output: CLIPTextOutput, embedding: Tensor
    ) {
        let output = text(ids, mask: mask)
        return (output, projection(output.pooled))
    }
}
