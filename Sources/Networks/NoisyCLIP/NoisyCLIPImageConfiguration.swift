/// The configuration of a `NoisyCLIPImage`, under the words of the published one.
public struct NoisyCLIPImageConfiguration: Equatable, Sendable {
    /// Height and width of pictures.
    public var imageSize = 64
    /// The side of a patch.
    public var patchSize = 4
    /// Features of an embedding.
    public var embeddingWidth = 512
    /// Heads of attention.
    public var heads = 12
    /// Features of a head.
    public var headWidth = 64
    /// Layers.
    public var layers = 12
    /// Times that there are, each with a token of its own.
    public var times = 1000

    /// The published values.
    public init() {}

    /// Features of a token.
    var width: Int { heads * headWidth }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("image_size", imageSize, within: 1...8_192)
        try checkRange("patch_size", patchSize, within: 1...imageSize)
        try checkRange("n_embd", embeddingWidth, within: 1...65_536)
        try checkRange("n_head", heads, within: 1...4_096)
        try checkRange("n_head_state", headWidth, within: 1...4_096)
        try checkRange("n_xf_blocks", layers, within: 1...1_000)
        try checkRange("n_timesteps", times, within: 1...1_000_000)
        guard imageSize % patchSize == 0 else {
            throw NetworkError(
                "patch_size", "is \(patchSize), which does not divide the 'image_size' of \(imageSize)")
        }
    }
}

extension NoisyCLIPImageConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("image_size", \.imageSize), .init("patch_size", \.patchSize),
        .init("n_embd", \.embeddingWidth), .init("n_head", \.heads), .init("n_head_state", \.headWidth),
        .init("n_xf_blocks", \.layers), .init("n_timesteps", \.times),
    ]
}
