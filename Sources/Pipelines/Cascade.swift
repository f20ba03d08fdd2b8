import Diffusion
import Tensors

extension Request {
    /// A model that goes on with the pictures of the one before it: a further stage of a cascade.
    /// Source: Ho et al. 2021 (arXiv:2106.15282).
    public struct FollowingStage: Sendable {
        /// The model.
        public var model: Model
        /// The number of solver steps.
        public var steps: Int?
        /// The scale of guidance.
        public var guidance: Double?
        /// The time of the noise that is laid on the picture before it is enlarged.
        public var noiseLevel: Int?
        /// The share of the steps that are taken from the picture that the first model changes, in place of noise; the stage
        /// begins with noise where it is `nil` and the model does not say otherwise.
        public var originalStrength: Double?
        /// What the noise of the start is multiplied with.
        public var temperature: Double?
        /// Whether the stage before stops where that noise is left, in place of noise that is laid on its result.
        public var truncates = false

        /// A stage with everything else the model's own.
        public init(_ model: Model) { self.model = model }
    }
}

extension Request.FollowingStage {
    /// What is wanted of the model: conditions, seeds and how samples are drawn are those of the first one, but for the
    /// numbers of this stage.
    func request(after first: Request) -> Request {
        var request = first
        (request.following, request.files) = ([], [:])
        (request.steps, request.guidance, request.noiseLevel) = (steps, guidance, noiseLevel)
        request.temperature = temperature
        // A picture of which a part is made anew is for every stage that takes it.
        let isInpainted = first.mask != nil && model.assembly.inpaints
        if !isInpainted { (request.reference, request.mask, request.background) = (nil, nil, nil) }
        request.initial = nil
        (request.strength, request.height, request.width) = (nil, nil, nil)
        (request.guide, request.classifier, request.noisyCLIP, request.guidanceMethod) = (nil, nil, nil, nil)
        let beginsWithOriginal = originalStrength != nil || model.assembly.originals == .always
        if beginsWithOriginal, let original = first.reference {
            (request.original, request.mask, request.background) = (original, first.mask, first.background)
            request.strength = originalStrength ?? first.strength
        }
        (request.priorSteps, request.priorGuidance, request.embeddings) = (nil, nil, .init())
        if model.classCount == nil { request.classes = nil }
        if !model.takesPrompt { (request.prompts, request.negativePrompt) = (nil, nil) }
        return request
    }
}

extension Request.FollowingStage {
    /// Throws where there is no picture to begin with, or the model takes none.
    fileprivate func checkOriginal(of first: Request) throws {
        guard model.assembly.originals != .unread else {
            throw PipelineError(
                "\(.originalStrength): \(model.name) begins with noise alone: leave it out")
        }
        guard first.reference != nil else {
            throw PipelineError(
                "\(.originalStrength) begins with the picture that the first model changes: give \(.reference)"
            )
        }
    }
}

extension Model {
    /// What makes the samples of a request, the stages of the models that follow included.
    /// - Throws: `PipelineError` where a model does not go on with the pictures of the one before it.
    func stages(_ request: Request) throws -> [any Stage] {
        var own = request
        own.following = []
        try request.checkTags((assembly as? any LatentAssembly)?.model.source.adapters ?? [])
        var stages = try assembly.stages(own)
        guard !request.following.isEmpty else { return stages }
        guard !request.inverts else {
            throw PipelineError("\(.inverts) climbs from data to noise by one model: leave out \(.following)")
        }
        for next in request.following {
            if next.originalStrength != nil { try next.checkOriginal(of: request) }
            let last = stages.count - 1
            var stage = try next.model.assembly.stage(
                after: stages[last].settings, next.request(after: request))
            (stage.settings.isFollowing, stage.settings.continuesNoise) = (true, true)
            if next.truncates { try stage.truncate(&stages[last].settings) }
            stages.append(stage)
        }
        return stages
    }
}
