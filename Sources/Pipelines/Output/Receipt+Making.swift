import Diffusion
import Layers
import Tensors

extension Receipt {
    /// The receipt of a run.
    /// - Parameters:
    ///   - stages: one, two where another model goes on with the latents of the first, or those of a pipeline.
    ///   - models: what is known of the files of each.
    ///   - guides: the same of models that had a part in guidance, and where the receipt has each.
    ///   - decodes: whether samples became pictures.
    /// - Throws: an error that names the key of `model_index.json` that will not do.
    package init(
        _ stages: [any Stage], of models: [ModelRecord],
        guides: [(place: WritableKeyPath<Receipt, Guide?>, record: ModelRecord)], decodes: Bool
    ) throws {
        let main = stages.mainIndex
        try self.init(stages[main], of: models[main], decodes: decodes)
        for (place, record) in guides {
            self[keyPath: place] = Guide(model: record.name, modelHash: record.hash)
            weights += record.weights
        }
        for (index, (stage, model)) in zip(stages, models).enumerated() where index != main {
            guard stage.isMain else {
                weights += model.weights.filter { !weights.contains($0) }
                try stage.complete(&self, decodes: decodes)
                continue
            }
            let own = try Receipt(stage, of: model, decodes: decodes)
            weights += model.weights
            guard !stage.settings.isFollowing else {
                add(own, stage)
                continue
            }
            refiner = Refiner(
                model: own.model, modelHash: own.modelHash, configurationHash: own.configurationHash,
                solver: own.solver, grid: own.grid, eta: own.eta, guidance: own.guidance,
                start: stage.settings.request.denoisingStart)
            // The last stage's autoencoder makes the pictures, and a refiner alone is conditioned on a score.
            (vaeDtype, aestheticScore) = (own.vaeDtype ?? vaeDtype, own.aestheticScore)
        }
    }

    /// Adds a further stage of a cascade, whose pictures are the run's.
    private mutating func add(_ own: Receipt, _ stage: any Stage) {
        then =
            (then ?? []) + [
                Following(
                    model: own.model, modelHash: own.modelHash, configurationHash: own.configurationHash,
                    solver: own.solver, steps: own.steps, grid: own.grid, eta: own.eta,
                    guidance: own.guidance,
                    noiseLevel: own.noiseLevel, temperature: own.temperature,
                    truncated: (stage as? PixelStage)?.enlarging?.isTruncated == true ? true : nil,
                    strength: own.strength)
            ]
        (width, height) = (own.width, own.height)
    }

    /// What stages of all kinds have in common, completed by the stage.
    private init(_ stage: any Stage, of model: ModelRecord, decodes: Bool) throws {
        let settings = stage.settings
        let (request, words) = (settings.request, settings.words)
        (self.model, modelHash, weights) = (model.name, model.hash, model.weights)
        configurationHash = model.configurationHash
        (seed, count, steps) = (request.seed, request.count, settings.steps)
        (guidance, classes) = (settings.guidance.scale, settings.labels)
        // Points are rows of as many numbers as they are wide.
        (width, height) =
            settings.pictureShape.map { ($0[2], $0[1]) } ?? (settings.sampleShape[0], 1)
        (solver, scheduler, grid) = (words.method ?? words.process, words.process, words.grid)
        prediction = settings.process.parameterization.output.word
        eta = settings.sampler.solver.noiseShare ?? 0
        deepFeatureInterval = request.deepFeatureInterval == 1 ? nil : request.deepFeatureInterval
        (batchSize, initial) = (request.batchSize, request.files["initial"])
        (dtype, device) = (settings.elementType.name, settings.device.description)
        threads = Machine.threadCount
        setGuidance(settings)
        setNoise(request)
        threshold = request.thresholding.map(Self.word(for:))
        try stage.complete(&self, decodes: decodes)
    }

    private mutating func setGuidance(_ settings: StageSettings) {
        guidanceMethod = settings.guidance.method?.name
        let given = settings.isGuided ? settings.guidance.given : []
        guidanceInterval = given.first { $0.option == .interval }?.value
        guidanceSchedule = given.first { $0.option == .schedule }?.value
        guidanceRescale = settings.isGuided && settings.guidance.rescale > 0 ? settings.guidance.rescale : nil
        negativeWeight = settings.isGuided ? settings.guidance.negativeWeight : nil
    }

    private mutating func setNoise(_ request: Request) {
        let given = request.samplerOptions.given
        (churn, churnNoise) = (request.churn, request.churnNoise)
        churnRange = given.first { $0.option == .churnRange }?.value
        (langevinSteps, signalToNoise) = (request.langevinSteps, request.signalToNoise)
        inversion = request.inverts ? true : nil
        rng = request.rng == .torch ? nil : request.rng.word
        guard let ends = request.interpolation else { return }
        seed = ends.first
        interpolation = Interpolation(first: ends.first, last: ends.last, weights: request.weights)
    }

    /// How data were kept in range, in a word with its numbers.
    private static func word(for thresholding: Thresholding) -> String {
        switch thresholding {
        case .fixed(let range): "static:\(range)"
        case .dynamic(let quantile, let maximum): "dynamic:\(quantile):\(maximum)"
        }
    }

    /// What a decoder of embeddings was given.
    mutating func setEmbeddings(of request: Request) {
        (embedding, prior) = (request.embeddings.origin, request.embeddings.prior?.name)
        (imageTo, textDiff) = (request.files["image-to"], request.embeddings.difference)
    }

    /// What controlled the pictures.
    mutating func setControls(of request: Request) {
        guard !request.controls.isEmpty else { return }
        controls = request.controls.map {
            Control(
                model: $0.network.name, picture: $0.file, adapter: $0.network.isAdapter ? true : nil,
                scale: $0.scale,
                start: $0.start == 0 ? nil : $0.start,
                end: $0.end == 1 ? nil : $0.end)
        }
        guessMode = request.guessMode ? true : nil
    }

    /// Pictures that were prompts.
    mutating func setImagePrompts(of request: Request) {
        guard !request.imagePrompts.isEmpty else { return }
        imagePrompts = request.imagePrompts.map {
            ImagePrompt(
                name: $0.adapter.name, weight: $0.weight, sha256: $0.adapter.record.sha256,
                images: $0.pictureFiles)
        }
    }

    /// The prompts that the pictures were to show.
    mutating func setPrompts(of request: Request) {
        let all = request.prompts ?? [""]
        prompt = all.joined(separator: "\n")
        prompts = all.count > 1 ? all : nil
    }
}
