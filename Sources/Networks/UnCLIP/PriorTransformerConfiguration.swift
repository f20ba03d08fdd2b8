import Layers

/// The configuration of a `PriorTransformer`: the keys, values and defaults of diffusers' `PriorTransformer` (version
/// 0.42).
public struct PriorTransformerConfiguration: Equatable, Sendable {
    /// The norm of tokens, or of the text as a whole, before they are read.
    public enum InputNorm: String, Codable, Sendable, CaseIterable { case layer }
    /// How the states of the text come to the width of a token.
    public enum StateProjection: String, Codable, Sendable, CaseIterable { case linear }

    /// Heads of attention in each block.
    public var numAttentionHeads = 32
    /// Features of one head.
    public var attentionHeadDim = 64
    /// Blocks.
    public var numLayers = 20
    /// Features of the embedding that is denoised.
    public var embeddingDim = 768
    /// Tokens of a text.
    public var numEmbeddings = 77
    /// Tokens after those of the text: the text as a whole, the time, the noisy embedding, and the one that is read.
    public var additionalEmbeddings = 4
    /// The probability of dropout in the blocks.
    public var dropout = 0.0
    /// The non-linearity of the embedding of the time.
    public var timeEmbedActFn = Activation.silu
    /// The norm of all tokens before the first block.
    public var normInType: InputNorm?
    /// The norm of the text as a whole.
    public var embeddingProjNormType: InputNorm?
    /// How the states of the text are brought to the width of a token; they have it already where `nil`.
    public var encoderHidProjType: StateProjection? = .linear
    /// Features inside the embedding of the time; those of a token where `nil`.
    public var timeEmbedDim: Int?
    /// Features of the text as a whole; those of the embedding where `nil`.
    public var embeddingProjDim: Int?
    /// Features of the answer; those of the embedding where `nil`.
    public var clipEmbedDim: Int?

    /// The defaults of diffusers, which are the values of Karlo's prior.
    public init() {}

    /// Features of a token.
    public var width: Int { numAttentionHeads * attentionHeadDim }
    /// Features of the states of a text.
    public var stateWidth: Int { encoderHidProjType == nil ? width : embeddingDim }
    /// Features of the text as a whole.
    public var textWidth: Int { embeddingProjDim ?? embeddingDim }
    /// Features of the answer.
    public var outputWidth: Int { clipEmbedDim ?? embeddingDim }
}

extension PriorTransformerConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("num_attention_heads", \.numAttentionHeads),
        .init("attention_head_dim", \.attentionHeadDim),
        .init("num_layers", \.numLayers),
        .init("embedding_dim", \.embeddingDim),
        .init("num_embeddings", \.numEmbeddings),
        .init("additional_embeddings", \.additionalEmbeddings),
        .init("dropout", \.dropout),
        .init("time_embed_act_fn", choice: \.timeEmbedActFn),
        .init("norm_in_type", optionalChoice: \.normInType),
        .init("embedding_proj_norm_type", optionalChoice: \.embeddingProjNormType),
        .init("encoder_hid_proj_type", optionalChoice: \.encoderHidProjType),
        .init(
            "added_emb_type", always: "prd", "must be 'prd': the answer is read from a token of its own"),
        .init("time_embed_dim", \.timeEmbedDim),
        .init("embedding_proj_dim", \.embeddingProjDim),
        .init("clip_embed_dim", \.clipEmbedDim),
    ]

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("num_attention_heads", numAttentionHeads, within: 1...4096)
        try checkRange("attention_head_dim", attentionHeadDim, within: 1...4096)
        try checkRange("num_layers", numLayers, within: 1...1024)
        try checkRange("embedding_dim", embeddingDim, within: 1...1_048_576)
        try checkRange("num_embeddings", numEmbeddings, within: 1...1_048_576)
        for (key, width) in [
            ("time_embed_dim", timeEmbedDim), ("embedding_proj_dim", embeddingProjDim),
            ("clip_embed_dim", clipEmbedDim),
        ] {
            if let width { try checkRange(key, width, within: 1...1_048_576) }
        }
        guard additionalEmbeddings == 4 else {
            throw NetworkError(
                "additional_embeddings",
                "is \(additionalEmbeddings), and 4 tokens follow those of the text: use 4")
        }
        guard width % 2 == 0 else {
            throw NetworkError(
                "attention_head_dim", "times 'num_attention_heads' is \(width): make it even for the time")
        }
        guard (0..<1).contains(dropout) else {
            throw NetworkError("dropout", "is \(dropout): use a probability from 0 to below 1")
        }
    }
}

extension PriorTransformerConfiguration.InputNorm: Named {}
extension PriorTransformerConfiguration.StateProjection: Named {}
