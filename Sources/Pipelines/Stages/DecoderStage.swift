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
    private var embedding: EmbeddingSource

    private var source: ModelSource { model.source }

    /// Checks a request.
    /// - Parameter embedding: where embeddings are from.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    init(_ model: UnCLIP, _ request: Request, _ embedding: EmbeddingSource) throws {
        (self.model, self.embedding) = (model, embedding)
        let process = try model.process(.decoderScheduler)
        let steps = request.steps ?? model.card.steps ?? 25
        try Request.check(steps: steps)
        let guidance = request.guidanceSettings(usual: model.card.guidance ?? 8)
        try Request.check(guidance: guidance.scale)
        let size = try model.size(of: model.decoder.sampleSize, .decoder)
        let shape = Shape([model.decoder.inChannels, size, size])
        let solver = request.solver ?? model.card.solver
        var sampler = try process.sampling.sampler(
            solver, steps: steps, grid: request.grid, options: request.samplerOptions)
        sampler.thresholding = try request.checkedThresholding() ?? sampler.thresholding
        settings = StageSettings(
            model: model.source.name, request: request,
            sampler: sampler, steps: steps,
            words: process.sampling.words(for: solver, grid: request.grid), process: process,
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
        if embedding.readsPictures { try source.check(CLIPVisionWithProjection.self, .imageEncoder) }
        try source.check(UnCLIPTextProjection.self, .textProjection)
        try source.check(UNet2DCondition.self, .decoder)
        try model.checkMemory(NetworkConfiguration(model.decoder), settings)
    }

    func digests(decodes: Bool) throws -> ModelDigests {
        let encoders: [ModelComponent] = [.textEncoder] + (embedding.readsPictures ? [.imageEncoder] : [])
        return try ModelDigests(source, [.decoder, .textProjection] + encoders)
    }

    // MARK: The run

    func starting(from embeddings: Tensor) -> any Stage {
        var stage = self
        stage.embedding.origin = .stage(embeddings)
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
        let (wanted, empty) = try texts(settings.prompts ?? [""], say)
        let embeddings = try embeddings(wanted, say)
        let projection = try source.build(
            UnCLIPTextProjection.self, .textProjection, elementType: settings.elementType,
            on: settings.device)
        let rows = max(embeddings?.shape[0] ?? 1, wanted.context.shape[0])
        return BranchConditions(
            wanted: projection.conditions(
                embeddings.map { $0.repeated(rows / $0.shape[0]) }, wanted.rows(rows)),
            unwanted: projection.conditions(nil, empty))
    }

    private func texts(_ prompts: [String], _ say: @escaping (Sentence) -> Void) throws -> (
        wanted: TextEmbedding, empty: TextEmbedding
    ) {
        let (wanted, empty) = try encoding(say).projected(prompts, .textEncoder)
        return model.scalesEmbeddings ? (wanted.scaled, empty.scaled) : (wanted, empty)
    }

    /// The embeddings of pictures, `[1 or count, features]`; `nil` where the text stands alone.
    private func embeddings(_ text: TextEmbedding, _ say: @escaping (Sentence) -> Void) throws -> Tensor? {
        let found: Tensor?
        switch embedding.origin {
        case .stage(let embeddings?): found = embeddings.to(settings.elementType).to(settings.device)
        case .picture(let picture): found = try changed(try encoded(picture, .reference, say), say)
        case .text: found = text.pooled
        case .none: found = nil
        case .stage(nil): preconditionFailure("the decoder begins with the embeddings of another stage")
        }
        return model.scalesEmbeddings ? found.map(EmbeddingGeometry.scaled) : found
    }

    private func encoded(_ picture: Picture, _ field: RequestField, _ say: @escaping (Sentence) -> Void)
        throws
        -> Tensor
    {
        try source.embedding(
            of: settings.request.opaque(picture, field, say), as: settings.elementType, on: settings.device)
    }

    /// The embedding of the reference, or one for each picture on the way from it.
    private func changed(_ embedding: Tensor, _ say: @escaping (Sentence) -> Void) throws -> Tensor {
        guard let change = self.embedding.change else { return embedding }
        let shares = change.shares(settings.count)
        switch change {
        case .towards(let picture):
            return EmbeddingGeometry.between(
                embedding, try encoded(picture, .imageTo, say), shares: shares)
        case .textDifference(let from, let to, _):
            let texts = try encoding(say).projected([from, to], .textEncoder).wanted
            guard let pooled = texts.pooled else { preconditionFailure("a projected text is one vector") }
            let (first, last) = (pooled.slice(0..<1, of: 0), pooled.slice(1..<2, of: 0))
            guard try (first - last).magnitude().max().item(Double.self) > 0 else {
                throw PipelineError(
                    "\(.textDiff): \(model.source.name) reads both texts alike: give two that differ")
            }
            return EmbeddingGeometry.turned(
                embedding, to: EmbeddingGeometry.difference(from: first, to: last), shares: shares)
        }
    }

    func pictures(of samples: Tensor, _ say: @escaping (Sentence) -> Void) -> Tensor { samples }

    func preview(of progress: SamplingProgress) throws -> Picture? {
        try Picture.sheet(of: progress.estimate.data.to(.float32))
    }

    func complete(_ receipt: inout Receipt, decodes: Bool) {
        receipt.image = settings.request.files["image"]
        receipt.background = settings.request.background?.description
        receipt.setEmbeddings(of: settings.request)
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
    /// The same with the text as a whole as models take it that are trained here.
    var scaled: TextEmbedding {
        TextEmbedding(context: context, pooled: pooled.map(EmbeddingGeometry.scaled), mask: mask)
    }

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
        let encoder = try PictureEncoder(self, as: type, on: device)
        return encoder.features(.embedding, of: try encoder.pixels(of: picture))
    }
}
