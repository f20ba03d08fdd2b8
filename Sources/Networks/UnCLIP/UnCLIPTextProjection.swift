import Layers
import Tensors

/// The configuration of an `UnCLIPTextProjection`: the keys and defaults of diffusers' `UnCLIPTextProjModel` (version 0.42).
/// The widths of time and context have no default there; these are Karlo's.
public struct UnCLIPTextProjectionConfiguration: Equatable, Sendable {
    /// Tokens that the embedding of the picture becomes.
    public var clipExtraContextTokens = 4
    /// Features of CLIP's embeddings, and of the states of the text.
    public var clipEmbeddingsDim = 768
    /// Features of the decoder's embedded time.
    public var timeEmbedDim = 1280
    /// Features of the context that the decoder attends to.
    public var crossAttentionDim = 1536

    /// Karlo's.
    public init() {}
}

extension UnCLIPTextProjectionConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("clip_extra_context_tokens", \.clipExtraContextTokens),
        .init("clip_embeddings_dim", \.clipEmbeddingsDim),
        .init("time_embed_dim", \.timeEmbedDim),
        .init("cross_attention_dim", \.crossAttentionDim),
    ]

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("clip_extra_context_tokens", clipExtraContextTokens, within: 1...65_536)
        try checkRange("clip_embeddings_dim", clipEmbeddingsDim, within: 1...1_048_576)
        try checkRange("time_embed_dim", timeEmbedDim, within: 1...1_048_576)
        try checkRange("cross_attention_dim", crossAttentionDim, within: 1...1_048_576)
    }
}

/// What unCLIP's decoder is conditioned on, made of CLIP's embeddings, under the parameter names of diffusers'
/// `UnCLIPTextProjModel`: a vector that is added to the embedded time, and further tokens before those of the text.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125), section 2.1.
public struct UnCLIPTextProjection: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "UnCLIPTextProjModel" }

    /// What the network was built from.
    public let configuration: UnCLIPTextProjectionConfiguration

    /// The embedding that stands for no picture, `[clipEmbeddingsDim]`.
    public let noPicture: Tensor
    let textToTime: Linear
    let pictureToTime: Linear
    let pictureToTokens: Linear
    let stateProjection: Linear
    let stateNorm: LayerNorm

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: UnCLIPTextProjectionConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (inputs, context) = (configuration.clipEmbeddingsDim, configuration.crossAttentionDim)
        noPicture = weights.parameter("learned_classifier_free_guidance_embeddings", [inputs], .zeros)
        textToTime = Linear(
            inputs: inputs, outputs: configuration.timeEmbedDim, weights["embedding_proj"])
        pictureToTime = Linear(
            inputs: inputs, outputs: configuration.timeEmbedDim,
            weights["clip_image_embeddings_project_to_time_embeddings"])
        pictureToTokens = Linear(
            inputs: inputs, outputs: configuration.clipExtraContextTokens * context,
            weights["clip_extra_context_tokens_proj"])
        stateProjection = Linear(inputs: inputs, outputs: context, weights["encoder_hidden_states_proj"])
        stateNorm = LayerNorm(width: context, weights["text_encoder_hidden_states_norm"])
    }

    /// What the decoder is conditioned on.
    /// - Parameters:
    ///   - picture: the embedding of a picture, `[batch, clipEmbeddingsDim]`; `nil` for none.
    ///   - text: the text as a whole, `[batch, clipEmbeddingsDim]`.
    ///   - states: its states, `[batch, tokens, clipEmbeddingsDim]`.
    /// - Returns: the tokens `[batch, clipExtraContextTokens + tokens, crossAttentionDim]`, and what is added to the
    ///   embedded time, `[batch, timeEmbedDim]`.
    public func callAsFunction(picture: Tensor?, text: Tensor, states: Tensor) -> (
        context: Tensor, time: Tensor
    ) {
        let batch = text.shape[0]
        let picture = picture ?? noPicture.unsqueezed(0).expanded(to: [batch, noPicture.shape[0]])
        // The tokens of the picture lie innermost in what the layer gives.
        let tokens = pictureToTokens(picture)
            .reshaped([batch, -1, configuration.clipExtraContextTokens]).transposed(1, 2)
        let context = concatenated([tokens, stateNorm(stateProjection(states))], along: 1)
        return (context, pictureToTime(picture) + textToTime(text))
    }
}
