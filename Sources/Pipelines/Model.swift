import Diffusion
import Layers
import Networks
import Storage
import Tensors

/// How a model is opened.
public struct ModelOptions: Sendable {
    /// The element type of all arithmetic.
    public var elementType = ElementType.float32
    /// Where it runs.
    public var device = Device.cpu
    /// How it is kept small.
    public var memory = MemoryOptions()
    /// For a file: a folder in the diffusers layout whose configurations and tokenizers describe it; the published ones
    /// of its family where `nil`.
    public var configurations: String?
    /// The set of weights in a folder, such as `fp16`; parts that lack it have the plain one.
    public var variant: String?
    /// The folder of an autoencoder that takes the place of the model's own, such as TAESD or a consistency decoder.
    public var autoencoder: String?
    /// The folder of an encoder of pictures that takes the place of the model's own, for prompts of pictures.
    public var imageEncoder: String?
    /// Adapters whose changes are in the weights, in this order.
    public var adapters: [ModelAdapter] = []
    /// Whether the adapters' changes of the denoising network are computed beside its weights at every step, which then stay as
    /// they are: models that differ in adapters alone share one network of `parts`.
    public var hasLiveAdapters = false
    /// Vectors that were learned for words of prompts.
    public var embeddings: [ModelEmbedding] = []
    /// What the network predicts, whatever the model says itself.
    public var prediction: Prediction?
    /// For a file: whether tensors outside the model's parts are refused.
    public var isStrict = false
    /// How models of the hub are fetched.
    public var locator = ModelLocator()
    /// Where opened parts are kept; they are let go of after use where it keeps none.
    public var parts = PartStore()

    /// A model as it describes itself, in float32 on the processor.
    public init() {}
}

/// How a model is kept in memory. Pictures stay the same to rounding, except where said.
public struct MemoryOptions: Sendable, Equatable {
    /// How the matrices of text encoders are kept; 8 bits change the picture a little.
    public var textEncoders = MatrixFormat.full
    /// How those of the denoising network are kept; 8 bits change the picture a little, and make steps slower.
    /// `bfloat16x3` changes it by far less, and makes them faster.
    public var network = MatrixFormat.full
    /// How many heads of attention the U-Net computes at once.
    public var attentionSlicing = AttentionSlicing.whole
    /// Whether large pictures pass through the autoencoder piece by piece, which changes them a little.
    public var tilesAutoencoder = false

    /// Everything whole.
    public init() {}
}

/// A model that draws samples: opened and checked, its weights taken when a part is needed.
///
/// ```swift
/// let run = try Model("sd15").run(Request("a cat", seed: 7))
/// for step in run { show(try step.preview()) }
/// let pictures = try run.pictures()
/// ```
public struct Model: Sendable {
    /// What its samples are made by.
    package let assembly: any Assembly

    /// A short name for messages and receipts.
    public var name: String { assembly.name }

    /// Opens a model.
    /// - Parameter model: a run folder, a folder in the diffusers layout, a `.safetensors` file in an original layout,
    ///   `org/name` on the hub, or `analytic:FILE.json`.
    /// - Throws: an error that names the file and the key, one sentence.
    public init(_ model: String, _ options: ModelOptions = ModelOptions()) throws {
        if let path = AnalyticModel.path(of: model) {
            self.init(try ExactAssembly(contentsOf: path, options))
        } else {
            try self.init(ModelSource(model, options), options)
        }
    }

    /// A model of the parts in a folder or a file.
    /// - Throws: an error that names the file and the key, one sentence.
    public init(_ source: ModelSource, _ options: ModelOptions = ModelOptions()) throws {
        guard options.autoencoder == nil || source.assembly is any LatentAssembly.Type else {
            throw PipelineError(
                "\(.autoencoder) belongs to models of latents, and \(source.name) has none: leave it out")
        }
        let family = source.assembly as? any LatentAssembly.Type
        guard options.imageEncoder == nil || family?.reads.contains(.imagePrompts) == true else {
            throw PipelineError(
                "\(.imageEncoder) looks at pictures that are prompts, and \(source.name) takes none: leave it out"
            )
        }
        self.init(try source.assembly.init(source, options))
    }

    package init(_ assembly: any Assembly) { self.assembly = assembly }

    /// The number of classes that a request can name; `nil` where there are none.
    public var classCount: Int? { assembly.classCount }

    /// The number of classes that it tells apart as a classifier of noisy samples; `nil` where it is none.
    public var classifiedCount: Int? { assembly.classifiedCount }

    /// Whether it is conditioned on texts.
    public var takesPrompt: Bool { assembly.takesPrompt }

    /// Whether its samples are latents that a decoder makes pictures of.
    public var diffusesLatents: Bool { assembly is any LatentAssembly }

    /// What each stage of a run would draw its samples with. Only the request is checked.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    public func settings(of request: Request) throws -> [StageSettings] {
        try stages(request).map(\.settings)
    }

    /// What the stage would draw with whose steps and guidance are those of the request.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    public func mainSettings(of request: Request) throws -> StageSettings {
        let stages = try stages(request)
        return stages[stages.mainIndex].settings
    }

    /// A run that makes what a request wants.
    /// - Parameter decodes: whether pictures will be made of the samples.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change; errors about files.
    public func run(_ request: Request, decodes: Bool = true) throws -> Run {
        try Run(stages(request), decodes: decodes)
    }
}
