import Checkpoints
import Layers
import Storage
import Tensors

/// The configuration of a denoising network of any family. It has the traits of its network as properties.
@dynamicMemberLookup
public struct NetworkConfiguration: Sendable, Equatable {
    /// The configuration of the network's own type.
    public let settings: any NetworkSettings

    /// Any network's configuration.
    public init(_ settings: some NetworkSettings) { self.settings = settings }

    /// The defaults of a network.
    public init(defaultsOf network: any DenoisingNetwork.Type) {
        func defaults<Network: DenoisingNetwork>(_ type: Network.Type) -> any NetworkSettings {
            Network.Configuration()
        }
        settings = defaults(network)
    }

    /// Reads a network's `config.json`.
    /// - Throws: `CheckpointError` where the family is not known or the file will not do; `NetworkError` where a value
    ///   will not do.
    public init(_ object: JSONObject) throws {
        func read<Network: DenoisingNetwork>(_ type: Network.Type) throws -> any NetworkSettings {
            try type.configuration(object)
        }
        let name = try object.required("_class_name", as: String.self)
        guard let network = KnownNetworks.denoising(named: name) else {
            let names = KnownNetworks.denoising.map { $0.className }.joined(separator: ", ")
            throw CheckpointError(
                object.place, "the network class \(quoted(name)) is not known here: there are \(names)")
        }
        settings = try read(network)
    }

    /// Whether two networks are of one type and alike in every key.
    public static func == (first: Self, second: Self) -> Bool {
        func isSame<Settings: NetworkSettings>(_ settings: Settings) -> Bool {
            settings == second.settings as? Settings
        }
        return isSame(first.settings)
    }

    // MARK: The network

    /// The network that it describes.
    public var type: any DenoisingNetwork.Type {
        func network<Settings: NetworkSettings>(_ settings: Settings) -> any DenoisingNetwork.Type {
            Settings.Network.self
        }
        return network(settings)
    }

    /// The name of the class, as `config.json` gives it in `_class_name`.
    public var className: String { type.className }

    /// What follows from the configuration for those who use the network.
    public var traits: NetworkTraits {
        func traits<Settings: NetworkSettings>(_ settings: Settings) -> NetworkTraits {
            Settings.Network.traits(settings)
        }
        return traits(settings)
    }

    /// A trait.
    public subscript<Value>(dynamicMember trait: KeyPath<NetworkTraits, Value>) -> Value {
        traits[keyPath: trait]
    }

    /// The network, its parameters from a scope.
    public func network(_ weights: Weights) throws -> any DenoisingNetwork {
        func network<Settings: NetworkSettings>(_ settings: Settings) throws -> any DenoisingNetwork {
            try Settings.Network(settings, weights)
        }
        return try network(settings)
    }

    /// The configuration brought to what data and conditioning ask for.
    /// - Throws: `NetworkError` where the result describes no network.
    public func fitted(to demands: NetworkDemands) throws -> NetworkConfiguration {
        func fitted<Settings: NetworkSettings>(_ settings: Settings) throws -> NetworkConfiguration {
            let fitted = Settings.Network.fitted(settings, to: demands)
            try fitted.validate()
            return NetworkConfiguration(fitted)
        }
        return try fitted(settings)
    }

    // MARK: Folders

    /// The form in which `config.json` holds it.
    public func json() throws -> JSONObject {
        func json<Settings: NetworkSettings>(_ settings: Settings) throws -> JSONObject {
            try Settings.Network.json(settings)
        }
        return try json(settings)
    }

    /// Writes it and the network's parameters, in their order, to a folder.
    package func write(_ parameters: [(String, Tensor)], to folder: ModelFolder) throws {
        func write<Settings: NetworkSettings>(_ settings: Settings) throws {
            try Settings.Network.write(settings, parameters, to: folder)
        }
        try write(settings)
    }

    /// The weights of a folder under the network's own names; names of older files are translated.
    package func weights(of folder: ModelFolder) throws -> any TensorSource { try type.weights(of: folder) }
}

// MARK: - In a recipe, where some keys may be left to the data

extension NetworkConfiguration {
    /// Reads a section whose keys are those of a network's configuration.
    /// - Parameters:
    ///   - network: the network.
    ///   - open: keys that are left to the data: they keep their defaults.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    package init(of network: any DenoisingNetwork.Type, from decoder: any Decoder, leaving open: Set<String>)
        throws
    {
        func read<Network: DenoisingNetwork>(_ type: Network.Type) throws -> NetworkConfiguration {
            guard let table = Network.Configuration.self as? any ConfigurationTable.Type,
                let settings = try table.init(from: decoder, leaving: open) as? Network.Configuration
            else { return NetworkConfiguration(try Network.Configuration(from: decoder)) }
            let given = Network.fittedKeys.subtracting(open)
            return try NetworkConfiguration(settings).fitted(to: NetworkDemands(given: given))
        }
        self = try read(network)
    }

    /// Writes the keys of the configuration into a section, `null` for those that are left to the data.
    package func encode(to encoder: any Encoder, leaving open: Set<String>) throws {
        guard let table = settings as? any ConfigurationTable else { return try settings.encode(to: encoder) }
        try table.encode(to: encoder, leaving: open)
    }

    /// The keys that data may decide and whose values are not the defaults.
    package var keysAwayFromDefaults: Set<String> {
        guard let own = try? json(), let defaults = try? NetworkConfiguration(defaultsOf: type).json() else {
            return []
        }
        return type.fittedKeys.filter { own[$0] != defaults[$0] }
    }
}
