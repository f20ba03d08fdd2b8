import Checkpoints
import Layers
import Tensors

/// A network that is kept in a folder: `config.json` and its weights, as diffusers lays them out.
public protocol ConfiguredNetwork {
    /// What the network is built from.
    associatedtype Configuration: Codable & Sendable

    /// What `config.json` calls the network under `_class_name`.
    static var className: String { get }
    /// What older files call it.
    static var olderClassNames: [String] { get }
    /// From names that older files use to those of the network.
    static var nameMap: NameMap { get }

    /// What the network was built from.
    var configuration: Configuration { get }

    /// The network of a configuration, its parameters from a scope.
    init(_ configuration: Configuration, _ weights: Weights) throws
}

extension ConfiguredNetwork {
    /// None.
    public static var olderClassNames: [String] { [] }

    /// Every name as it is.
    public static var nameMap: NameMap { ["*": "*"] }

    /// Reads the configuration of a folder.
    /// - Throws: `CheckpointError` that names the file and the key.
    public static func configuration(of folder: ModelFolder) throws -> Configuration {
        try configuration(folder.configuration())
    }

    /// The configuration that a `config.json` holds.
    /// - Throws: `CheckpointError` that names the file and the key.
    public static func configuration(_ object: JSONObject) throws -> Configuration {
        if let found: String = try object.optional("_class_name"),
            found != className, !olderClassNames.contains(found)
        {
            throw CheckpointError(object.place, "describes a '\(found)', and a '\(className)' is needed")
        }
        return try object.decoded()
    }

    /// The form in which `config.json` holds a configuration.
    public static func json(_ configuration: Configuration) throws -> JSONObject {
        var object = try JSONObject(encoding: configuration)
        object["_class_name"] = .string(className)
        return object
    }

    /// The weights of a folder under the network's own names; names of older files are translated.
    /// - Throws: `CheckpointError` for the files.
    public static func weights(of folder: ModelFolder) throws -> any TensorSource {
        try RenamedSource(folder.weights(), nameMap)
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
        let store = ParameterStore(
            .loaded(try weights(of: folder)), purpose: purpose, elementType: elementType, on: device)
        return (try store.build { try Self(configuration, $0) }, store)
    }

    /// Writes a configuration, and parameters by name, in their order. The file of the parameters carries
    /// the configuration, too, so that it can be understood alone.
    /// - Throws: `FileError` or `CheckpointError` where a file cannot be written.
    public static func write(
        _ configuration: Configuration, _ parameters: [(String, Tensor)], to folder: ModelFolder
    ) throws {
        let object = try json(configuration)
        try folder.write(object)
        try folder.write(parameters, metadata: ["format": "pt", "config": JSONValue.object(object).text])
    }

    /// Writes the configuration, and the parameters of a store that was built for this network.
    /// - Throws: `FileError` or `CheckpointError` where a file cannot be written.
    public func write(_ store: ParameterStore, to folder: ModelFolder) throws {
        try Self.write(configuration, store.named, to: folder)
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
