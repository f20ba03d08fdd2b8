/// The configuration of a `NoisyCLIPText`, under the words of the published one.
public struct NoisyCLIPTextConfiguration: Equatable, Sendable {
    /// Tokens that there are.
    public var vocabularySize = 65_536
    /// Tokens of a text, those at start and end included.
    public var length = 77
    /// Features of an embedding.
    public var embeddingWidth = 512
    /// Heads of attention.
    public var heads = 8
    /// Features of a head.
    public var headWidth = 64
    /// Layers.
    public var layers = 12

    /// The published values.
    public init() {}

    /// Features of a token.
    var width: Int { heads * headWidth }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("n_vocab", vocabularySize, within: 1...10_000_000)
        try checkRange("max_text_len", length, within: 3...65_536)
        try checkRange("n_embd", embeddingWidth, within: 1...65_536)
        try checkRange("n_head", heads, within: 1...4_096)
        try checkRange("n_head_state", headWidth, within: 1...4_096)
        try checkRange("n_xf_blocks", layers, within: 1...1_000)
    }
}

extension NoisyCLIPTextConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("n_vocab", \.vocabularySize), .init("max_text_len", \.length),
        .init("n_embd", \.embeddingWidth), .init("n_head", \.heads), .init("n_head_state", \.headWidth),
        .init("n_xf_blocks", \.layers),
    ]
}
