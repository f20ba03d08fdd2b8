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
    public init(defaultsOf network: any DenoisingNetwork.Type) { settings = network.defaults }

    /// Reads a network's `config.json`.
    /// - Throws: `CheckpointError` where the family is not known or the file will not do; `NetworkError` where a value
    ///   will not do.
    public init(_ object: JSONObject) throws {
        let name = try object.required("_class_name", as: String.self)
        guard let network = KnownNetworks.denoising(named: name) else {
            throw KnownNetworks.unknown(
                "network class", name, in: object, known: KnownNetworks.denoising.map { $0.className })
        }
        settings = try network.settings(object)
    }

    /// Whether two networks are of one type and alike in every key.
    public static func == (first: Self, second: Self) -> Bool { first.settings.isEqual(to: second.settings) }

    // MARK: The network

    /// The network that it describes.
    public var type: any DenoisingNetwork.Type { settings.type }

    /// The name of the class, as `config.json` gives it in `_class_name`.
    public var className: String { type.className }

    /// What follows from the configuration for those who use the network.
    public var traits: NetworkTraits { settings.traits }

    /// A trait.
    public subscript<Value>(dynamicMember trait: KeyPath<NetworkTraits, Value>) -> Value {
        traits[keyPath: trait]
    }

    /// The network, its parameters from a scope.
    public func network(_ weights: Weights) throws -> any DenoisingNetwork { try settings.network(weights) }

    /// The configuration brought to what data and conditioning ask for.
    /// - Throws: `NetworkError` where the result describes no network.
    public func fitted(to demands: NetworkDemands) throws -> NetworkConfiguration {
        NetworkConfiguration(try settings.fitted(to: demands))
    }

    // MARK: Folders

    /// The form in which `config.json` holds it.
    public func json() throws -> JSONObject { try settings.json() }

    /// Writes it and the network's parameters, in their order, to a folder.
    package func write(_ parameters: [(String, Tensor)], to folder: ModelFolder) throws {
        try settings.write(parameters, to: folder)
    }

    /// The weights of a folder under the network's own names; names of older files are translated.
    package func weights(of folder: ModelFolder) throws -> any TensorSource { try type.weights(of: folder) }
}
