import Checkpoints
import Diffusers
import Diffusion
import Networks
import Storage
import Tensors

/// unCLIP (DALL-E 2) as Karlo has it: a prior makes CLIP's embedding of a picture of a text, a decoder makes a small picture
/// of that, and two networks enlarge it. Without the prior it makes variations of a picture, of whose embedding it begins.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125).
package struct UnCLIP: StoredAssembly {
    package static let classNames = ["UnCLIPPipeline", "UnCLIPImageVariationPipeline"]
    package static let family = "unclip"
    package static let networkComponent = ModelComponent.decoder

    let source: ModelSource
    let options: ModelOptions
    let projection: UnCLIPTextProjectionConfiguration
    let decoder: UNet2DConditionConfiguration
    let upscalers: (first: UNet2DConfiguration, last: UNet2DConfiguration)
    /// Whether it begins with a picture and not with a text.
    let isVariation: Bool

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
        isVariation = try source.setting("_class_name") == Self.classNames[1]
        projection = try configuration(UnCLIPTextProjection.self, .textProjection)
        decoder = try configuration(UNet2DCondition.self, .decoder)
        upscalers = try (
            configuration(UNet2D.self, .superResolutionFirst),
            configuration(UNet2D.self, .superResolutionLast)
        )
        try checkFit(
            embedding: isVariation
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
        let (first, last) = upscalers
        let origin = isVariation ? "image_encoder" : "the prior"
        let problems: [(Bool, String)] = [
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
            (
                first.inChannels != 2 * decoder.inChannels || last.inChannels != first.inChannels,
                "super_res_first and super_res_last must take \(2 * decoder.inChannels) channels, a picture and the decoder's beside it, and take \(first.inChannels) and \(last.inChannels)"
            ),
            (
                first.isConditional || last.isConditional,
                "super_res_first and super_res_last must read no classes"
            ),
        ]
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
        guard case .scheduler(let configuration)? = process.stored, configuration.isUnCLIP else {
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
        var stages: [any Stage] = []
        if case .picture(let picture)? = request.reference {
            stages = [try DecoderStage(self, request, .picture(picture))]
        } else {
            stages = try [
                PriorStage(source, options, request, encoder: .textEncoder, holdsToGrid: true),
                DecoderStage(self, request, .awaited),
            ]
        }
        for isLast in [false, true] {
            stages.append(try SuperResolutionStage(self, request, isLast: isLast))
        }
        for index in stages.indices.dropFirst() { stages[index].settings.continuesNoise = true }
        return stages
    }

    /// Throws where a request asks for what such models do not do.
    private func check(_ request: Request) throws {
        guard takesPrompt == (request.prompts != nil) else {
            throw PipelineError(
                takesPrompt
                    ? "\(name) is conditioned on a text: give \(.prompts)"
                    : "\(name) makes variations of a picture, not pictures of a text: \(leavingOut: .prompts)"
            )
        }
        let own: Set<RequestField> =
            isVariation
            ? [.reference, .background] : [.prompts, .priorSteps, .priorGuidance]
        try request.check(
            reads: own.union([.guidance, .upscaleSteps]), "has no part in \(name), which is an unCLIP")
        let others: [(RequestField, Bool)] = [
            (.solver, request.solver != nil), (.grid, request.grid != nil), (.eta, request.eta != nil),
            (.initial, request.initial != nil), (.churnRange, request.churnRange != nil),
            (.churnNoise, request.churnNoise != nil), (.churn, request.churn != nil),
            (.langevinSteps, request.langevinSteps != nil), (.signalToNoise, request.signalToNoise != nil),
        ]
        if let field = others.first(where: \.1)?.0 {
            throw PipelineError(
                "\(field) has no part in \(name), whose networks each take the steps of a schedule of their own: leave it out"
            )
        }
        try request.checkRanges()
        guard isVariation else { return }
        guard case .picture? = request.reference else {
            throw PipelineError(
                "\(name) makes variations of a picture: give \(.reference) a picture (.png .jpg .webp)")
        }
    }
}
