import Checkpoints
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
        func read<Network: LatentAutoencoder>(_ type: Network.Type) throws -> any AutoencoderSettings {
            try type.configuration(object)
        }
        let name = try object.required("_class_name", as: String.self)
        guard let network = KnownNetworks.autoencoders.first(where: { $0.className == name }) else {
            let names = KnownNetworks.autoencoders.map { $0.className }.joined(separator: ", ")
            throw CheckpointError(
                object.place, "the autoencoder class \(quoted(name)) is not known here: there are \(names)")
        }
        settings = try read(network)
    }

    /// Whether two networks are of one type and alike in every key.
    public static func == (first: Self, second: Self) -> Bool {
        func isSame<Settings: AutoencoderSettings>(_ settings: Settings) -> Bool {
            settings == second.settings as? Settings
        }
        return isSame(first.settings)
    }

    /// The network that it describes.
    public var type: any LatentAutoencoder.Type {
        func network<Settings: AutoencoderSettings>(_ settings: Settings) -> any LatentAutoencoder.Type {
            Settings.Network.self
        }
        return network(settings)
    }

    /// What follows from the configuration for those who use the network.
    public var traits: AutoencoderTraits {
        func traits<Settings: AutoencoderSettings>(_ settings: Settings) -> AutoencoderTraits {
            Settings.Network.traits(settings)
        }
        return traits(settings)
    }

    /// A trait.
    public subscript<Value>(dynamicMember trait: KeyPath<AutoencoderTraits, Value>) -> Value {
        traits[keyPath: trait]
    }
}
