import Checkpoints
import Diffusers
import Diffusion
import Layers
import Networks
import Storage
import Tokenizers

/// A model part by part, wherever the parts are: what a folder in the diffusers layout would hold. It can be sampled as it
/// is, and written as such a folder.
public struct ModelParts: Sendable {
    /// A network of the model, or a table.
    public struct Part: Sendable {
        /// Its type.
        public let type: any ConfiguredNetwork.Type
        /// Its `config.json`.
        public let configuration: JSONObject
        /// Its weights under the network's own names.
        public let weights: any TensorSource
        /// The library that an index names for its class.
        public let library: String

        /// A part of a configuration and its weights.
        public init<Network: ConfiguredNetwork>(
            _ type: Network.Type, _ configuration: Network.Configuration, _ weights: any TensorSource
        ) throws {
            try self.init(type, json: type.json(configuration), weights)
        }

        /// A part whose configuration is an object.
        public init(
            _ type: any ConfiguredNetwork.Type, json: JSONObject, _ weights: any TensorSource,
            library: String? = nil
        ) {
            (self.type, configuration, self.weights) = (type, json, weights)
            self.library = library ?? (type.library == .diffusers ? "diffusers" : "transformers")
        }
    }

    /// A short name for messages.
    public var name: String
    /// What its index says beside its parts: `_class_name`, and parts that are absent.
    public var index: JSONObject
    /// The process that the network was trained on.
    public var process: Process
    /// What else is known of its use.
    public var card: ModelCard
    /// The networks and tables.
    public var parts: [ModelComponent: Part] = [:]
    /// The tokenizer of its text encoder.
    public var tokenizer: CLIPTokenizer?

    /// A model without parts.
    public init(name: String, index: JSONObject, process: Process, card: ModelCard) {
        (self.name, self.index, self.process, self.card) = (name, index, process, card)
    }

    /// The index with the parts in it.
    /// - Throws: `PipelineError` for a process without a file form.
    func fullIndex() throws -> JSONObject {
        var full = index
        full["_diffusers_version"] = "0.42.0"
        for (component, part) in parts {
            full[component.rawValue] = [.string(part.library), .string(part.type.className)]
        }
        let stored = try stored()
        let library = if case .scheduler = stored { "diffusers" } else { "langevin" }
        full["scheduler"] = [.string(library), .string(stored.name)]
        if tokenizer != nil { full["tokenizer"] = ["transformers", "CLIPTokenizer"] }
        return full
    }

    /// The configuration of a part or of the scheduler.
    /// - Throws: `PipelineError` where there is no such part.
    func configuration(of component: ModelComponent) throws -> JSONObject {
        if component == .scheduler { return try JSONObject(encoding: stored()) }
        guard let part = parts[component] else {
            throw PipelineError("\(name): there is no \(component.rawValue) in this model")
        }
        return part.configuration
    }

    private func stored() throws -> StoredProcess {
        guard let stored = process.stored else {
            throw PipelineError(
                "\(name): a process of parts that no file names cannot be written: make it of a ProcessDescription or of one of diffusers' classes"
            )
        }
        return stored
    }
}

extension ModelLayout {
    /// Writes a model so that diffusers opens it, where all of its parts are of its classes.
    /// - Parameter writeTokenizer: writes the tokenizer's folder, where there is one.
    /// - Throws: `PipelineError` for a process without a file form; errors that name a file.
    public func write(_ model: ModelParts, writeTokenizer: ((_ path: String) throws -> Void)? = nil) throws {
        try Files.createFolder(path)
        let root = ModelFolder(path)
        for (component, part) in model.parts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            let tensors = try part.weights.names.map { try DeferredTensor($0, in: part.weights, as: nil) }
            try part.type.write(
                part.configuration, tensors, to: ModelFolder("\(path)/\(component.rawValue)"))
        }
        try ModelFolder("\(path)/scheduler").write(
            model.configuration(of: .scheduler), to: "scheduler_config.json")
        try root.write(JSONObject(encoding: model.card), to: ModelCard.fileName)
        try writeTokenizer?("\(path)/tokenizer")
        try root.write(model.fullIndex(), to: "model_index.json")
    }
}
