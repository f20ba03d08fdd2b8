import Checkpoints
import Layers
import Storage
import Tensors

/// The library in whose layout a folder holds a network.
public enum ConfigurationLibrary: Sendable, Equatable {
    /// `_class_name` in `config.json`, weights in `diffusion_pytorch_model.safetensors`.
    case diffusers
    /// `architectures` and `model_type` in `config.json`, weights in `model.safetensors`. Where the network
    /// is part of a larger one, the larger one's configuration holds this one's under `partOfWhole`.
    case transformers(modelType: String, partOfWhole: String? = nil)

    /// What the files of weights are called after.
    var weightsBase: String { self == .diffusers ? "diffusion_pytorch_model" : "model" }
}

/// A network that is kept in a folder: `config.json` and its weights, as its library lays them out.
public protocol ConfiguredNetwork: Sendable {
    /// What the network is built from.
    associatedtype Configuration: Codable & Sendable

    /// What `config.json` calls the network under `_class_name` or `architectures`.
    static var className: String { get }
    /// The library whose layout its folders have.
    static var library: ConfigurationLibrary { get }
    /// What older files call it.
    static var olderClassNames: [String] { get }
    /// From names that older files use to those of the network.
    static var nameMap: NameMap { get }
    /// Whether a tensor of a checkpoint is no part of the network and may be there all the same: a buffer,
    /// or a part of the larger network that the checkpoint was made for. All others must be known.
    static func passesOver(_ name: String, in source: any TensorSource) -> Bool

    /// The table of places of patches that a parameter is; `nil` for all others. Such a table can be brought to the
    /// size of other pictures.
    static func placeTable(named name: String) -> PlaceTable?

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
    /// That of diffusers.
    public static var library: ConfigurationLibrary { .diffusers }
    /// None.
    public static func placeTable(named name: String) -> PlaceTable? { nil }
    /// No tensor.
    public static func passesOver(_ name: String, in source: any TensorSource) -> Bool { false }

    /// Reads the configuration of a folder.
    /// - Throws: `CheckpointError` that names the file and the key.
    public static func configuration(of folder: ModelFolder) throws -> Configuration {
        try configuration(folder.configuration())
    }

    /// The configuration that a `config.json` holds.
    /// - Throws: `CheckpointError` that names the file and the key.
    public static func configuration(_ object: JSONObject) throws -> Configuration {
        switch library {
        case .diffusers:
            if let found: String = try object.optional("_class_name"),
                found != className, !olderClassNames.contains(found)
            {
                throw CheckpointError(
                    object.place, "describes a \(quoted(found)), and a '\(className)' is needed")
            }
        case .transformers(let modelType, let partOfWhole):
            if let partOfWhole, let part: JSONObject = try object.optional(partOfWhole) {
                return try part.decoded()
            }
            if let found: String = try object.optional("model_type"), found != modelType {
                throw CheckpointError(
                    object.place, "describes a \(quoted(found)), and a '\(modelType)' is needed")
            }
        }
        return try object.decoded()
    }

    /// The keys of a `config.json` that the library's class does not have, so that nothing reads them.
    public static func foreignKeys(in object: JSONObject) -> [String] {
        guard let table = Configuration.self as? any ConfigurationTable.Type else { return [] }
        switch library {
        case .diffusers: return table.foreignKeys(in: object, common: [])
        case .transformers(_, let partOfWhole):
            // What the larger network's other parts say is not looked at.
            if let partOfWhole, case .object(let part) = object[partOfWhole] {
                return table.foreignKeys(in: part, common: transformersKeys).map { "\(partOfWhole).\($0)" }
            }
            return table.foreignKeys(in: object, common: transformersKeys)
        }
    }

