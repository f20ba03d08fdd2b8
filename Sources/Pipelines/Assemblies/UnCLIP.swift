import Checkpoints
import Diffusers
import Diffusion
import Networks
import Storage
import Tensors

/// unCLIP (DALL-E 2) as Karlo has it: a prior makes CLIP's embedding of a picture of a text, a decoder makes a small picture
/// of that, and two networks enlarge it. Without the prior it makes variations of a picture, of whose embedding it begins.
///
/// A decoder that is trained here (`UnCLIPDecoderPipeline`) has the same parts but for those that enlarge, takes embeddings at
/// the length √features, and begins with a picture, with the embeddings of another model (`Request.Embeddings.prior`), or with
/// CLIP's embedding of the text.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125).
package struct UnCLIP: StoredAssembly {
    package static let classNames = [
        "UnCLIPPipeline", "UnCLIPImageVariationPipeline", ModelLayout.decoderPipeline,
    ]
    package static let family = "unclip"
    package static let networkComponent = ModelComponent.decoder

    let source: ModelSource
    let options: ModelOptions
    let projection: UnCLIPTextProjectionConfiguration
    let decoder: UNet2DConditionConfiguration
    /// What enlarges its pictures; `nil` where nothing does.
    let upscalers: (first: UNet2DConfiguration, last: UNet2DConfiguration)?
    /// Whether it begins with a picture and not with a text.
    let isVariation: Bool
    /// Whether it takes embeddings at the length √features, as decoders do that are trained here.
    let scalesEmbeddings: Bool
    /// What is known of its use.
    let card: ModelCard

    package init(_ source: ModelSource, _ options: ModelOptions) throws {
        guard options.memory == MemoryOptions() else {
            throw PipelineError(
                "\(.memory) keeps models of latents small, and \(source.name) diffuses pixels: leave it out")
        }
        guard options.prediction == nil else {
            throw PipelineError(
                "\(source.name) has a schedule for each network, which says what it predicts: leave out \(.prediction)"
            )
        }
        func configuration<Network: ConfiguredNetwork>(_ type: Network.Type, _ part: ModelComponent) throws
            -> Network.Configuration
        {
            try source.explaining(part) { try type.configuration(source.configuration(of: part)) }
        }
        (self.source, self.options) = (source, options)
        let name: String? = try source.setting("_class_name")
        isVariation = name == Self.classNames[1]
        scalesEmbeddings = name == ModelLayout.decoderPipeline
        card = try source.card()
        projection = try configuration(UnCLIPTextProjection.self, .textProjection)
        decoder = try configuration(UNet2DCondition.self, .decoder)
        upscalers =
            try scalesEmbeddings
            ? nil
            : (
                configuration(UNet2D.self, .superResolutionFirst),
                configuration(UNet2D.self, .superResolutionLast)
            )
        try checkFit(
            embedding: isVariation || scalesEmbeddings
                ? configuration(CLIPVisionWithProjection.self, .imageEncoder).projectionDim
                : configuration(PriorTransformer.self, .prior).outputWidth)
    }

    package var name: String { source.name }
    package var classCount: Int? { nil }
    package var takesPrompt: Bool { !isVariation }

    package func bare() throws -> BareModel {
        throw PipelineError(
            "\(name) has several networks one after the other, and this is for models of one network on pixels, of points, and exact ones"
        )
    }

    // MARK: Parts that fit

    /// Throws where parts of different models stand together.
    /// - Parameter embedding: the features of the embedding that comes first.
    private func checkFit(embedding: Int) throws {
        let origin = isVariation || scalesEmbeddings ? "image_encoder" : "the prior"
        var problems: [(Bool, String)] = [
            (
                embedding != projection.clipEmbeddingsDim,
                "\(origin) gives embeddings of \(embedding) features, and text_proj takes \(projection.clipEmbeddingsDim) (clip_embeddings_dim)"
            ),
            (
                decoder.classEmbedType != .identity,
                "class_embed_type of the decoder must be 'identity': text_proj makes what is added to its time"
            ),
            (
                projection.timeEmbedDim != decoder.timeWidth,
                "text_proj gives \(projection.timeEmbedDim) features for the time (time_embed_dim), and the decoder embeds it in \(decoder.timeWidth)"
            ),
            (
                projection.crossAttentionDim != decoder.crossAttentionDim.common
                    || !decoder.looksAtContext,
                "text_proj gives tokens of \(projection.crossAttentionDim) features (cross_attention_dim), and the decoder attends to \(decoder.looksAtContext ? decoder.crossAttentionDim.common.map { "\($0)" } ?? "several widths" : "none")"
            ),
        ]
        if let (first, last) = upscalers {
            problems += [
                (
                    first.inChannels != 2 * decoder.inChannels || last.inChannels != first.inChannels,
                    "super_res_first and super_res_last must take \(2 * decoder.inChannels) channels, a picture and the decoder's beside it, and take \(first.inChannels) and \(last.inChannels)"
                ),
                (
                    first.isConditional || last.isConditional,
                    "super_res_first and super_res_last must read no classes"
                ),
            ]
        }
        if let problem = problems.first(where: \.0)?.1 {
            throw PipelineError("\(source.path): \(problem): they are of different models")
        }
    }

    /// The side of the square pictures of a network.
    func size(of sample: UNet2DConfiguration.SampleSize?, _ part: ModelComponent) throws -> Int {
        guard let sample, sample.height == sample.width else {
            throw PipelineError(
                "\(source.path), configuration of \(part.rawValue): sample_size must be one number, the side of its pictures"
            )
        }
        return sample.height
    }

    /// The process of one of the networks.
    func process(_ schedule: ModelComponent) throws -> Process {
        let process = try source.process(of: schedule)
        let isUnCLIP = if case .scheduler(let own)? = process.stored { own.isUnCLIP } else { false }
        // A decoder that is trained here has whatever process and method its recipe says.
        guard isUnCLIP || scalesEmbeddings else {
            throw PipelineError(
                "\(source.path): \(schedule.rawValue) must be an UnCLIPScheduler, whose steps this pipeline takes"
            )
        }
        return process.computed(in: options.elementType)
    }

    /// Throws where a network's channels are not those of its steps.
    func check(
        _ sampler: Sampler, _ process: Process, channels: Int, outputs: Int, _ part: ModelComponent
    ) throws {
        try sampler.check(process.parameterization.output)
        let learns = (sampler.solver as? DDPMSolver)?.variance.isLearned ?? false
        let needed = learns ? 2 * channels : channels
        guard outputs == needed else {
            throw PipelineError(
                "\(source.path): \(part.rawValue) gives \(outputs) channels (out_channels), and its schedule needs \(needed): 'learned_range' goes with a variance beside each channel, 'fixed_small_log' with none"
            )
        }
    }

    /// Throws where the machine cannot hold what passes through a network.
    func checkMemory(_ network: NetworkConfiguration, _ settings: StageSettings) throws {
        let needs = MemoryNeed.sampling(
            network, batch: settings.branches.count * min(settings.batchSize, settings.count),
            count: settings.count, sample: settings.sampleShape, computing: options.elementType)
        for need in needs { try need.check(on: options.device) }
    }

    // MARK: Stages

    package func stages(_ request: Request) throws -> [any Stage] {
        try check(request)
        let change = try request.embeddingChange()
        var own = request
        // Pictures on a way differ by their embeddings alone.
        if change != nil { own.interpolation = (request.seed, request.seed) }
        var stages: [any Stage] = []
        if case .picture(let picture)? = request.reference {
            stages = [try DecoderStage(self, own, EmbeddingSource(.picture(picture), change))]
        } else {
            stages = try fromText(own)
        }
        for isLast in upscalers == nil ? [] : [false, true] {
            stages.append(try SuperResolutionStage(self, own, isLast: isLast))
        }
        for index in stages.indices.dropFirst() { stages[index].settings.continuesNoise = true }
        return stages
    }

    /// The stages up to the decoder's pictures of a text.
    private func fromText(_ request: Request) throws -> [any Stage] {
        let hasPrior = !scalesEmbeddings || request.embeddings.prior != nil
        switch request.embeddings.origin ?? (hasPrior ? .prior : .text) {
        case .text: return [try DecoderStage(self, request, EmbeddingSource(.text))]
        case .none: return [try DecoderStage(self, request, EmbeddingSource(.none))]
        case .prior:
            return [try priorStage(request), try DecoderStage(self, request, EmbeddingSource(.stage(nil)))]
        }
    }

    private func priorStage(_ request: Request) throws -> any Stage {
        guard let other = request.embeddings.prior else {
            guard !scalesEmbeddings else {
                throw PipelineError(
                    "\(.embedding) is prior, and \(name) has none of its own: give \(.prior) a model that makes embeddings of texts"
                )
            }
            return try PriorStage(source, options, request, encoder: .textEncoder, holdsToGrid: true)
        }
        guard scalesEmbeddings, let prior = other.assembly as? UnCLIPPrior else {
            throw PipelineError(
                scalesEmbeddings
                    ? "\(.prior): \(other.name) makes no embeddings of texts: give a run of model.kind prior or autoregressive-prior"
                    : "\(.prior): \(name) has a prior of its own: leave it out")
        }
        try prior.check(goesWith: source, features: projection.clipEmbeddingsDim)
        return try prior.embeddingStage(request)
    }

    /// Throws where a request asks for what such models do not do.
    private func check(_ request: Request) throws {
        guard scalesEmbeddings || takesPrompt == (request.prompts != nil) else {
            throw PipelineError(
                takesPrompt
                    ? "\(name) is conditioned on a text: give \(.prompts)"
                    : "\(name) makes variations of a picture, not pictures of a text: \(leavingOut: .prompts)"
            )
        }
        try request.check(reads: fields(of: request), "has no part in \(name), which is an unCLIP")
        var others: [(RequestField, Bool)] = [
            (.initial, request.initial != nil), (.churnRange, request.churnRange != nil),
            (.churnNoise, request.churnNoise != nil), (.churn, request.churn != nil),
            (.langevinSteps, request.langevinSteps != nil), (.signalToNoise, request.signalToNoise != nil),
        ]
        if !scalesEmbeddings {
            others += [
                (.solver, request.solver != nil), (.grid, request.grid != nil), (.eta, request.eta != nil),
            ]
        }
        if let field = others.first(where: \.1)?.0 {
            throw PipelineError(
                "\(field) has no part in \(name), whose networks each take the steps of a schedule of their own: leave it out"
            )
        }
        try request.checkRanges()
        guard isVariation || (scalesEmbeddings && request.prompts == nil) else { return }
        guard case .picture? = request.reference else {
            throw PipelineError(
                scalesEmbeddings
                    ? "\(name) makes pictures of texts and variations of a picture: give \(.prompts), or \(.reference) a picture (.png .jpg .webp)"
                    : "\(name) makes variations of a picture: give \(.reference) a picture (.png .jpg .webp)"
            )
        }
    }

    /// The fields that such a model reads.
    private func fields(of request: Request) -> Set<RequestField> {
        let ofPrior: Set<RequestField> = [.priorSteps, .priorGuidance, .priorCandidates]
        let ofPicture: Set<RequestField> = [.reference, .background, .imageTo, .textDiff]
        let ofText: Set<RequestField> = [.prompts, .embedding, .prior]
        guard scalesEmbeddings else {
            return (isVariation ? ofPicture : ofText.union(ofPrior)).union([.guidance, .upscaleSteps])
        }
        let own: Set<RequestField> = [.prompts, .guidance, .threshold]
        if request.reference != nil { return own.union(ofPicture) }
        let hasPrior = request.embeddings.prior != nil && [nil, .prior].contains(request.embeddings.origin)
        return own.union(hasPrior ? ofText.union(ofPrior) : [.embedding])
    }
}
