import Checkpoints
import Layers
import Storage
import Tensors
import Tokenizers

/// A model in one safetensors file: what a folder in the diffusers layout holds, and nothing else is needed.
///
/// The tensors of each part stand under the part's name (`unet.proj_out.weight`), and the metadata hold the text files under
/// their paths in the folder (`model_index.json`, `unet/config.json`, `tokenizer/merges.txt`), with the recipe that the model
/// was trained by (`recipe.yaml`), where it is known.
struct PackedModel: Sendable {
    /// The file.
    let file: SafetensorsFile

    /// Opens a file; `nil` where it is no packed model.
    /// - Throws: `CheckpointError` where it is no whole safetensors file.
    init?(path: String) throws {
        guard Files.exists(path), !Files.isFolder(path), try CheckpointFormat(of: path) == .safetensors else {
            return nil
        }
        self.init(try SafetensorsFile(path: path))
    }

    /// An opened file; `nil` where it is no packed model.
    init?(_ file: SafetensorsFile) {
        guard file.metadata[ModelContents.indexName] != nil else { return nil }
        self.file = file
    }

    /// The text files by path.
    var texts: [String: String] {
        Dictionary(uniqueKeysWithValues: file.metadata.filter { $0.0 != "format" })
    }

    /// A JSON object among the text files; `nil` where there is none of that path.
    /// - Throws: `ContentError` where it is no strict JSON; `CheckpointError` where it is no object.
    func object(_ name: String, allowsNonFinite: Bool = false) throws -> JSONObject? {
        guard let text = file.metadata[name] else { return nil }
        let place = "\(file.path), \(name)"
        let value = try JSONValue(parsing: text.utf8, place: place, allowsNonFinite: allowsNonFinite)
        guard let object = JSONObject(json: value) else {
            throw CheckpointError(place, "a configuration must be an object")
        }
        return object
    }

    /// `model_index.json`.
    func index() throws -> JSONObject {
        try object(ModelContents.indexName) ?? JSONObject(place: file.path)
    }

    /// The configuration of a part.
    /// - Throws: `CheckpointError` where there is none.
    func configuration(of component: ModelComponent) throws -> JSONObject {
        let name = component.isSchedule ? "scheduler_config.json" : "config.json"
        guard
            let object = try object(
                "\(component.rawValue)/\(name)", allowsNonFinite: component.isSchedule)
        else {
            throw CheckpointError(file.path, "there is no \(component.rawValue)/\(name) in its metadata")
        }
        return object
    }

    /// The tensors of a part under its own names.
    func weights(of part: String) -> any TensorSource { PartSource(file, part) }

    /// The tokenizer; `nil` where there is none.
    /// - Throws: one sentence about what is wrong with its files.
    func tokenizer() throws -> CLIPTokenizer? {
        let prefix = ModelContents.tokenizer + "/"
        let files = texts.filter { $0.key.hasPrefix(prefix) }
        guard !files.isEmpty else { return nil }
        let named = files.map { (String($0.key.dropFirst(prefix.count)), Array($0.value.utf8)) }
        return try CLIPTokenizer(
            files: Dictionary(uniqueKeysWithValues: named), place: "\(file.path), \(ModelContents.tokenizer)")
    }

    /// The card; an empty one where there is none.
    func card() throws -> ModelCard { try object(ModelCard.fileName)?.decoded() ?? ModelCard() }
}

/// The tensors whose names begin with that of a part, under what follows it.
private struct PartSource: TensorSource {
    private let file: SafetensorsFile
    private let prefix: String
    let names: [String]

    init(_ file: SafetensorsFile, _ part: String) {
        let prefix = part + "."
        (self.file, self.prefix) = (file, prefix)
        names = file.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    var files: [String] { file.files }
    func shape(of name: String) -> Shape? { file.shape(of: prefix + name) }
    func elementType(of name: String) -> ElementType? { file.elementType(of: prefix + name) }
    func tensor(named name: String) throws -> Tensor { try file.tensor(named: prefix + name) }
}
