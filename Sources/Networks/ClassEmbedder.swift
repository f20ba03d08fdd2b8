import Layers
import Tensors

/// The configuration of a `ClassEmbedder`; the defaults are those of the published class-conditional model.
public struct ClassEmbedderConfiguration: Equatable, Sendable {
    /// Classes, the one that stands for none included; that is the last one.
    public var classes = 1000
    /// Features of a class.
    public var width = 512

    /// The published table.
    public init() {}

    /// A table of `classes` rows of `width` features.
    public init(classes: Int, width: Int) {
        (self.classes, self.width) = (classes, width)
    }

    /// Checks that the values describe a table.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("n_classes", classes, within: 1...10_000_000)
        try checkRange("embed_dim", width, within: 1...1_048_576)
    }
}

extension ClassEmbedderConfiguration: ConfigurationTable {
    package static let otherKeys: Set = ["key"]

    package static let keys: [ConfigurationKey<Self>] = [
        .init("n_classes", \.classes),
        .init("embed_dim", \.width),
    ]
}

/// The table that turns classes into the one token that a U-Net attends to, in class-conditional latent
/// diffusion. It is trained together with the U-Net.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 4.3.1.
public struct ClassEmbedder: ConfiguredNetwork {
    /// The name in `config.json`; diffusers has no such class.
    public static var className: String { "ClassEmbedder" }

    /// What the table was built from.
    public let configuration: ClassEmbedderConfiguration
    private let embedding: Embedding

    /// The table of a configuration, its rows from a scope.
    /// - Throws: `NetworkError` where the configuration describes no table.
    public init(_ configuration: ClassEmbedderConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        embedding = Embedding(
            count: configuration.classes, width: configuration.width, weights["embedding"])
    }

    /// Classes `[batch]` of `int64` → one token each, `[batch, 1, width]`.
    public func callAsFunction(_ labels: Tensor) -> Tensor { embedding(labels).unsqueezed(1) }
}
