import Checkpoints
import Diffusers
import Diffusion
import Networks
import Pictures
import Tensors

/// A request to a model that diffuses latents, checked and resolved: nothing is left to default.
///
/// One plan serves them all: text to image, image to image, inpainting, classes. It composes a start, what the
/// network is told, guidance and a sampler; the loop is that of every model.
public struct GenerationPlan {
    /// What is done with the request's reference.
    enum Task: Equatable {
        case text
        case imageToImage
        /// The network itself is shown the mask and what is under it.
        case shownInpainting
        /// The known part is put back after every step.
        case restoredInpainting

        var inpaints: Bool { self == .shownInpainting || self == .restoredInpainting }
    }

    let model: GenerationModel
    private(set) var request: GenerationRequest
    let task: Task
    /// The steps, and the method that takes them.
    public let sampler: Sampler
    /// The number of steps that was asked of the method, those that are left out included.
    public let steps: Int
    /// The words for process, method and grid.
    public let words: SamplingWords
    /// The process that the network was trained on, as it is sampled.
    let process: Process
    /// Its file form, which decides what diffusers' pipelines do beside sampling.
    let own: SchedulerConfiguration
    /// The solver; none where it is the one of the model's own scheduler.
    public let solver: Method?
    /// Classifier-free guidance; 1 or less is the conditional branch alone.
    public let guidance: Double
    /// The class of each picture, where the model is told one.
    public let labels: [Int]?
    /// Height and width of the pictures.
    public let size: GenerationRequest.Size
    /// The share of the steps that are taken from a reference on.
    public let strength: Double?

    /// The number of pictures.
    public var count: Int { request.sampling.count }

    /// The shape of one picture's latents, `[channels, height, width]`.
    public var latentShape: Shape {
        let factor = model.pixelsPerLatent
        return [model.autoencoder.latentChannels, size.height / factor, size.width / factor]
    }

    /// Checks a request.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    public init(_ model: GenerationModel, _ request: GenerationRequest) throws {
        try SamplingPlan.check(request.sampling)
        try SamplingPlan.checkDeepFeatures(request.sampling, model.network)
        self.model = model
        self.request = request
        task = try Self.task(model, request)
        try Self.checkPrompt(model, request)
        labels = try Self.labels(model, request)
        strength = try Self.strength(request, task)
        size = try Self.size(model, request, task)
        solver = request.sampling.solver
        let trained = try Self.scheduler(of: model)
        own =
            model.source.kind == .stableDiffusion
            ? trained.correctedForStableDiffusion(inpaints: task.inpaints, converted: solver != nil)
            : trained
        process = own.process
        guard request.guidanceRescale == 0 || process.parameterization.output is Prediction else {
            throw PipelineError(
                "--guidance-rescale acts on a network's prediction, and networks of a \(own.kind.name) are preconditioned: leave it out"
            )
        }
        words = own.words(for: solver, grid: request.sampling.grid)
        guidance = try request.sampling.guidance ?? Self.guidance(model, task)
        guard Float(guidance).isFinite else {
            throw PipelineError("--guidance is \(guidance): give a number that single precision holds")
        }
        sampler = try Self.sampler(model, request, own, task, strength, size)
        steps = try request.sampling.steps ?? Self.steps(model, task)
        if case .latents(let latents) = request.reference { try checkReference(latents) }
        if let initial = request.sampling.initial { try checkInitial(initial) }
    }

    /// The same plan with the latents that another stage left, in place of those that it was made with.
    /// - Throws: `PipelineError` where they are of another shape.
    public func starting(from latents: Tensor) throws -> GenerationPlan {
        try checkReference(latents)
        var plan = self
        plan.request.reference = .latents(latents)
        return plan
    }

    /// The class of diffusers that a model's process is.
    private static func scheduler(of model: GenerationModel) throws -> SchedulerConfiguration {
        guard case .scheduler(let configuration)? = model.process.stored else {
            throw PipelineError(
                "\(model.source.path): models of latents have one of diffusers' schedulers, and this one a process of a kind: look at scheduler_config.json"
            )
        }
        return configuration.computed(in: model.elementType)
    }

    /// Whether there are two branches: no guidance is mixed in a network that is told it.
    public var isGuided: Bool {
        if model.network.guidanceWidth != nil { return false }
        return guidance > 1
    }

    /// Whether it is a Stable Diffusion distilled to few steps, whose pipeline has defaults of its own.
    private static func isLatentConsistency(_ model: GenerationModel) throws -> Bool {
        try model.source.setting("_class_name", as: String.self) == "LatentConsistencyModelPipeline"
    }

    static func steps(_ model: GenerationModel, _ task: Task) throws -> Int {
        if try isLatentConsistency(model) { return 4 }
        return model.source.kind == .stableDiffusion3 && task == .text ? 28 : 50
    }

    private static func guidance(_ model: GenerationModel, _ task: Task) throws -> Double {
        if try isLatentConsistency(model) { return 8.5 }
        return model.source.kind == .stableDiffusionXL && task.inpaints ? 7.5 : model.source.kind.guidance
    }
}
