import Checkpoints
import Diffusers
import Diffusion
import Networks
import Pictures
import Tensors

/// A request to a model that diffuses latents, checked and resolved: nothing is left to default.
///
/// One stage serves all tasks: text to image, image to image, inpainting, classes. It composes a start, conditions,
/// guidance and a sampler; the loop is that of every model.
package struct LatentStage: Stage {
    let assembly: any LatentAssembly
    package var settings: StageSettings
    let task: LatentTask
    /// The class of diffusers that the process is, which decides what its pipelines do beside sampling; `nil` for a process
    /// by its kind.
    let scheduler: SchedulerConfiguration?
    /// Height and width of the pictures.
    let size: Request.Size
    /// The share of the steps that are taken from a reference on.
    let strength: Double?
    /// The picture that the network is conditioned on, in families that are.
    var conditioningPicture: ConditioningPicture?
    /// What a decoder draws from that draws pictures.
    var pictureNoise: NoiseSource?
    /// What makes previews.
    private let previewer: Preview?

    var model: LatentModel { assembly.model }
    var request: Request { settings.request }

    /// Checks a request.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    init(_ assembly: some LatentAssembly, _ request: Request) throws {
        let model = assembly.model
        let request = Self.usual(request, model)
        try request.checkRanges()
        try request.checkDeepFeatures(of: model.network)
        try request.checkControls()
        try request.checkImagePrompts()
        let task = try Self.task(assembly, request)
        try Self.checkPrompt(assembly, request)
        for control in request.controls { try control.network.check(for: model) }
        let isConditional = request.classes != nil || request.prompts != nil
        let guidance = request.guidanceSettings(
            usual: try Self.usualGuidance(assembly, request, task),
            schedule: isConditional ? model.card.guidanceSchedule : nil)
        let labels = try Self.labels(model, request, guidance)
        let strength = try Self.strength(request, task)
        let size = try Self.size(assembly, request, task)
        let scheduler = Self.scheduler(of: assembly, task, request)
        let process = scheduler?.process ?? model.process
        try Self.checkGuidance(assembly, request)
        let steps = try request.steps ?? model.card.steps ?? assembly.usualSteps(task)
        let grid = LatentGrid(
            assembly: assembly, request: request, process: process, scheduler: scheduler, steps: steps,
            size: size)
        let factor = model.pixelsPerLatent
        (self.assembly, self.task, self.scheduler) = (assembly, task, scheduler)
        (self.size, self.strength) = (size, strength)
        settings = StageSettings(
            model: model.source.name, request: request, sampler: try grid.sampler(strength: strength),
            steps: steps, words: process.sampling.words(for: request.solver, grid: request.grid),
            process: process, guidance: guidance,
            // No guidance is mixed in a network that is conditioned on its scale.
            isGuided: model.network.guidanceWidth == nil && guidance.isGuided, labels: labels,
            prompts: try type(of: assembly).takesPrompt ? request.promptOfEach() : nil,
            sampleShape: [model.autoencoder.latentChannels, size.height / factor, size.width / factor],
            pictureShape: [model.autoencoder.outputChannels, size.height, size.width],
            batchSize: request.batchSize ?? 4,
            elementType: model.elementType, device: model.device)
        if let start = request.denoisingStart {
            settings.skippedSteps = Int(Double(steps) * start)
        } else if strength != nil {
            settings.skippedSteps = max(steps - settings.sampler.grid.steps.count, 0)
        }
        try settings.addGuides()
        if request.inverts {
            let sampler = settings.sampler
            try settings.invert(
                sampler.parameterization(of: process),
                scale: assembly.start(Tensor([1.0]), sampler).item(Double.self))
        }
        previewer = try request.previewModel.map { try Preview(folder: $0, for: model) }
        if case .latents(let latents) = request.reference { try checkReference(latents) }
        if let initial = request.initial { try checkInitial(initial) }
    }

    /// A request with the solver that the model's card names, where diffusers has no class for it: the folder's own class
    /// stands for all others.
    private static func usual(_ request: Request, _ model: LatentModel) -> Request {
        guard request.solver == nil, let solver = model.card.solver else { return request }
        if case .scheduler? = model.process.stored, SchedulerConfiguration.hasClass(for: solver) {
            return request
        }
        var usual = request
        usual.solver = solver
        return usual
    }

    /// Guidance of a request that names none: of a model that was trained here what its card says, under a condition.
    private static func usualGuidance(
        _ assembly: some LatentAssembly, _ request: Request, _ task: LatentTask
    ) throws -> Double {
        let card = assembly.model.card
        guard card != ModelCard() else { return try assembly.usualGuidance(task) }
        let isConditional = request.classes != nil || request.prompts != nil
        return isConditional ? card.guidance ?? 1 : 1
    }

    /// The same stage with the latents that another left, in place of those that it was made with.
    /// - Throws: `PipelineError` where they are of another shape.
    package func starting(from latents: Tensor) throws -> any Stage {
        var stage = self
        if case .awaited? = conditioningPicture {
            stage.conditioningPicture = .embeddings(latents)
            return stage
        }
        try checkReference(latents)
        stage.settings.request.reference = .latents(latents)
        return stage
    }

    package var takesPictures: Bool { task == .enlarging }

    package var drawsPictures: Bool { model.autoencoder.drawsPictures }

    package func drawingPictures(from streams: NoiseSource) -> any Stage {
        var stage = self
        stage.pictureNoise = streams
        return stage
    }

    /// The class of diffusers that a model's process is, as the family's pipelines use it.
    private static func scheduler(
        of assembly: some LatentAssembly, _ task: LatentTask, _ request: Request
    ) -> SchedulerConfiguration? {
        guard case .scheduler(let configuration)? = assembly.model.process.stored else { return nil }
        let computed = configuration.computed(in: assembly.model.elementType)
        // diffusers' pipelines with control networks take the file at its word.
        guard request.controls.isEmpty else { return computed }
        return assembly.scheduler(computed, task, isConverted: request.solver != nil)
    }

    var isGuided: Bool { settings.isGuided }

    package func preview(of progress: SamplingProgress) throws -> Picture? {
        try previewer?.picture(of: progress)
    }

    /// Whether the unconditional branch is evaluated.
    var leavesUnconditional: Bool { settings.branches.contains(.unconditional) }

    // MARK: Classes

    /// The class of each picture for the network; `nil` where it is conditioned on none, or a classifier alone reads it.
    var networkLabels: [Int]? {
        settings.guides.classifier == nil ? settings.labels : nil
    }

    func labelTensor(_ labels: [Int]) -> Tensor { Tensor(labels.map { Int64($0) }).to(model.device) }

    /// The class that stands for none, for every picture.
    var nullLabels: Tensor? {
        model.nullLabel.map { labelTensor(Array(repeating: $0, count: settings.count)) }
    }
}
