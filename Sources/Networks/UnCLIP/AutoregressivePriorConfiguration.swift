/// The configuration of an `AutoregressivePrior`.
public struct AutoregressivePriorConfiguration: Equatable, Sendable {
    /// Heads of attention in each block.
    public var numAttentionHeads = 4
    /// Features of one head.
    public var attentionHeadDim = 32
    /// Blocks.
    public var numLayers = 4
    /// Features of CLIP's embeddings.
    public var embeddingDim = 96
    /// Features of the states of a text.
    public var stateDim = 96
    /// Tokens of a text.
    public var numEmbeddings = 77
    /// Principal components that are predicted, one after the other.
    public var components = 32
    /// Buckets of each, and of the cosine of text and picture.
    public var buckets = 64
    /// The probability of dropout in the blocks.
    public var dropout = 0.0

    /// A small network.
    public init() {}

    /// The blocks of a transformer, which the diffusion prior has, too.
    var blocks: PriorTransformerConfiguration {
        var blocks = PriorTransformerConfiguration()
        (blocks.numAttentionHeads, blocks.attentionHeadDim) = (numAttentionHeads, attentionHeadDim)
        (blocks.numLayers, blocks.dropout) = (numLayers, dropout)
        return blocks
    }

    /// Features of a token.
    public var width: Int { numAttentionHeads * attentionHeadDim }
    /// Tokens before those that are predicted: the text, the text as a whole, and the cosine.
    public var prefix: Int { numEmbeddings + 2 }
}

extension AutoregressivePriorConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("num_attention_heads", \.numAttentionHeads),
        .init("attention_head_dim", \.attentionHeadDim),
        .init("num_layers", \.numLayers),
        .init("embedding_dim", \.embeddingDim),
        .init("state_dim", \.stateDim),
        .init("num_embeddings", \.numEmbeddings),
        .init("components", \.components),
        .init("buckets", \.buckets),
        .init("dropout", \.dropout),
    ]
}

extension AutoregressivePriorConfiguration: TrainableSettings {
    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try blocks.validate()
        try checkRange("embedding_dim", embeddingDim, within: 1...1_048_576)
        try checkRange("state_dim", stateDim, within: 1...1_048_576)
        try checkRange("num_embeddings", numEmbeddings, within: 1...1_048_576)
        try checkRange("buckets", buckets, within: 2...65_536)
        guard (1...embeddingDim).contains(components) else {
            throw NetworkError(
                "components",
                "is \(components), and embeddings have \(embeddingDim) features (embedding_dim): use 1 to \(embeddingDim)"
            )
        }
    }

    /// The widths of CLIP's embeddings and states, and the tokens of its texts.
    public static let fittedKeys: Set = ["embedding_dim", "state_dim", "num_embeddings"]

    /// The same for what a CLIP gives, where the keys were not given.
    public func fitted(to demands: NetworkDemands) -> Self {
        var fitted = self
        demands.set("embedding_dim", &fitted.embeddingDim, to: demands.sample?[0])
        demands.set("state_dim", &fitted.stateDim, to: demands.contextWidth)
        demands.set("num_embeddings", &fitted.numEmbeddings, to: demands.contextTokens)
        return fitted
    }

    /// The number of values, at the least, that live together while one sequence passes: what a block reads and writes.
    public var activationCount: Double { Double(prefix + components) * Double(width) * 2 }
}
