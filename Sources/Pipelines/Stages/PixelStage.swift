import Diffusers
import Diffusion
import Networks
import Pictures
import Tensors

/// A request to a model on pixels or points, checked and resolved: nothing is left to default.
package struct PixelStage: Stage {
    let model: PixelAssembly
    package var settings: StageSettings
    /// The share of the steps that are taken from a reference on.
    let strength: Double?
    /// What the network is given beside noisy pictures, where it enlarges smaller ones.
    var enlarging: Enlarging?

    private var request: Request { settings.request }

    /// Checks a request.
    /// - Parameter earlier: the shape of the pictures of the stage before, where there is one.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    init(_ model: PixelAssembly, _ request: Request, after earlier: Shape? = nil) throws {
        try request.check(
            reads: Self.fields(of: request, model),
            "is for models that diffuse latents, and \(model.name) diffuses pixels")
        try request.checkRanges()
        try request.checkDeepFeatures(of: model.configuration)
        try Self.checkConditions(model)
        let process =
            model.card.hasExactTables == true ? model.process : model.process.computed(in: model.elementType)
        let solver = request.solver ?? model.card.solver
        let steps = request.steps ?? model.card.steps ?? process.sampling.usualSteps(solver)
        try Request.check(steps: steps)
        let enlarging = try Self.enlarging(model, request)
        try Self.checkInpainting(model, request, isFirst: earlier == nil)
        strength = try enlarging == nil ? Self.strength(request) : nil
        let grid = request.grid ?? model.card.grid(of: steps, solver)
        var sampler = try process.sampling.sampler(
            solver, steps: steps, grid: grid,
            options: Self.options(request, steps: steps, strength: strength))
        sampler.thresholding = try request.checkedThresholding() ?? sampler.thresholding
        try Self.check(sampler, process, steps: steps)
        try Self.set(&sampler, request, model.card)
        let shape =
            try enlarging.map { try Self.enlargedShape(model, request, by: $0, from: earlier) }
            ?? Self.shape(model, request)
        let prompts = try Self.prompts(model, request)
        let isConditional = request.classes != nil || request.prompts != nil
        let guidance = request.guidanceSettings(
            usual: isConditional ? model.card.guidance ?? 1 : 1,
            schedule: isConditional ? model.card.guidanceSchedule : nil)
        let labels = try Self.labels(model, request, guidance)
        try Self.checkVariance(model, sampler)
        (self.model, self.enlarging) = (model, enlarging)
        settings = StageSettings(
            model: model.name, request: request, sampler: sampler, steps: steps,
            words: process.sampling.words(for: solver, grid: grid), process: process,
            guidance: guidance, isGuided: guidance.isGuided, labels: labels, prompts: prompts,
            sampleShape: shape,
            pictureShape: shape.rank == 3 ? shape : nil, batchSize: request.batchSize ?? 64,
            elementType: model.elementType, device: model.device)
        try settings.addGuides()
        if request.inverts { try settings.invert(sampler.parameterization(of: model.process)) }
    }

    /// Applies the temperature and the handling of cut data that a request and a card give.
    private static func set(_ sampler: inout Sampler, _ request: Request, _ card: ModelCard) throws {
        let temperature = request.temperature ?? card.temperature ?? 1
        guard temperature >= 0, Float(temperature).isFinite else {
            throw PipelineError(
                "\(.temperature) is \(temperature): give a number from 0, by which noise is multiplied")
        }
        if temperature != 1 { sampler.grid = sampler.grid.scalingStart(by: temperature) }
        if card.recomputesNoise == true { sampler.recomputesNoise = true }
    }

    /// The fields of a request that such models read: those with a text begin from pictures, too.
    private static func fields(of request: Request, _ model: PixelAssembly) -> Set<RequestField> {
        var fields: Set<RequestField> = [
            .prompts, .negativePrompt, .classes, .height, .width, .guidance, .guidanceMethod,
            .guidanceInterval, .guidanceSchedule, .guidanceRescale, .negativeWeight, .guide, .classifier,
            .noisyCLIP, .deepFeatureInterval, .inverts, .temperature,
        ]
        if model.configuration.sample == .picture { fields.insert(.threshold) }
        if request.inverts || model.text != nil { fields.formUnion([.reference, .background]) }
        if !request.inverts, model.text != nil { fields.formUnion([.mask, .strength]) }
        if model.configuration.traits.enlargement != nil {
            fields.subtract([.inverts, .strength])
            if !model.inpaints { fields.remove(.mask) }
            fields.formUnion([.reference, .background, .noiseLevel])
        }
        return fields
    }

    package func check(decodes: Bool) throws {
        let together = settings.sampler.solver.couplesExamples ? 1 : min(settings.batchSize, request.count)
        let needs = MemoryNeed.sampling(
            model.configuration, batch: settings.branches.count * together,
            count: request.count, sample: settings.sampleShape, computing: model.elementType)
        for need in needs { try need.check(on: model.device) }
        try settings.guides.guide?.check(decodes: false)
    }

    package func digests(decodes: Bool) throws -> ModelDigests {
        guard let source = model.source else { return ModelDigests(ModelRecord(name: model.name)) }
        return try ModelDigests(source, [PixelAssembly.networkComponent])
    }

    package func complete(_ receipt: inout Receipt, decodes: Bool) {
        (receipt.image, receipt.mask) = (request.files["image"], request.files["mask"])
        (receipt.background, receipt.strength) = (request.background?.description, strength)
        receipt.noiseLevel = enlarging?.augmentation == nil ? nil : request.noiseLevel ?? 0
        receipt.temperature = request.temperature ?? model.card.temperature
        if settings.prompts != nil {
            receipt.setPrompts(of: request)
            receipt.negativePrompt = settings.isGuided ? request.negativePrompt : nil
        }
    }
}

