import Checkpoints
import Diffusion
import Foundation
import Layers
import Tensors

/// A model's folder in the diffusers layout: what is where, to read and to write.
public struct ModelLayout: Sendable {
    /// The pipelines of diffusers that this layout holds.
    static let pipelines = ["DDPMPipeline", "DDIMPipeline"]
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
            throw PipelineError("there is no model '\(model)': give a run folder or a folder in the diffusers layout")
        }
        guard isFolder.boolValue else {
            throw PipelineError(
                "'\(model)' is a file: give a run folder or a folder in the diffusers layout (with model_index.json)")
        }
        func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: model + "/" + name) }
        if has("model_index.json") {
            path = model
        } else if has("model/model_index.json") {
            path = model + "/model"
        } else if has("recipe.yaml") {
            throw PipelineError("the run '\(model)' has no model yet: it writes one with its first checkpoint")
        } else {
            throw PipelineError(
                "'\(model)' holds no model_index.json: give a run folder or a folder in the diffusers layout")
        }
    }

    /// A short name for messages and receipts.
    public var name: String {
        let parts = path.split(separator: "/").map(String.init)
        return parts.last == "model" && parts.count > 1 ? parts[parts.count - 2] : parts.last ?? path
    }

    /// The network's folder.
    public var network: ModelFolder { ModelFolder(path + "/unet") }

    private var root: ModelFolder { ModelFolder(path) }

    /// The network's configuration.
    /// - Throws: `PipelineError` where the index names a pipeline that is not of this kind.
    public func networkConfiguration() throws -> NetworkConfiguration {
        let index = try root.configuration("model_index.json")
        let pipeline = try index.required("_class_name", as: String.self)
        guard Self.pipelines.contains(pipeline) else {
            throw PipelineError(
                "\(path)/model_index.json: the pipeline '\(pipeline)' is not known here: \(Self.pipelines.joined(separator: " and ")) are"
            )
        }
        return try NetworkConfiguration(network.configuration())
    }

    /// The process, and how to sample it. Keys of other samplers are passed over, as diffusers does.
    public func scheduler() throws -> SchedulerConfiguration {
        try ModelFolder(path + "/scheduler").configuration("scheduler_config.json", allowsNonFinite: true)
            .decoded()
    }

    /// The card; an empty one where there is none.
    public func card() throws -> ModelCard {
        guard FileManager.default.fileExists(atPath: path + "/" + ModelCard.fileName) else { return ModelCard() }
        return try root.configuration(ModelCard.fileName).decoded()
    }

    /// Writes a model so that diffusers opens it, where the network's family is one of diffusers'.
    /// - Parameter parameters: by name, in the order in which the file is to list them.
    public func write(
        _ configuration: NetworkConfiguration, scheduler: SchedulerConfiguration, card: ModelCard,
        parameters: [(String, Tensor)]
    ) throws {
        let text = JSONValue.object(try configuration.json()).text
        try network.write(configuration.json())
        try network.write(parameters, metadata: ["format": "pt", "config": text])
        try ModelFolder(path + "/scheduler").write(
            JSONObject(encoding: scheduler), to: "scheduler_config.json")
        try root.write(JSONObject(encoding: card), to: ModelCard.fileName)
        let pipeline = scheduler.kind == .ddim ? "DDIMPipeline" : "DDPMPipeline"
        let index: JSONObject = [
            "_class_name": .string(pipeline), "_diffusers_version": "0.42.0",
            "scheduler": ["diffusers", .string(scheduler.kind.rawValue)],
            "unet": [.string(configuration.library), .string(configuration.className)],
        ]
        try root.write(index, to: "model_index.json")
    }
}
