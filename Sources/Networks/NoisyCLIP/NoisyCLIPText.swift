import Checkpoints
import Layers
import Tensors

/// The encoder of texts of a CLIP that guides GLIDE.
/// Source: Nichol et al. 2021 (arXiv:2112.10741), section 2.3; Radford et al. 2021 (arXiv:2103.00020), section 2.4.
public struct NoisyCLIPText: ConfiguredNetwork {
    /// What the network was built from.
    public let configuration: NoisyCLIPTextConfiguration

    let tokens: Embedding
    let positions: Tensor
    let encoder: NoisyCLIPEncoder

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: NoisyCLIPTextConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        tokens = Embedding(
            count: configuration.vocabularySize, width: configuration.width, deviation: 0.02,
            weights["tokens"])
        positions = weights.parameter(
            "positions", [configuration.length, configuration.width], .normal(deviation: 0.01))
        encoder = NoisyCLIPEncoder(
            layers: configuration.layers, heads: configuration.heads, headWidth: configuration.headWidth,
            outputs: configuration.embeddingWidth, weights)
    }

    /// Vectors of length 1, `[texts, embeddingWidth]`.
    /// - Parameters:
    ///   - ids: `[texts, length]` as `int64`; what stands behind the last token does not matter.
    ///   - counts: the tokens of each text, those at start and end included.
    public func callAsFunction(_ ids: Tensor, counts: [Int]) -> Tensor {
        let states = encoder(tokens(ids) + positions, isCausal: true)
        let last = counts.enumerated().map { row, count in
            states.slice(row..<row + 1, of: 0).select(count - 1, of: 1)
        }
        return encoder.embedding(of: concatenated(last))
    }

    /// The name in this project.
    public static var className: String { "NoisyCLIPText" }
    /// From the published names.
    public static var nameMap: NameMap { NoisyCLIPEncoder.names }
}
