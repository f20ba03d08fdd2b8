import Diffusion
import Networks
import Pictures
import Tensors

/// A request to a stage of a cascade on pixels under a text, checked and resolved: nothing is left to default.
///
/// One stage serves all tasks: text to image, image to image, inpainting, and each of them while a picture is enlarged.
package struct CascadeStage: Stage {
    let assembly: any CascadeAssembly
    package var settings: StageSettings
    let task: CascadeTask
    /// The share of the steps that are taken from a reference on.
    let strength: Double?
    /// The noise that is laid on the picture that is enlarged, a time of the model's process for it.
    let noiseLevel: Int?

    var model: CascadeModel { assembly.model }
    var request: Request { settings.request }

    /// The model that encodes the prompts: this one, or that of the stage before where it has no encoder of its own.
    var textSource: CascadeModel { settings.textSource ?? model }

    /// Checks a request.
    /// - Parameter earlier: the stage whose pictures it goes on with, where there is one.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    init(_ assembly: some CascadeAssembly, _ request: Request, after earlier: StageSettings? = nil) throws {
        let model = assembly.model
        let task = try Self.task(assembly, request)
        try Self.checkFields(assembly, request, task)
        let usual = assembly.usual(task)
        let (steps, strength) = (request.steps ?? usual.steps, try Self.strength(request, usual))
        try Request.check(steps: steps)
        let guidance = request.guidanceSettings(usual: usual.guidance)
        let process = model.process
        var sampler = try process.sampling.sampler(
            request.solver, steps: steps, grid: request.grid,
            options: PixelStage.options(request, steps: steps, strength: strength))
        sampler.thresholding = try request.checkedThresholding() ?? sampler.thresholding
        try PixelStage.check(sampler, process, steps: steps)
        try Self.checkVariance(model, sampler)
        let size = try Self.size(assembly, request, task)
        let shape: Shape = [model.channels, size.height, size.width]
        (self.assembly, self.task, self.strength) = (assembly, task, strength)
        noiseLevel = try Self.noiseLevel(model, request, usual)
        settings = StageSettings(
            model: model.name, request: request, sampler: sampler, steps: steps,
            words: process.sampling.words(for: request.solver, grid: request.grid), process: process,
            guidance: guidance, isGuided: guidance.isGuided, prompts: try request.promptOfEach(),
            sampleShape: shape, pictureShape: shape, batchSize: request.batchSize ?? 4,
            elementType: model.elementType, device: model.device)
        settings.textSource = try Self.textSource(model, earlier)
        try settings.addGuides()
        if let earlier { try checkFit(earlier) }
        if case .latents(let pictures)? = request.reference { try check(pictures, .reference) }
        if case .latents(let pictures)? = request.original { try check(pictures, .original) }
        if let initial = request.initial { try checkInitial(initial) }
    }

    package var takesPictures: Bool { model.enlarges }

    package func starting(from pictures: Tensor) throws -> any Stage {
        try check(pictures, .reference)
        var stage = self
        stage.settings.request.reference = .latents(pictures)
        return stage
    }

    /// The estimate of the data.
    package func preview(of progress: SamplingProgress) throws -> Picture? {
        try Picture.sheet(of: progress.estimate.data.to(.float32))
    }

    /// Samples are pictures, neither cut off nor rounded.
    package func pictures(of samples: Tensor, _ say: @escaping (Sentence) -> Void) -> Tensor { samples }

    package func digests(decodes: Bool) throws -> ModelDigests {
        let encoder = try model.hasTextEncoder() ? [CascadeModel.textComponent] : []
        return try ModelDigests(model.source, [CascadeModel.networkComponent] + encoder)
    }

    package func complete(_ receipt: inout Receipt, decodes: Bool) {
        (receipt.image, receipt.mask) = (request.files["image"], request.files["mask"])
        receipt.original = request.files["original"]
        receipt.background = request.background?.description
        receipt.setPrompts(of: request)
        receipt.setWeights(of: request)
        receipt.negativePrompt = settings.isGuided ? request.negativePrompt : nil
        (receipt.strength, receipt.noiseLevel) = (strength, noiseLevel)
        receipt.setMemory(model.options.memory)
    }
}
