import Checkpoints
import Diffusers
import Diffusion
import Networks
import Pictures
import Tensors

/// The prior's share of a run of unCLIP: from texts to CLIP's embeddings of pictures, `[count, features]`.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125), section 2.2.
struct PriorStage: Stage {
    private let source: ModelSource
    private let options: ModelOptions
    private let encoder: ModelComponent
    private let configuration: PriorTransformerConfiguration
    /// Whether texts as a whole have the length √features.
    private let scalesTexts: Bool
    /// Embeddings that are drawn for each picture, of which the one closest to the text is kept.
    private let candidates: Int
    var settings: StageSettings
    var isMain: Bool { false }

    /// Checks a request.
    /// - Parameters:
    ///   - encoder: the text encoder that it reads.
    ///   - holdsToGrid: whether steps of diffusers' UnCLIPScheduler end where the next one begins; StableUnCLIP does not
    ///     tell it where that is.
    ///   - scalesTexts: whether it takes texts as a whole at the length √features, as priors that are trained here.
    ///   - card: what is known of its use.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    init(
        _ source: ModelSource, _ options: ModelOptions, _ request: Request, encoder: ModelComponent,
        holdsToGrid: Bool, scalesTexts: Bool = false, card: ModelCard = ModelCard()
    ) throws {
        (self.source, self.options, self.encoder) = (source, options, encoder)
        // Section 2.2 of the paper draws two; diffusers' pipelines draw one.
        (self.scalesTexts, candidates) = (
            scalesTexts, try request.priorCandidates(usual: scalesTexts ? 2 : 1)
        )
        configuration = try source.explaining(.prior) {
            try PriorTransformer.configuration(source.configuration(of: .prior))
        }
        let process = try source.process(of: .priorScheduler).computed(in: options.elementType)
        let steps = request.priorSteps ?? card.steps ?? 25
        guard (1...StepGrid.maximalCount).contains(steps) else {
            throw PipelineError("\(.priorSteps) is \(steps): give 1 to \(StepGrid.maximalCount)")
        }
        let guidance = GuidanceSettings(scale: try request.checkedPriorGuidance(usual: card.guidance ?? 4))
        let eta = process.priorEta(request.eta)
        let features = configuration.embeddingDim
        let sampler = try process.sampling.sampler(nil, steps: steps, grid: nil, options: eta)
        settings = StageSettings(
            model: source.name, request: request.ofPrior,
            sampler: holdsToGrid ? sampler : process.withSteps(ofOneTime: sampler), steps: steps,
            words: process.sampling.words(for: nil, grid: nil), process: process, guidance: guidance,
            isGuided: guidance.isGuided, prompts: try request.promptOfEach(),
            sampleShape: candidates == 1 ? [features] : [candidates, features], pictureShape: nil,
            batchSize: request.batchSize ?? 64, elementType: options.elementType, device: options.device)
        try settings.sampler.check(process.parameterization.output)
    }

    private func encoding(_ say: @escaping (Sentence) -> Void) -> TextEncoding {
        TextEncoding(
            source: source, elementType: options.elementType, device: options.device,
            matrices: options.memory.textEncoders, clipSkip: 0, weighsWords: false, readsInversions: false,
            say: say)
    }

    // MARK: Before the run

    func check(decodes: Bool) throws {
        try encoding({ _ in }).checkProjected(
            encoder, states: (configuration.stateWidth, "embedding_dim"),
            text: (configuration.textWidth, "embedding_proj_dim"),
            tokens: (configuration.numEmbeddings, "num_embeddings"))
        guard configuration.outputWidth == configuration.embeddingDim else {
            throw PipelineError(
                "\(source.path): the prior gives \(configuration.outputWidth) features (clip_embed_dim) for embeddings of \(configuration.embeddingDim) (embedding_dim): they must agree"
            )
        }
        try source.check(PriorTransformer.self, .prior)
    }

    func digests(decodes: Bool) throws -> ModelDigests { try ModelDigests(source, [.prior, encoder]) }

    // MARK: The run

    func load(_ say: @escaping (Sentence) -> Void) throws -> SamplingLoop.Begin {
        let (network, texts, own) = try parts(say)
        let denoiser = try guided(own, say)
        return { pictures, noise, _ in
            let unit = noise.draw(settings.sampleShape)
            let own = candidates == 1 ? nil : texts?.rows(of: pictures, among: settings.count)
            return .init(
                sample: settings.sampler.scaled(unit), denoiser: denoiser(pictures, BatchInputs()),
                noise: unit,
                finish: { drawn in
                    let embeddings = network.unscaled(drawn)
                    return own.map { EmbeddingGeometry.best(of: embeddings, for: $0.to(drawn.elementType)) }
                        ?? embeddings
                })
        }
    }

    func denoisers(_ say: @escaping (Sentence) -> Void) throws -> BranchDenoisers { try parts(say).own }

    private func parts(_ say: @escaping (Sentence) -> Void) throws -> (
        network: PriorTransformer, texts: Tensor?, own: BranchDenoisers
    ) {
        var (wanted, empty) = try encoding(say).projected(settings.prompts ?? [""], encoder)
        if scalesTexts { (wanted, empty) = (wanted.scaled, empty.scaled) }
        let network = try source.build(
            PriorTransformer.self, .prior, elementType: options.elementType, on: options.device)
        let branched = BranchedNetwork(
            network: candidates == 1 ? network : CandidateNetwork(network: network, count: candidates),
            settings: settings,
            conditions: BranchConditions(wanted: wanted.conditions, unwanted: empty.conditions))
        return (network, wanted.pooled, branched.denoiser)
    }

    func pictures(of samples: Tensor, _ say: @escaping (Sentence) -> Void) throws -> Tensor {
        throw PipelineError("the prior of \(source.name) makes embeddings, not pictures")
    }

    func preview(of progress: SamplingProgress) throws -> Picture? { nil }

    func complete(_ receipt: inout Receipt, decodes: Bool) {
        (receipt.priorSteps, receipt.priorGuidance) = (settings.steps, settings.guidance.scale)
        receipt.priorCandidates = candidates == 1 ? nil : candidates
    }
}

/// A network that denoises several candidates of each picture, `[batch, candidates, features]`, under one condition.
private struct CandidateNetwork: NoiseNetwork {
    let network: any NoiseNetwork
    let count: Int

    func callAsFunction(_ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?)
        -> Tensor
    {
        func each(_ part: Tensor) -> Tensor { part.repeatingEach(count, of: 0) }
        let shape = x.shape
        return network(
            x.flattened(from: 0, to: 1), time: time.shape[0] == 1 ? time : each(time),
            conditions.map(each), dropout: dropout
        ).reshaped(shape)
    }
}

extension Process {
    /// η of a prior, which diffusers' pipeline hands to classes that know one.
    fileprivate func priorEta(_ eta: Double?) -> SamplerOptions {
        var options = SamplerOptions()
        if case .scheduler(let configuration)? = stored, configuration.readsEta { options.eta = eta ?? 0 }
        return options
    }

    /// A sampler where diffusers' pipeline does not say to UnCLIPScheduler where steps end.
    fileprivate func withSteps(ofOneTime sampler: Sampler) -> Sampler {
        guard case .scheduler(let configuration)? = stored else { return sampler }
        return configuration.withSteps(ofOneTime: sampler)
    }
}
