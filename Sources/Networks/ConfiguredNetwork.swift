import Checkpoints
import Foundation
import Layers
import Tensors

/// A network that is kept in a folder: `config.json` and its weights, as diffusers lays them out.
public protocol ConfiguredNetwork {
    /// What the network is built from.
    associatedtype Configuration: Codable & Sendable

    /// What `config.json` calls the network under `_class_name`.
    static var className: String { get }
    /// From names that older files use to those of the network.
    static var nameMap: NameMap { get }

    /// What the network was built from.
    var configuration: Configuration { get }

    /// The network of a configuration, its parameters from a scope.
    init(_ configuration: Configuration, _ weights: Weights) throws
}

extension ConfiguredNetwork {
    /// Every name as it is.
    public static var nameMap: NameMap { ["*": "*"] }

    /// Reads the configuration of a folder.
    /// - Throws: `CheckpointError` that names the file and the key.
    public static func configuration(of folder: ModelFolder) throws -> Configuration {
        let object = try folder.configuration()
        if let found: String = try object.optional("_class_name"), found != className {
            throw CheckpointError(object.place, "describes a '\(found)', and a '\(className)' is needed")
        }
        do {
            return try JSONDecoder().decode(
                Configuration.self, from: Data(JSONValue.object(object).text.utf8))
        } catch let error as NetworkError {
            throw CheckpointError(object.place, error.description)
        }
    }

    /// Builds the network of a folder with the weights there.
    ///
    /// - Parameters:
    ///   - purpose: whether the parameters will be trained.
    ///   - elementType: what the parameters become.
    ///   - device: where the parameters go.
    /// - Returns: the network, and the store with its parameters and the report of the load.
    /// - Throws: `CheckpointError` for the files, `LoadError` where weights and configuration differ.
    public static func load(
        _ folder: ModelFolder, purpose: ParameterStore.Purpose = .inference,
        elementType: ElementType = .float32, on device: Device = .cpu
    ) throws -> (network: Self, store: ParameterStore) {
        let configuration = try configuration(of: folder)
        let source = try RenamedSource(folder.weights(), nameMap)
        let store = ParameterStore(.loaded(source), purpose: purpose, elementType: elementType, on: device)
        return (try store.build { try Self(configuration, $0) }, store)
    }

    /// Writes the configuration, and the parameters of a store that was built for this network.
    /// - Throws: `CheckpointError` where a file cannot be written.
    public func write(_ store: ParameterStore, to folder: ModelFolder) throws {
        let text = try JSONEncoder().encode(configuration)
        guard var object = JSONObject(json: try JSONValue(parsing: text, place: "config.json")) else {
            throw CheckpointError(folder.path, "a configuration must be an object")
        }
        object["_class_name"] = .string(Self.className)
        try folder.write(object)
        try folder.write(Array(zip(store.names, store.parameters)))
    }
}

extension UNet2D: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "UNet2DModel" }

    /// Early checkpoints name the four products of attention otherwise.
    public static var nameMap: NameMap {
        let scopes = [
            "down_blocks.{l}.attentions.{i}", "mid_block.attentions.{i}", "up_blocks.{l}.attentions.{i}",
        ]
        let parts = [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")]
        let rows = scopes.flatMap { scope in
            parts.map { old, new in ("\(scope).\(old).*", "\(scope).\(new).*") }
        }
        return NameMap(rows + [("*", "*")])
    }
}

extension AnnotatedUNet: ConfiguredNetwork {
    /// The name in this project; no other program has a folder layout for it.
    public static var className: String { "AnnotatedUNet" }
}
