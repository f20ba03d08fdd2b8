import Layers
import Tensors

/// A table of vectors that turns the number of a class into the one state that a U-Net attends to, as in
/// class-conditional latent diffusion (Rombach et al. 2022, arXiv:2112.10752). Parameter `embedding.weight`.
public struct ClassEmbedder: ConfiguredNetwork {
    /// The name in the latent-diffusion code; diffusers has no such class.
    public static var className: String { "ClassEmbedder" }

    /// What it was built from.
    public let configuration: ClassEmbedderConfiguration
    private let embedding: Embedding

    /// The table of a configuration, its parameters from a scope.
    public init(_ configuration: ClassEmbedderConfiguration, _ weights: Weights) {
        self.configuration = configuration
        embedding = Embedding(
            count: configuration.nClasses, width: configuration.embedDim, weights["embedding"])
    }

    /// - Parameter classes: `[batch]` of `int64`, from 0 to `nClasses` - 1.
    /// - Returns: `[batch, 1, embedDim]`
    public func callAsFunction(_ classes: Tensor) -> Tensor { embedding(classes).unsqueezed(1) }
}

/// The configuration of a `ClassEmbedder`: the keys and defaults of the latent-diffusion code.
public struct ClassEmbedderConfiguration: Codable, Equatable, Sendable {
    /// Features of a state.
    public var embedDim = 512
    /// Classes that there are.
    public var nClasses = 1000
    /// What training data calls the class.
    public var key = "class"

    /// The defaults of the latent-diffusion code, with the width of its published model.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case embedDim = "embed_dim"
        case nClasses = "n_classes"
        case key
    }

    /// Reads a `config.json`; keys that are absent keep the defaults, unknown ones are passed over.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.embedDim, into: &embedDim)
        try values.read(.nClasses, into: &nClasses)
        try values.read(.key, into: &key)
        try checkRange("embed_dim", embedDim, within: 1...1_048_576)
        try checkRange("n_classes", nClasses, within: 1...10_000_000)
    }
}
