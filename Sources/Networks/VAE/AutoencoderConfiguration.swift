import Storage

/// The configuration of an autoencoder of any family. It has the traits of its network as properties.
@dynamicMemberLookup
public struct AutoencoderConfiguration: Sendable, Equatable {
    /// The configuration of the network's own type.
    public let settings: any AutoencoderSettings

    /// Any autoencoder's configuration.
    public init(_ settings: some AutoencoderSettings) { self.settings = settings }

    /// Reads an autoencoder's `config.json`.
    /// - Throws: `CheckpointError` where the class is not known or the file will not do; `NetworkError` where a value
    ///   will not do.
    public init(_ object: JSONObject) throws {
        let name = try object.required("_class_name", as: String.self)
        guard let network = KnownNetworks.autoencoders.first(where: { $0.className == name }) else {
            throw KnownNetworks.unknown(
                "autoencoder class", name, in: object, known: KnownNetworks.autoencoders.map { $0.className })
        }
        settings = try network.settings(object)
    }

    /// Whether two networks are of one type and alike in every key.
    public static func == (first: Self, second: Self) -> Bool { first.settings.isEqual(to: second.settings) }

    /// The network that it describes.
    public var type: any LatentAutoencoder.Type { settings.type }

    /// What follows from the configuration for those who use the network.
    public var traits: AutoencoderTraits { settings.traits }

    /// A trait.
    public subscript<Value>(dynamicMember trait: KeyPath<AutoencoderTraits, Value>) -> Value {
        traits[keyPath: trait]
    }
}
