import Diffusion
import Layers
import Networks
import Tensors

extension Receipt {
    /// The receipt of a plan for a model of pictures without text.
    public init(_ plan: SamplingPlan, of model: ModelRecord) {
        self.init(
            plan.request, plan.sampler, plan.words, plan.process, plan.model.elementType, plan.model.device,
            of: model)
        (steps, guidance, classes) = (plan.steps, plan.guidance, plan.labels)
        // Points are rows of as many numbers as they are wide.
        (width, height) = plan.shape.rank == 3 ? (plan.shape[2], plan.shape[1]) : (plan.shape[0], 1)
        if plan.prompts != nil {
            (prompt, negativePrompt) = (plan.request.prompts?.first ?? "", plan.request.negativePrompt)
        }
    }

    /// The receipt of a plan for a model that diffuses latents.
    /// - Parameters:
    ///   - refining: the plan that went on with its latents.
    ///   - decodes: whether the latents became pictures.
    /// - Throws: an error that names the key of `model_index.json` that will not do.
    public init(
        _ plan: GenerationPlan, of model: ModelRecord,
        refining: (plan: GenerationPlan, model: ModelRecord)? = nil, decodes: Bool = true
    ) throws {
        let (source, request) = (plan.model.source, plan.request)
        self.init(
            request.sampling, plan.sampler, plan.words, plan.process, plan.model.elementType,
            plan.model.device, of: model)
        config = source.file == nil ? nil : source.configurations?.name
        (steps, guidance, classes) = (plan.steps, plan.guidance, plan.labels)
        (width, height) = (plan.size.width, plan.size.height)
        (image, mask) = (request.sampling.files["image"], request.sampling.files["mask"])
        background = request.background?.description
        prompt = request.prompt
        promptWeights = request.weighsWords ? true : nil
        clipSkip = request.clipSkip == 0 ? nil : request.clipSkip
        if plan.isGuided {
            negativePrompt = request.negativePrompt
            guidanceRescale = request.guidanceRescale == 0 ? nil : request.guidanceRescale
        }
        (strength, denoisingStart, denoisingEnd) = (
            plan.strength, request.denoisingStart, request.denoisingEnd
        )
        wholeSteps = request.takesWholeSteps ? true : nil
        if source.kind == .stableDiffusionXL {
            originalSize = request.originalSize
            targetSize = try plan.readsAestheticScore ? nil : request.targetSize
            crop = request.crop == (0, 0) ? nil : Crop(left: request.crop.left, top: request.crop.top)
        }
        let last = refining?.plan ?? plan
        aestheticScore = try last.readsAestheticScore ? last.request.aestheticScores.wanted : nil
        setMemory(of: plan, last, decodes: decodes)
        if let refining { try add(refining.plan, refining.model) }
    }

    private mutating func setMemory(of plan: GenerationPlan, _ last: GenerationPlan, decodes: Bool) {
        let memory = plan.model.memory
        textEncoderMatrices = memory.textEncoders == .full ? nil : memory.textEncoders
        let isAsInFull = memory.network == .bfloat16x3 && !Kernels.multipliesSplit
        networkMatrices = memory.network == .full || isAsInFull ? nil : memory.network
        attentionSlicing = memory.attentionSlicing.word
        guard plan.usesAutoencoder(decodes: decodes) else { return }
        vaeDtype = last.model.autoencoderType.name
        vaeTiling = memory.tilesAutoencoder ? true : nil
    }

    private mutating func add(_ plan: GenerationPlan, _ model: ModelRecord) throws {
        let own = try Receipt(plan, of: model)
        weights += model.weights
        refiner = Refiner(
            model: own.model, modelHash: own.modelHash, configurationHash: own.configurationHash,
            solver: own.solver, grid: own.grid, eta: own.eta, guidance: own.guidance,
            start: plan.request.denoisingStart)
    }

    /// What plans of all kinds have in common; the rest is set by the caller.
    private init(
        _ request: SamplingRequest, _ sampler: Sampler, _ words: SamplingWords, _ process: Process,
        _ elementType: ElementType, _ device: Device, of model: ModelRecord
    ) {
        (self.model, modelHash, weights) = (model.name, model.hash, model.weights)
        configurationHash = model.configurationHash
        (steps, guidance, width, height) = (0, 1, 0, 0)
        (seed, count) = (request.seed, request.count)
        (solver, scheduler, grid) = (words.method ?? words.process, words.process, words.grid)
        prediction = process.parameterization.output.word
        eta = sampler.solver.noiseShare ?? 0
        deepFeatureInterval = request.deepFeatureInterval == 1 ? nil : request.deepFeatureInterval
        (batchSize, initial) = (request.batchSize, request.files["initial"])
        (dtype, self.device, threads) = (elementType.name, device.description, Machine.threadCount)
    }
}

extension AttentionSlicing {
    /// The word or number that asks for it; `nil` where all heads are computed at once.
    fileprivate var word: String? {
        switch self {
        case .whole: nil
        case .halves: "auto"
        case .heads(let count): String(count)
        }
    }
}
