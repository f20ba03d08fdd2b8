/// The configuration of a `VQModel`: the keys, values and defaults of diffusers' class of that name (version
/// 0.42), so that its `config.json` is read and written as it stands.
public struct VQModelConfiguration: Equatable, Sendable {
    /// The norms of the decoder.
    public enum NormType: String, Sendable, CaseIterable {
        case group
        /// Scaled and shifted by the latents, place by place.
        case spatial
    }

    /// Encoder and decoder.
    public var coder = CoderConfiguration(latentChannels: 3)
    /// The number of vectors in the codebook.
    public var numVQEmbeddings = 256
    /// The size of each vector, that of latents where `nil`.
    public var vqEmbedDim: Int?
    /// The norms of the decoder.
    public var normType = NormType.group
    /// Whether those who decode hand over indices instead of latents. Here both have a function of their own
    /// and this tells which is meant.
    public var lookupFromCodebook = false
    /// Whether float16 overflows in this network, so that it must run in float32.
    public var forceUpcast = false

    /// The defaults of diffusers.
    public init() {}

    /// The size of each vector of the codebook.
    public var codeWidth: Int { vqEmbedDim ?? coder.latentChannels }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try coder.validate()
        try checkRange("num_vq_embeddings", numVQEmbeddings, within: 1...16_777_216)
        try checkRange("vq_embed_dim", codeWidth, within: 1...65_536)
        guard normType == .spatial else { return }
        guard codeWidth == coder.latentChannels else {
            throw NetworkError(
                "vq_embed_dim",
                "is \(codeWidth), and the norms 'spatial' need 'latent_channels', \(coder.latentChannels)"
            )
        }
        let groups = CoderNorm.groupsWithCode
        for channels in coder.blockOutChannels where channels % groups != 0 {
            throw NetworkError(
                "block_out_channels",
                "has \(channels), and the norms 'spatial' need multiples of \(groups)")
        }
    }
}

extension VQModelConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] =
        CoderConfiguration.keys.map { $0.within(\.coder) } + [
            .init("num_vq_embeddings", \.numVQEmbeddings),
            .init("vq_embed_dim", \.vqEmbedDim),
            .init("norm_type", choice: \.normType),
            .init("lookup_from_codebook", \.lookupFromCodebook),
            .init("force_upcast", \.forceUpcast),
        ]
}

extension VQModelConfiguration.NormType: Named {}
