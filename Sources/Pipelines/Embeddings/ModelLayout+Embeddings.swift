import Checkpoints
import Diffusers
import Diffusion
import Networks
import Storage
import Tensors

// The folders of decoders of embeddings and of priors that are trained here.

extension ModelLayout {
    /// What an index calls a decoder of CLIP's embeddings that is trained here.
    static let decoderPipeline = "UnCLIPDecoderPipeline"
    /// What an index calls a prior that is trained here.
    static let priorPipeline = "UnCLIPPriorPipeline"

    /// A part of a model that is written: its network, its configuration, and its parameters by name.
    public struct Part {
        let component: ModelComponent
        let entry: (library: String, className: String)
        let write: (ModelFolder) throws -> Void

        /// A part.
        /// - Parameter library: what an index names for the class.
        public init<Network: ConfiguredNetwork>(
            _ component: ModelComponent, _ type: Network.Type, _ configuration: Network.Configuration,
            _ parameters: [(String, Tensor)], library: String? = nil
        ) {
            self.component = component
            entry = (library ?? (type.library == .diffusers ? "diffusers" : "transformers"), type.className)
            write = { try type.write(configuration, parameters, to: $0) }
        }
    }

    /// Writes a decoder of CLIP's embeddings.
    /// - Parameters:
    ///   - parts: `decoder`, `text_proj`, and the encoders of the CLIP.
    ///   - process: that of the decoder.
    ///   - writeRest: writes the tokenizer and how pictures are taken, into the folder.
    /// - Throws: `PipelineError` for a process without a file form; errors that name a file.
    public func write(
        decoder parts: [Part], process: Diffusion.Process, card: ModelCard,
        rest writeRest: (_ path: String) throws -> Void
    ) throws {
        try write(
            parts, pipeline: Self.decoderPipeline, schedule: (.decoderScheduler, process), card, writeRest)
    }

    /// Writes a prior.
    /// - Parameters:
    ///   - parts: `prior`, and the CLIP's encoder of texts.
    ///   - process: that of a diffusion prior.
    ///   - writeRest: writes the tokenizer, into the folder.
    /// - Throws: `PipelineError` for a process without a file form; errors that name a file.
    public func write(
        prior parts: [Part], process: Diffusion.Process?, card: ModelCard,
        rest writeRest: (_ path: String) throws -> Void
    ) throws {
        try write(
            parts, pipeline: Self.priorPipeline, schedule: process.map { (.priorScheduler, $0) }, card,
            writeRest)
    }

    private func write(
        _ parts: [Part], pipeline: String, schedule: (part: ModelComponent, process: Diffusion.Process)?,
        _ card: ModelCard, _ writeRest: (_ path: String) throws -> Void
    ) throws {
        let root = ModelFolder(path)
        var index: JSONObject = ["_class_name": .string(pipeline), "_diffusers_version": "0.42.0"]
        try Files.createFolder(path)
        for part in parts {
            try part.write(ModelFolder("\(path)/\(part.component.rawValue)"))
            index[part.component.rawValue] = [.string(part.entry.library), .string(part.entry.className)]
        }
        if let (part, process) = schedule {
            let stored = try stored(process)
            try ModelFolder("\(path)/\(part.rawValue)").write(
                JSONObject(encoding: stored), to: "scheduler_config.json")
            let library = if case .scheduler = stored { "diffusers" } else { "langevin" }
            index[part.rawValue] = [.string(library), .string(stored.name)]
        }
        index["tokenizer"] = ["transformers", "CLIPTokenizer"]
        try writeRest(path)
        try root.write(JSONObject(encoding: card), to: ModelCard.fileName)
        try root.write(index, to: "model_index.json")
    }
}