// MARK: Checks

extension PixelStage {
    /// A network has as many output channels as pictures have, or twice as many: the others are a variance.
    private static func checkVariance(_ model: PixelAssembly, _ sampler: Sampler) throws {
        let (given, channels) = (model.configuration.outputChannels, model.configuration.channels)
        guard given == channels || given == 2 * channels else {
            throw PipelineError(
                "\(model.name) gives \(given) channels for pictures of \(channels): it needs as many, or twice as many for a learned variance"
            )
        }
        if given == channels, let variance = sampler.learnedVariance {
            throw PipelineError(
                "variance_type is '\(variance.rawValue)', and \(model.name) gives no channels for a variance: use 'fixed_small' or another solver"
            )
        }
    }

    /// Throws where a network needs conditions that such a request has not.
    static func checkConditions(_ model: PixelAssembly) throws {
        let traits = model.configuration.traits
        let isText =
            traits.context != nil || traits.pooled != nil || traits.numbers != nil || traits.tokens != nil
        guard isText && model.text == nil || (traits.labels.map { $0.isRequired && $0.count == nil } ?? false)
        else {
            return
        }
        throw PipelineError(
            "\(model.name): its \(model.configuration.className) is conditioned on \(isText ? "a text" : "labels that are no classes"), and models on pixels are given classes only: look at its config.json"
        )
    }

    private static func shape(_ model: PixelAssembly, _ request: Request) throws -> Shape {
        let channels = model.configuration.channels
        if model.configuration.sample == .point { return try pointShape(model, request) }
        let (beginning, field) = request.beginning
        if let beginning {
            try Request.check(initial: beginning, field)
            guard beginning.rank == 4, beginning.shape[0] == request.count, beginning.shape[1] == channels
            else {
                throw PipelineError(
                    "\(field) holds latents of shape \(beginning.shape): [\(request.count), \(channels), height, width] is needed"
                )
            }
        }
        let given = beginning.map { (height: $0.shape[2], width: $0.shape[3]) }
        let isGiven = given != nil || (request.height != nil && request.width != nil)
        let own = isGiven ? given : try model.pictureSize()
        let height = request.height ?? own?.height ?? 0
        let width = request.width ?? own?.width ?? 0
        try request.check(
            height: height, width: width, from: given == nil ? "\(model.name)" : "\(field)",
            multiple: model.configuration.sizeMultiple, of: "network")
        if let given, given != (height, width) {
            throw PipelineError(
                "\(field) is \(given.height)×\(given.width) and \(.height), \(.width) say \(height)×\(width)")
        }
        return [channels, height, width]
    }

    /// The prompt of each picture; `nil` where the model is given no texts.
    private static func prompts(_ model: PixelAssembly, _ request: Request) throws -> [String]? {
        guard model.text != nil else {
            guard request.prompts == nil, request.negativePrompt == nil else {
                throw PipelineError("\(model.name) is not conditioned on a text: \(leavingOut: .prompts)")
            }
            return nil
        }
        return try request.promptOfEach()
    }

    /// The shape of points; they have neither height nor width.
    private static func pointShape(_ model: PixelAssembly, _ request: Request) throws -> Shape {
        let dimension = model.configuration.channels
        guard request.height == nil, request.width == nil else {
            throw PipelineError(
                "\(model.name) makes points, not pictures: leave out \(.height) and \(.width)")
        }
        try request.checkPoints(of: model.name)
        let (beginning, field) = request.beginning
        if let beginning {
            try Request.check(initial: beginning, field)
            guard beginning.shape == [request.count, dimension] else {
                throw PipelineError(
                    "\(field) holds points of shape \(beginning.shape): [\(request.count), \(dimension)] is needed"
                )
            }
        }
        return [dimension]
    }

    private static func labels(_ model: PixelAssembly, _ request: Request, _ guidance: GuidanceSettings)
        throws -> [Int]?
    {
        if let labels = try StageSettings.classifierLabels(request) {
            // A network without an unconditional branch is guided under its own condition, as its authors guide it.
            if let classes = model.classCount, model.card.nullClass == nil {
                _ = try request.labels(of: classes, model: model.name)
            }
            guard request.prompts == nil else {
                throw PipelineError(
                    "\(.classifier) guides the unconditional branch, which reads no text: \(leavingOut: .prompts)"
                )
            }
            return labels
        }
        let leavesUnconditional = guidance.branches.contains(.unconditional)
        guard let classes = model.classCount else {
            guard request.classes == nil else {
                throw PipelineError("\(model.name) knows no classes: leave out \(.classes)")
            }
            guard !leavesUnconditional || request.prompts != nil else {
                throw PipelineError(
                    model.text == nil
                        ? "\(model.name) knows no classes to guide to: leave out \(request.guidanceField)"
                        : "\(request.guidanceField) needs a prompt to guide to: give \(.prompts)")
            }
            return nil
        }
        if leavesUnconditional && model.card.nullClass == nil {
            throw PipelineError(
                "\(model.name) has no unconditional branch to guide away from: use \(.guidance) 1")
        }
        if request.classes != nil {
            return try request.labels(of: classes, model: model.name)
        }
        guard let null = model.card.nullClass else {
            return try request.labels(of: classes, model: model.name)
        }
        guard !leavesUnconditional else {
            throw PipelineError("\(request.guidanceField) needs a class to guide to: add \(.classes)")
        }
        return Array(repeating: null, count: request.count)
    }
}
