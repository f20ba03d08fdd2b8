extension PriorTransformerConfiguration: TrainableSettings {
    /// The widths of CLIP's embeddings, and the tokens of its texts.
    public static let fittedKeys: Set = ["embedding_dim", "num_embeddings"]

    /// The same for embeddings of so many features, and texts of so many tokens, where their keys were not given.
    public func fitted(to demands: NetworkDemands) -> Self {
        var fitted = self
        demands.set("embedding_dim", &fitted.embeddingDim, to: demands.sample?[0])
        demands.set("num_embeddings", &fitted.numEmbeddings, to: demands.contextTokens)
        return fitted
    }

    /// The number of values, at the least, that live together while one embedding passes: what a block reads and writes.
    public var activationCount: Double { Double(numEmbeddings + additionalEmbeddings) * Double(width) * 2 }
}
