import Checkpoints
import Layers
import Networks
import Storage
import Tensors

/// All that a model's folder holds, to be packed into one file or laid out as a folder again.
struct ModelContents {
    /// The index of parts.
    static let indexName = "model_index.json"
    /// The recipe of a run.
    static let recipeName = "recipe.yaml"
    /// The folder of the one tokenizer that a packed model has.
    static let tokenizer = "tokenizer"

    /// A network with its weights under its own names.
    struct Network {
        /// The name of its folder.
        let part: String
        /// Its type.
        let type: any ConfiguredNetwork.Type
        /// Its `config.json`.
        let configuration: JSONObject
        /// Its weights.
        let weights: any TensorSource
        /// Where they are, for messages.
        let place: String
    }

    /// The text files by their paths in the folder, `model_index.json` and `recipe.yaml` among them.
    private(set) var texts: [String: String]
    /// The networks, in the order of the index.
    private(set) var networks: [Network] = []

    /// What a folder holds.
    /// - Parameter variant: the set of weights; parts that lack it have the plain one.
    /// - Throws: `PipelineError` where a part has no place in a packed model; errors about files.
    init(_ layout: ModelLayout, variant: String?) throws {
        let index = try layout.completeIndex()
        texts = [Self.indexName: JSONValue.object(index).text]
        for name in index.keys {
            guard let named = try index.component(name, ifPair: true) else { continue }
            let folder = "\(layout.path)/\(name)"
            if let type = KnownNetworks.network(named: named.className) {
                networks.append(
                    Network(
                        part: name, type: type, configuration: try ModelFolder(folder).configuration(),
                        weights: try type.native(ModelFolder(folder).anyWeights(variant: variant)),
                        place: folder))
            } else if name != ModelComponent.scheduler.rawValue, name != Self.tokenizer {
                throw PipelineError(
                    "\(folder): a \(quoted(named.className)) has no place in one file, which holds networks, a schedule and one tokenizer: give OUT without .safetensors"
                )
            }
            try addTexts(of: name, in: folder)
        }
        let recipes = [layout.path, Files.parent(of: layout.path)].map { "\($0)/\(Self.recipeName)" }
        let others = ["\(layout.path)/\(ModelCard.fileName)"] + recipes.filter(Files.exists).prefix(1)
        for path in others where Files.exists(path) { texts[Files.name(of: path)] = try Self.text(path) }
    }

    /// What a packed model holds.
    /// - Throws: `CheckpointError` where its metadata are not those of a model.
    init(_ packed: PackedModel) throws {
        texts = packed.texts
        let index = try packed.index()
        for name in index.keys {
            guard let named = try index.component(name, ifPair: true) else { continue }
            guard let type = KnownNetworks.network(named: named.className) else { continue }
            guard let object = try packed.object("\(name)/config.json") else {
                throw CheckpointError(packed.file.path, "there is no \(name)/config.json in its metadata")
            }
            networks.append(
                Network(
                    part: name, type: type, configuration: object,
                    weights: try type.native(packed.weights(of: name)), place: "\(packed.file.path), \(name)")
            )
        }
        for name in texts.keys where !Self.isPath(name) {
            throw CheckpointError(
                packed.file.path, "\(quoted(name)) in its metadata cannot be the path of a file in a folder")
        }
    }

    private mutating func addTexts(of name: String, in folder: String) throws {
        for file in try Files.names(in: folder) where Self.isText(file) {
            texts["\(name)/\(file)"] = try Self.text("\(folder)/\(file)")
        }
    }

    private static func isText(_ name: String) -> Bool {
        [".json", ".txt"].contains(where: name.hasSuffix) && !name.contains(".safetensors")
    }

    /// Far above real files of one model's texts, and far below what a header may have.
    private static func text(_ path: String) throws -> String {
        let bytes = try Files.read(path, atMost: 4 << 20)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CheckpointError(path, "it is no UTF-8, which text files of a model are")
        }
        return text
    }

    /// Whether a path leads to a file in a model's folder, one folder deep at the most.
    private static func isPath(_ name: String) -> Bool {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        return parts.count <= 2 && parts.allSatisfy(ModelLayout.isFolderName)
    }
}

extension ModelContents {
    /// Writes one file.
    /// - Parameter type: what floating-point numbers become; as they are where `nil`.
    /// - Returns: what became of the tensors, in lines.
    /// - Throws: `PipelineError` where weights and a configuration differ; errors that name the file.
    func pack(into path: String, as type: ElementType?) throws -> [String] {
        var tensors: [DeferredTensor] = []
        var lines: [String] = []
        for network in networks {
            let own = try network.tensors(as: type)
            tensors += own.map { $0.named("\(network.part).\($0.name)") }
            lines.append("\(network.type.className): all \(own.count) tensors used")
        }
        try SafetensorsWriter(tensors, metadata: texts.merging(["format": "pt"]) { $1 }).write(to: path)
        return lines
    }

    /// Writes a folder.
    func layOut(in path: String, as type: ElementType?) throws -> [String] {
        try Files.createFolder(path)
        var lines: [String] = []
        for network in networks {
            let tensors = try network.tensors(as: type)
            try network.type.write(
                network.configuration, tensors, to: ModelFolder("\(path)/\(network.part)"))
            lines.append("\(network.type.className): all \(tensors.count) tensors used")
        }
        for (name, text) in texts.sorted(by: { $0.key < $1.key }) {
            let file = "\(path)/\(name)"
            try Files.createFolder(Files.parent(of: file))
            try Files.write(text.utf8, to: file)
        }
        return lines
    }
}

extension ModelContents.Network {
    /// The tensors, strictly: each has its place in the network, and the other way round.
    func tensors(as type: ElementType?) throws -> [DeferredTensor] {
        try self.type.tensors(configuration, weights, place: place, as: type)
    }
}

extension ModelLayout {
    /// The index with the parts that runs on pixels have beside it: the text encoder that was trained along, and its
    /// tokenizer.
    func completeIndex() throws -> JSONObject {
        var index = try self.index()
        if index[ModelContents.tokenizer] == nil, Files.exists("\(tokenizerPath)/merges.txt") {
            index[ModelContents.tokenizer] = ["transformers", "CLIPTokenizer"]
        }
        guard hasTextEncoder, index[ModelComponent.textEncoder.rawValue] == nil else { return index }
        index[ModelComponent.textEncoder.rawValue] = ["transformers", .string(CLIPText.className)]
        index[ModelContents.tokenizer] = ["transformers", "CLIPTokenizer"]
        return index
    }
}
