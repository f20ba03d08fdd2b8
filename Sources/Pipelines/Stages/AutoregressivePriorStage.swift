import Checkpoints
import Diffusion
import Networks
import Pictures
import Tensors

/// The share of a run of unCLIP that an autoregressive prior has: from texts to CLIP's embeddings of pictures, `[count,
/// features]`, one principal component after the other. There are no levels of noise, so the loop has no steps.
///
/// The bucket of the cosine of text and picture is drawn from the upper half, and of several candidates the one is kept
/// whose cosine is largest.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125), section 2.2.
struct AutoregressivePriorStage: Stage {
    private let source: ModelSource
    private let options: ModelOptions
    private let configuration: AutoregressivePriorConfiguration
    private let candidates: Int
    private let guidance: Double
    var settings: StageSettings
    var isMain: Bool { false }

    /// Checks a request.
    /// - Throws: `PipelineError`, one sentence that says what to change.
    init(_ source: ModelSource, _ options: ModelOptions, _ request: Request, card: ModelCard) throws {
        (self.source, self.options) = (source, options)
        configuration = try source.explaining(.prior) {
            try AutoregressivePrior.configuration(source.configuration(of: .prior))
        }
        candidates = try request.priorCandidates(usual: 2)
        guidance = try request.checkedPriorGuidance(usual: card.guidance ?? 1)
        // What a run needs of a process where nothing is denoised.
        let process = try ProcessDescription("flow", prediction: "data").process
        var sampler = try process.sampling.sampler(nil, steps: 1, grid: nil, options: SamplerOptions())
        sampler.grid = sampler.grid.prefix(0)
        settings = StageSettings(
            model: source.name, request: request.ofPrior, sampler: sampler, steps: configuration.components,
            words: SamplingWords(process: "autoregressive", method: nil, grid: "components"),
            process: process,
            guidance: GuidanceSettings(scale: guidance), isGuided: false,
            prompts: try request.promptOfEach(), sampleShape: [configuration.embeddingDim],
            pictureShape: nil, batchSize: request.batchSize ?? 64, elementType: options.elementType,
            device: options.device)
    }

    private func encoding(_ say: @escaping (Sentence) -> Void) -> TextEncoding {
        TextEncoding(
            source: source, elementType: options.elementType, device: options.device,
            matrices: .full, clipSkip: 0, weighsWords: false, readsInversions: false, say: say)
    }

    // MARK: Before the run

    func check(decodes: Bool) throws {
        try encoding({ _ in }).checkProjected(
            .textEncoder, states: (configuration.stateDim, "state_dim"),
            text: (configuration.embeddingDim, "embedding_dim"),
            tokens: (configuration.numEmbeddings, "num_embeddings"))
        try source.check(AutoregressivePrior.self, .prior)
    }

    func digests(decodes: Bool) throws -> ModelDigests { try ModelDigests(source, [.prior, .textEncoder]) }

    // MARK: The run

    func load(_ say: @escaping (Sentence) -> Void) throws -> SamplingLoop.Begin {
        let (wanted, empty) = try encoding(say).projected(settings.prompts ?? [""], .textEncoder)
        let network = try source.build(
            AutoregressivePrior.self, .prior, elementType: options.elementType, on: options.device)
        let texts = (wanted: wanted.scaled, empty: empty.scaled)
        return { pictures, noise, _ in
            // A normal number for the cosine and for each component, of each candidate.
            let drawn = noise.draw([candidates, configuration.components + 1])
            func rows(_ text: TextEmbedding) -> Conditions {
                text.conditions.rows(of: pictures, among: settings.count)
                    .map { $0.repeatingEach(candidates, of: 0) }
            }
            let draws = AutoregressiveDraws(network: network, guidance: guidance)
            let embeddings = draws.embeddings(
                rows(texts.wanted), unconditional: rows(texts.empty),
                uniform: AutoregressiveDraws.uniform(drawn.flattened(from: 0, to: 1)))
            let all = embeddings.reshaped([pictures.count, candidates, -1])
            let text = texts.wanted.pooled!.rows(of: pictures, among: settings.count)
            return .init(
                sample: EmbeddingGeometry.best(of: all, for: text).to(settings.sampleType),
                denoiser: Denoiser { x, _ in Estimate(data: x, noise: x) })
        }
    }

    func denoisers(_ say: @escaping (Sentence) -> Void) throws -> BranchDenoisers {
        throw PipelineError("\(source.name) is an autoregressive prior and denoises nothing")
    }

    func pictures(of samples: Tensor, _ say: @escaping (Sentence) -> Void) throws -> Tensor {
        throw PipelineError("the prior of \(source.name) makes embeddings, not pictures")
    }

    func preview(of progress: SamplingProgress) throws -> Picture? { nil }

    func complete(_ receipt: inout Receipt, decodes: Bool) {
        receipt.priorGuidance = guidance
        receipt.priorCandidates = candidates == 1 ? nil : candidates
    }
}

/// Draws of an autoregressive prior: one component after the other, each from the distribution that the network gives it.
package struct AutoregressiveDraws {
    /// The network.
    let network: AutoregressivePrior
    /// The scale of classifier-free guidance on logits; 1 and below is the conditional branch alone.
    let guidance: Double

    package init(network: AutoregressivePrior, guidance: Double) {
        (self.network, self.guidance) = (network, guidance)
    }

    /// Numbers that are even in 0 … 1 of normal ones.
    package static func uniform(_ normal: Tensor) -> Tensor { ((normal / 2.0.squareRoot()).erf() + 1) / 2 }

    /// Embeddings `[rows, features]`.
    /// - Parameters:
    ///   - conditions: those of each row.
    ///   - unconditional: those without a text.
    ///   - uniform: numbers in 0 … 1, `[rows, 1 + components]`: the first decides on the cosine, the others on components.
    package func embeddings(_ conditions: Conditions, unconditional: Conditions, uniform: Tensor) -> Tensor {
        let (rows, half) = (uniform.shape[0], Double(network.configuration.buckets / 2))
        let upper = Double(network.configuration.buckets) - half
        let cosine = (uniform.select(0, of: 1) * upper + half).floor()
            .clamped(to: 0...(half + upper - 1)).to(.int64)
        var codes = Tensor.zeros([rows, 0], .int64, on: uniform.device)
        for component in 0..<network.configuration.components {
            func logits(_ conditions: Conditions) -> Tensor {
                network(codes: codes, cosine: cosine, conditions).select(component, of: 1)
            }
            var own = logits(conditions)
            if guidance > 1 { own = logits(unconditional).interpolated(to: own, weight: guidance) }
            let next = Self.code(own.to(.float32), uniform.select(component + 1, of: 1).to(.float32))
            codes = concatenated([codes, next.unsqueezed(1)], along: 1)
        }
        return network.quantizer.embeddings(of: codes)
    }

    /// The bucket of each row in which the sum of probabilities passes a number in 0 … 1.
    package static func code(_ logits: Tensor, _ uniform: Tensor) -> Tensor {
        let sums = logits.softmax().cumulativeSum(1)
        return (sums .<= uniform.unsqueezed(1)).to(.int64).sum([1])
            .clamped(to: 0...Double(logits.shape[1] - 1)).to(.int64)
    }
}
