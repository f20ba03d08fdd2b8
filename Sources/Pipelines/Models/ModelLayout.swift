import Checkpoints
import Diffusers
import Diffusion
import Foundation
import Hub
import Layers
import Networks
import Storage
import Tensors

/// A model's folder in the diffusers layout: what is where, to read and to write.
public struct ModelLayout: Sendable {
    /// The folder.
    public let path: String

    /// A folder, not looked at yet.
    public init(_ path: String) {
        self.path = path
    }

    /// Finds the model that a user named: a run folder, or a folder in the diffusers layout.
    /// - Throws: `PipelineError` that says what is there instead.
    public init(model: String) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: model, isDirectory: &isFolder) else {
            throw PipelineError(
                "there is no model '\(model)': give a run folder, a folder in the diffusers layout, or org/name of the hub"
            )
        }
        guard isFolder.boolValue else {
            throw PipelineError(
                "'\(model)' is a file: give a run folder or a folder in the diffusers layout (with model_index.json)"
            )
        }
        func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: model + "/" + name) }
        if has("model_index.json") {
            path = model
        } else if has("model/model_index.json") {
            path = model + "/model"
        } else if let folder = Self.networkFolder(of: model) {
            let network = try KnownNetworks.name(in: folder.configuration())
            throw PipelineError(
                "'\(model)' is a \(printable(network)) alone, which draws no samples: give a run folder or a folder in the diffusers layout of a model that does"
            )
        } else if has("recipe.yaml") {
            throw PipelineError(
                "the run '\(model)' has no model yet: it writes one with its first checkpoint")
        } else {
            throw PipelineError(
                "'\(model)' holds no model_index.json: give a run folder or a folder in the diffusers layout")
        }
    }

    /// The folder of one network, which has a `config.json` and no index of parts: a folder itself, or a run's model; `nil`
    /// for other folders.
    static func networkFolder(of path: String) -> ModelFolder? {
        [path, path + "/model"].first { Files.exists($0 + "/config.json") }
            .flatMap { Files.exists("\(path)/model_index.json") ? nil : ModelFolder($0) }
    }

    /// Whether a name in an index can be that of a part's folder: one that cannot lead elsewhere.
    static func isFolderName(_ name: String) -> Bool {
        !name.isEmpty && !name.contains("/") && !name.hasPrefix(".") && printable(name) == name
    }

    /// A short name for messages and receipts.
    public var name: String {
        if let name = HubCache.model(ofSnapshot: path) { return name }
        let parts = path.split(separator: "/").map(String.init)
        return parts.last == "model" && parts.count > 1 ? parts[parts.count - 2] : parts.last ?? path
    }

    /// The network's folder.
    public var network: ModelFolder { ModelFolder(path + "/unet") }

    private var root: ModelFolder { ModelFolder(path) }

    /// The network's configuration.
    /// - Throws: `PipelineError` where the index names a pipeline that is not of this kind.
    public func networkConfiguration() throws -> NetworkConfiguration {
        try NetworkConfiguration(onPixels: index()) { try network.configuration() }
    }

    /// The heads of a network that may keep queries, keys and values in one tensor of its original layout.
    func heads() throws -> HeadSplit? {
        for component in [ModelComponent.unet, .classifier] {
            let folder = ModelFolder("\(path)/\(component.rawValue)")
            guard Files.exists(folder.path + "/config.json") else { continue }
            let object = try folder.configuration()
            let network = try KnownNetworks.network(named: KnownNetworks.name(in: object))
            return try (network as? any JoinedHeadsNetwork.Type)?.heads(object)
        }
        return nil
    }

    func index() throws -> JSONObject { try root.configuration("model_index.json") }

    /// The process that the network was trained on. Keys of other samplers are passed over, and a class of diffusers
    /// is the one that the index names, as there.
    /// - Parameter prediction: what the network predicts, whatever the file says.
    public func process(prediction: Prediction? = nil) throws -> Diffusion.Process {
        let object = try ModelFolder(path + "/scheduler")
            .configuration("scheduler_config.json", allowsNonFinite: true)
        let stored = try object.storedProcess(
            as: index().component("scheduler")?.className, predicting: prediction)
        return stored.process
    }

    static let unitPipeline = "ScoreSdeVePipeline"

    /// diffusers' pipelines on pixels that are made for one class of schedulers.
    private static let pipelines = [
        "DDIMScheduler": "DDIMPipeline", "CMStochasticIterativeScheduler": "ConsistencyModelPipeline",
        "ScoreSdeVeScheduler": unitPipeline,
    ]

    /// The card; an empty one where there is none.
    public func card() throws -> ModelCard {
        guard FileManager.default.fileExists(atPath: path + "/" + ModelCard.fileName) else {
            return ModelCard()
        }
        return try root.configuration(ModelCard.fileName).decoded()
    }

    /// Writes a model so that diffusers opens it, where network and process are of its classes.
    /// - Parameter parameters: by name, in the order in which the file is to list them.
    /// - Throws: `PipelineError` for a process without a file form; errors that name a file.
    public func write(
        _ configuration: NetworkConfiguration, process: Diffusion.Process, card: ModelCard,
        parameters: [(String, Tensor)]
    ) throws {
        let stored = try stored(process)
        try Files.createFolder(path)
        try configuration.write(parameters, to: network)
        try writeDescription(
            stored, card, pipeline: Self.pipelines[stored.name] ?? "DDPMPipeline",
            network: ("unet", configuration.library, configuration.className))
    }

    /// A process in the form in which a folder keeps it.
    /// - Throws: `PipelineError` where it has none.
    func stored(_ process: Diffusion.Process) throws -> StoredProcess {
        guard let stored = process.stored else {
            throw PipelineError(
                "\(path): a process of parts that no file names cannot be written: make it of a ProcessDescription or of one of diffusers' classes"
            )
        }
        return stored
    }

    /// Writes all that describes a model beside its network: the process, the card and, at last, the index.
    /// - Parameter network: the part that it is, its library and its class.
    /// - Throws: errors that name a file.
    func writeDescription(
        _ stored: StoredProcess, _ card: ModelCard, pipeline: String,
        network: (part: String, library: String, className: String)
    ) throws {
        try ModelFolder(path + "/scheduler").write(
            JSONObject(encoding: stored), to: "scheduler_config.json")
        try root.write(JSONObject(encoding: card), to: ModelCard.fileName)
        let library = if case .scheduler = stored { "diffusers" } else { "langevin" }
        let index: JSONObject = [
            "_class_name": .string(pipeline),
            "_diffusers_version": "0.42.0",
            "scheduler": [.string(library), .string(stored.name)],
            network.part: [.string(network.library), .string(network.className)],
        ]
        try root.write(index, to: "model_index.json")
    }
}

extension ModelLayout {
    /// Writes a folder aside and puts it in place of what has its name, which is whole at any time.
    package static func replacing(_ path: String, write: (_ aside: String) throws -> Void) throws {
        let path = String(path.reversed().drop { $0 == "/" }.reversed())
        let parent = URL(file: path).deletingLastPathComponent().path
        guard FileManager.default.isFolder(parent) else {
            throw PipelineError("\(path): there is no folder \(parent): make it first")
        }
        // The name is not made of the folder's own, which may be as long as names can be.
        let aside = "\(parent)/.langevin.tmp-\(Files.uniqueName())"
        do {
            try write(aside)
            try Files.replace(folder: path, with: aside)
        } catch {
            try? Files.remove(aside)
            throw error
        }
    }
}
