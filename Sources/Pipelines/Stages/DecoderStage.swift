import Checkpoints
import Diffusion
import Networks
import Pictures
import Tensors

/// The decoder's share of a run of unCLIP: from CLIP's embeddings of pictures, and texts, to small pictures.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125), section 2.1.
struct DecoderStage: Stage {
    private let model: UnCLIP
    var settings: StageSettings
    private var picture: ConditioningPicture

    private var source: ModelSource { model.source }

    /// Checks a request.
    /// - Parameter picture: where embeddings are from.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    init(_ model: UnCLIP, _ request: Request, _ picture: ConditioningPicture) throws {
        (self.model, self.picture) = (model, picture)
        let process = try model.process(.decoderScheduler)
        let steps = request.steps ?? 25
        try Request.check(steps: steps)
        let guidance = request.guidanceSettings(usual: 8)
        try Request.check(guidance: guidance.scale)
        let size = try model.size(of: model.decoder.sampleSize, .decoder)
        let shape = Shape([model.decoder.inChannels, size, size])
        settings = StageSettings(
            model: model.source.name, request: request,
            sampler: try process.sampling.sampler(nil, steps: steps, grid: nil, options: SamplerOptions()),
            steps: steps, words: process.sampling.words(for: nil, grid: nil), process: process,
            guidance: guidance, isGuided: guidance.isGuided, prompts: try request.promptOfEach(),
            sampleShape: shape, pictureShape: shape, batchSize: request.batchSize ?? 4,
            elementType: model.options.elementType, device: model.options.device)
        try model.check(
            settings.sampler, process, channels: shape[0], outputs: model.decoder.outChannels, .decoder)
    }

    private func encoding(_ say: @escaping (Sentence) -> Void) -> TextEncoding {
        TextEncoding(
            source: source, elementType: settings.elementType, device: settings.device, matrices: .full,
            clipSkip: 0, weighsWords: false, readsInversions: false, say: say)
    }

    // MARK: Before the run

    func check(decodes: Bool) throws {
        let found = try encoding({ _ in }).checkProjected(.textEncoder)
        let width = model.projection.clipEmbeddingsDim
        for (given, unit) in [(found.states, "token"), (found.text, "text")] where given != width {
            throw PipelineError(
                "\(source.path): text_encoder gives \(given) features a \(unit), and text_proj takes \(width) (clip_embeddings_dim): they are of different models"
            )
        }
        if model.isVariation { try source.check(CLIPVisionWithProjection.self, .imageEncoder) }
        try source.check(UnCLIPTextProjection.self, .textProjection)
        try source.check(UNet2DCondition.self, .decoder)
        try model.checkMemory(NetworkConfiguration(model.decoder), settings)
    }

    func digests(decodes: Bool) throws -> ModelDigests {
        let encoders: [ModelComponent] = [.textEncoder] + (model.isVariation ? [.imageEncoder] : [])
        return try ModelDigests(source, [.decoder, .textProjection] + encoders)
    }

    // MARK: The run

    func starting(from embeddings: Tensor) -> any Stage {
        var stage = self
        stage.picture = .embeddings(embeddings)
        return stage
    }

    func load(_ say: @escaping (Sentence) -> Void) throws -> SamplingLoop.Begin {
        let denoiser = try guidedDenoisers(say)
        return { pictures, noise, _ in
            let unit = noise.draw(settings.sampleShape)
            return .init(
                sample: settings.sampler.scaled(unit), denoiser: denoiser(pictures, BatchInputs()),
                noise: unit, finish: { $0.clamped(to: -1...1) })
        }
    }

    func denoisers(_ say: @escaping (Sentence) -> Void) throws -> BranchDenoisers {
        let conditions = try conditions(say)
        let network = try source.build(
            UNet2DCondition.self, .decoder, elementType: settings.elementType, on: settings.device)
        return BranchedNetwork(
            network: network.replayed(on: settings.device), settings: settings, conditions: conditions
        ).denoiser
    }

    /// The wanted text with the picture, and an empty text without one.
    private func conditions(_ say: @escaping (Sentence) -> Void) throws -> BranchConditions {
        // What was cut off a prompt was said where the prior read it.
        let (wanted, empty) = try encoding({ _ in }).projected(settings.prompts ?? [""], .textEncoder)
        let embeddings = try embeddings(say)
        let projection = try source.build(
            UnCLIPTextProjection.self, .textProjection, elementType: settings.elementType,
            on: settings.device)
        let rows = max(embeddings.shape[0], wanted.context.shape[0])
        return BranchConditions(
            wanted: projection.conditions(embeddings.repeated(rows / embeddings.shape[0]), wanted.rows(rows)),
            unwanted: projection.conditions(nil, empty))
    }

    private func embeddings(_ say: @escaping (Sentence) -> Void) throws -> Tensor {
        switch picture {
        case .embeddings(let embeddings):
            return embeddings.to(settings.elementType).to(settings.device)
        case .picture(let picture):
            return try source.embedding(
                of: settings.request.opaque(picture, .reference, say), as: settings.elementType,
                on: settings.device)
        case .awaited: preconditionFailure("the decoder begins with the embeddings of another stage")
        }
    }

    func pictures(of samples: Tensor, _ say: @escaping (Sentence) -> Void) -> Tensor { samples }

    func preview(of progress: SamplingProgress) throws -> Picture? {
        try Picture.sheet(of: progress.estimate.data.to(.float32))
    }

    func complete(_ receipt: inout Receipt, decodes: Bool) {
        receipt.image = settings.request.files["image"]
        receipt.background = settings.request.background?.description
        if settings.request.prompts != nil { receipt.setPrompts(of: settings.request) }
    }
}

extension UnCLIPTextProjection {
    /// What the decoder is conditioned on; all tokens of a picture are seen.
    fileprivate func conditions(_ picture: Tensor?, _ text: TextEmbedding) -> Conditions {
        let made = self(picture: picture, text: text.pooled ?? text.context, states: text.context)
        var conditions = Conditions(labels: made.time, context: made.context)
        conditions[.contextMask] = text.mask?.padded([configuration.clipExtraContextTokens, 0], value: 1)
        return conditions
    }
}

extension TextEmbedding {
    /// The same rows so often that there are `count`.
    fileprivate func rows(_ count: Int) -> TextEmbedding {
        let times = count / context.shape[0]
        return TextEmbedding(
            context: context.repeated(times), pooled: pooled?.repeated(times), mask: mask?.repeated(times))
    }
}

extension ModelSource {
    /// CLIP's embedding of a picture, `[1, features]`.
    func embedding(of picture: Picture, as type: ElementType, on device: Device) throws -> Tensor {
        let network = try build(
            CLIPVisionWithProjection.self, .imageEncoder, elementType: type, on: device, prepares: false)
        let pixels = try PicturePreprocessing(self, for: network.configuration).pixels(of: picture)
        return network(pixels.to(type).to(device)).embedding
    }
}
