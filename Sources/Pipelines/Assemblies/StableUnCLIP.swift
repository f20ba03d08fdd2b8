import Checkpoints
import Diffusers
import Diffusion
import Layers
import Networks
import Pictures
import Tensors

/// Stable Diffusion 2 that is conditioned on CLIP's embedding of a picture beside the text, with noise on it: of a picture
/// that is given, or of one that unCLIP's prior makes of the text.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125); the pipelines StableUnCLIPPipeline and StableUnCLIPImg2ImgPipeline of
/// diffusers.
package struct StableUnCLIP: TextAssembly {
    package static let classNames = ["StableUnCLIPPipeline", "StableUnCLIPImg2ImgPipeline"]
    package static let family = "stable-unclip"
    package static let reads: Set<RequestField> = [.noiseLevel]
    package static let labelsAreClasses = false
    package static func network(readsClassTable: Bool) -> any DenoisingNetwork.Type { UNet2DCondition.self }

    package let model: LatentModel
    package init(_ model: LatentModel) { self.model = model }

    package func usualSteps(_ task: LatentTask) -> Int { 20 }
    package func usualGuidance(_ task: LatentTask) -> Double { 10 }

    private var source: ModelSource { model.source }

    /// Whether the embedding is that of a picture that is given.
    private var readsPicture: Bool {
        get throws { try source.setting("_class_name") == Self.classNames[1] }
    }

    // MARK: Stages

    package func stages(_ request: Request) throws -> [any Stage] {
        let readsPicture = try readsPicture
        try check(request, readsPicture: readsPicture)
        var own = request
        (own.reference, own.priorSteps, own.priorGuidance, own.background) = (nil, nil, nil, nil)
        if !readsPicture { own.embeddings.candidates = nil }
        var stage = try LatentStage(self, own)
        guard readsPicture else {
            let prior = try PriorStage(
                source, model.options, request, encoder: .priorTextEncoder, holdsToGrid: false)
            stage.conditioningPicture = .awaited
            stage.settings.continuesNoise = true
            return [prior, stage]
        }
        guard case .picture(let picture)? = request.reference else {
            throw PipelineError(
                "\(name) is conditioned on a picture beside the text: give \(.reference) a picture (.png .jpg .webp)"
            )
        }
        stage.settings.request.background = request.background
        stage.conditioningPicture = .picture(picture)
        return [stage]
    }

    private func check(_ request: Request, readsPicture: Bool) throws {
        var others: [(RequestField, Bool)] = [
            (.mask, request.mask != nil), (.strength, request.strength != nil),
            (.denoisingStart, request.denoisingStart != nil), (.denoisingEnd, request.denoisingEnd != nil),
            (.refiner, request.refiner != nil), (.inverts, request.inverts),
            (.upscaleSteps, request.upscaleSteps != nil),
        ]
        let picture: [(RequestField, Bool)] = [
            (.reference, request.reference != nil), (.background, request.background != nil),
        ]
        let prior: [(RequestField, Bool)] = [
            (.priorSteps, request.priorSteps != nil), (.priorGuidance, request.priorGuidance != nil),
            // diffusers' pipeline takes it and does not hand it on.
            (.clipSkip, request.clipSkip != 0),
        ]
        others += readsPicture ? prior : picture
        if let field = others.first(where: \.1)?.0 {
            let purpose =
                readsPicture ? "is conditioned on the picture as a whole" : "makes embeddings of texts"
            throw PipelineError("\(field) has no part in \(name), which \(purpose): leave it out")
        }
        let noising = try noising()
        guard (0..<noising.trainSteps).contains(request.noiseLevel ?? 0) else {
            throw PipelineError(
                "\(.noiseLevel) is \(request.noiseLevel ?? 0): it must lie between 0 and \(noising.trainSteps - 1) for \(name)"
            )
        }
    }

    // MARK: Conditions

    /// The schedule that noises embeddings.
    private func noising() throws -> SchedulerConfiguration {
        let process = try source.process(of: .imageNoisingScheduler)
        guard case .scheduler(let schedule)? = process.stored, schedule.path == .variancePreserving else {
            throw PipelineError(
                "\(source.path): image_noising_scheduler must be a class of diffusers with a table of β")
        }
        return schedule.computed(in: model.elementType)
    }

    package func conditionParts(of stage: LatentStage) throws -> [ModelComponent] {
        try [.textEncoder, .imageNormalizer] + (readsPicture ? [.imageEncoder] : [])
    }

    package func checkConditions(of stage: LatentStage) throws {
        try checkTexts(of: stage)
        try source.check(EmbeddingNormalizer.self, .imageNormalizer)
        let width = try source.explaining(.imageNormalizer) {
            try EmbeddingNormalizer.configuration(source.configuration(of: .imageNormalizer)).embeddingDim
        }
        if try readsPicture { try source.check(CLIPVisionWithProjection.self, .imageEncoder) }
        let given =
            try readsPicture
            ? source.explaining(.imageEncoder) {
                try CLIPVision.configuration(source.configuration(of: .imageEncoder)).projectionDim
            }
            : source.explaining(.prior) {
                try PriorTransformer.configuration(source.configuration(of: .prior)).outputWidth
            }
        guard given == width else {
            throw PipelineError(
                "\(source.path): embeddings have \(given) features, and image_normalizer has \(width) (embedding_dim): they are of different models"
            )
        }
        let unet = model.network.settings as? UNet2DConditionConfiguration
        guard unet?.classEmbedType == .projection,
            unet?.projectionClassEmbeddingsInputDim == 2 * width
        else {
            throw PipelineError(
                "\(source.path): the U-Net must project vectors of \(2 * width) features, an embedding and its noise level (class_embed_type 'projection', projection_class_embeddings_input_dim)"
            )
        }
    }

    /// The embedding with its noise, and the level of that; zeros without a condition.
    package func batchInputs(of stage: LatentStage, _ say: @escaping (Sentence) -> Void) throws -> (
        (_ pictures: Range<Int>, _ noise: NoiseSource) throws -> BatchInputs
    )? {
        let embeddings = try embeddings(of: stage, say)
        let normalizer = try source.build(
            EmbeddingNormalizer.self, .imageNormalizer, elementType: model.elementType, on: model.device)
        let level = stage.settings.request.noiseLevel ?? 0
        let noised = try noising().schedule.level(at: Double(level))
        let width = embeddings.shape[1]
        let words = sinusoidalEmbedding(
            Tensor([Float(level)]).to(model.device), width: width, cosinesFirst: true)
        return { pictures, noise in
            let scaled = normalizer.scaled(embeddings.rows(of: pictures, among: stage.settings.count))
            let noisy = (scaled * noised.alpha).adding(noise.draw([width]), scale: noised.sigma)
            let label = concatenated(
                [
                    normalizer.unscaled(noisy),
                    words.expanded(to: [pictures.count, width]).to(noisy.elementType),
                ],
                along: 1)
            return BatchInputs(
                conditions: BranchConditions(
                    wanted: Conditions(labels: label), unwanted: Conditions(labels: label * 0)))
        }
    }

    private func embeddings(of stage: LatentStage, _ say: @escaping (Sentence) -> Void) throws -> Tensor {
        switch stage.conditioningPicture {
        case .embeddings(let embeddings): return embeddings.to(model.elementType).to(model.device)
        case .picture(let picture):
            return try source.embedding(
                of: stage.settings.request.opaque(picture, .reference, say), as: model.elementType,
                on: model.device)
        case .awaited, nil: preconditionFailure("Stable unCLIP begins with the embeddings of pictures")
        }
    }
}