    /// The form in which `config.json` holds a configuration.
    public static func json(_ configuration: Configuration) throws -> JSONObject {
        var object = try JSONObject(encoding: configuration)
        switch library {
        case .diffusers: object["_class_name"] = .string(className)
        case .transformers(let modelType, _):
            object["architectures"] = .array([.string(className)])
            object["model_type"] = .string(modelType)
        }
        return object
    }

    /// The weights of a folder under the network's own names.
    /// - Throws: `CheckpointError` for the files.
    public static func weights(of folder: ModelFolder) throws -> any TensorSource {
        try native(folder.weights())
    }

    /// A checkpoint under the network's own names: those of older files are translated, and what the
    /// network passes over is not on offer.
    /// - Throws: `CheckpointError` where two names become one.
    public static func native(_ source: any TensorSource) throws -> any TensorSource {
        try RenamedSource(source, nameMap) { passesOver($0, in: source) }
    }

    /// Builds the network of a folder with the weights there.
    ///
    /// - Parameters:
    ///   - purpose: whether the parameters will be trained.
    ///   - elementType: what the parameters become.
    ///   - device: where the parameters go.
    ///   - matrices: how the matrices of linear layers are kept.
    /// - Returns: the network, and the store with its parameters and the report of the load.
    /// - Throws: `CheckpointError` for the files, `LoadError` where weights and configuration differ.
    public static func load(
        _ folder: ModelFolder, purpose: ParameterStore.Purpose = .inference,
        elementType: ElementType = .float32, on device: Device = .cpu, matrices: MatrixFormat = .full
    ) throws -> (network: Self, store: ParameterStore) {
        let configuration = try configuration(of: folder)
        let store = ParameterStore(
            .loaded(try weights(of: folder)), purpose: purpose, elementType: elementType, on: device,
            matrices: matrices)
        return (try store.build { try Self(configuration, $0) }, store)
    }

    /// Writes a configuration, and parameters by name, in their order. The file of the parameters carries
    /// the configuration, too, so that it can be understood alone.
    /// - Throws: `FileError` or `CheckpointError` where a file cannot be written.
    public static func write(
        _ configuration: Configuration, _ parameters: [(String, Tensor)], to folder: ModelFolder
    ) throws {
        try write(json(configuration), parameters.map { try DeferredTensor($0, $1) }, to: folder)
    }

    /// Writes a `config.json` as it stands, and parameters that are made one after the other.
    /// - Throws: `FileError` or `CheckpointError` where a file cannot be written.
    package static func write(
        _ object: JSONObject, _ parameters: [DeferredTensor], to folder: ModelFolder
    ) throws {
        try folder.write(object)
        try folder.write(
            parameters, names: WeightsFileName(base: library.weightsBase),
            metadata: ["format": "pt", "config": JSONValue.object(object).text])
    }

    /// Writes the configuration, and the parameters of a store that was built for this network.
    /// - Throws: `FileError` or `CheckpointError` where a file cannot be written.
    public func write(_ store: ParameterStore, to folder: ModelFolder) throws {
        try Self.write(configuration, store.named, to: folder)
    }
}

/// A network that files in its original layout may hold with queries, keys and values in one tensor, which does not show how
/// they are split into heads.
package protocol JoinedHeadsNetwork: ConfiguredNetwork {
    /// The heads that a configuration has, one of all channels where `nil`.
    static func heads(_ configuration: Configuration) -> HeadSplit?
}

extension JoinedHeadsNetwork {
    /// The heads that a `config.json` has.
    /// - Throws: `CheckpointError` that names the file and the key.
    package static func heads(_ object: JSONObject) throws -> HeadSplit? { heads(try configuration(object)) }
}

/// From the names that early checkpoints of diffusers give the four products of attention in the given scopes;
/// every other name stays.
func earlyAttentionNames(_ scopes: [String]) -> NameMap {
    let parts = [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")]
    let rows = scopes.flatMap { scope in
        parts.map { old, new in ("\(scope).\(old).*", "\(scope).\(new).*") }
    }
    return NameMap(rows + [("*", "*")])
}
