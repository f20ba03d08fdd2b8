import Layers
import Tensors

/// The configuration of an `EmbeddingNormalizer`: the keys and defaults of diffusers' `StableUnCLIPImageNormalizer`.
public struct EmbeddingNormalizerConfiguration: Equatable, Sendable {
    /// Features of an embedding.
    public var embeddingDim = 768

    /// The defaults of diffusers.
    public init() {}
}

extension EmbeddingNormalizerConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [.init("embedding_dim", \.embeddingDim)]

    /// Checks that the values describe a table that can be built.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public func validate() throws {
        try checkRange("embedding_dim", embeddingDim, within: 1...1_048_576)
    }
}

/// The mean and the deviation of each feature of CLIP's embeddings of pictures, between which and unit variance
/// Stable unCLIP lays noise on them; diffusers' `StableUnCLIPImageNormalizer`.
public struct EmbeddingNormalizer: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "StableUnCLIPImageNormalizer" }

    /// What it was built from.
    public let configuration: EmbeddingNormalizerConfiguration
    let mean: Tensor
    let deviation: Tensor

    /// The table of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no table.
    public init(_ configuration: EmbeddingNormalizerConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        mean = weights.parameter("mean", [1, configuration.embeddingDim], .zeros)
        deviation = weights.parameter("std", [1, configuration.embeddingDim], .constant(1))
    }

    /// Embeddings `[batch, embeddingDim]` of unit variance.
    public func scaled(_ embeddings: Tensor) -> Tensor { (embeddings - mean) / deviation }

    /// And back.
    public func unscaled(_ embeddings: Tensor) -> Tensor { embeddings * deviation + mean }
}
