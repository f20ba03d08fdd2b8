import Checkpoints
import Diffusers
import Diffusion
import Networks
import Storage
import Tensors

/// unCLIP's prior by itself, as training writes one: from texts to CLIP's embeddings of pictures, at the length √features. It
/// draws embeddings; a decoder that is given it (`Request.Embeddings.prior`) makes pictures of them.
///
/// On disk it is a folder like those of the diffusers layout: `prior/`, by diffusion or autoregressive, `text_encoder/` and
/// `tokenizer/` of the CLIP, `prior_scheduler/` of a diffusion prior, and the card `langevin.json`.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125), section 2.2.
package struct UnCLIPPrior: StoredAssembly {
    package static let classNames = [ModelLayout.priorPipeline]
    package static let family = "unclip-prior"
    package static let networkComponent = ModelComponent.prior

    private let source: ModelSource
    private let options: ModelOptions
    private let card: ModelCard
    private let isAutoregressive: Bool
    /// Features of the embeddings.
    private let features: Int

    package init(_ source: ModelSource, _ options: ModelOptions) throws {
        guard options.memory == MemoryOptions(), options.prediction == nil else {
            throw PipelineError(
                options.prediction == nil
                    ? "\(.memory) keeps models of latents small, and \(source.name) makes embeddings: leave it out"
                    : "\(source.name) says itself what it predicts: leave out \(.prediction)")
        }
        (self.source, self.options, card) = (source, options, try source.card())
        let object = try source.configuration(of: .prior)
        isAutoregressive = try KnownNetworks.name(in: object) == AutoregressivePrior.className
        features = try source.explaining(.prior) { [isAutoregressive] in
            try isAutoregressive
                ? AutoregressivePrior.configuration(object).embeddingDim
                : PriorTransformer.configuration(object).outputWidth
        }
    }

    package var name: String { source.name }
    package var classCount: Int? { nil }
    package var takesPrompt: Bool { true }

    package func bare() throws -> BareModel {
        throw PipelineError(
            "\(name) makes embeddings of texts, and this is for models of pixels, of points, and exact ones")
    }

    /// The embeddings of texts by themselves: steps and guidance of the request are the prior's then.
    package func stages(_ request: Request) throws -> [any Stage] {
        guard request.prompts != nil else {
            throw PipelineError("\(name) is conditioned on a text: give \(.prompts)")
        }
        try request.check(
            reads: [.prompts, .guidance, .priorSteps, .priorGuidance, .priorCandidates],
            "has no part in \(name), which makes embeddings of texts")
        try request.checkRanges()
        var own = request
        own.priorSteps = request.priorSteps ?? request.steps
        own.priorGuidance = request.priorGuidance ?? request.guidance
        return [try embeddingStage(own)]
    }

    /// What makes embeddings of the texts of a request.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    func embeddingStage(_ request: Request) throws -> any Stage {
        guard isAutoregressive else {
            return try PriorStage(
                source, options, request, encoder: .textEncoder, holdsToGrid: true, scalesTexts: true,
                card: card)
        }
        guard request.priorSteps == nil else {
            throw PipelineError(
                "\(.priorSteps) has no part in \(name), an autoregressive prior, which makes one component after the other: leave it out"
            )
        }
        return try AutoregressivePriorStage(source, options, request, card: card)
    }

    /// Throws where a decoder does not take its embeddings.
    /// - Parameters:
    ///   - decoder: where the decoder's parts are.
    ///   - features: those of the embeddings that it takes.
    func check(goesWith decoder: ModelSource, features wanted: Int) throws {
        guard features == wanted else {
            throw PipelineError(
                "\(.prior): \(name) makes embeddings of \(features) features, and \(decoder.name) takes \(wanted): give a prior of the decoder's CLIP"
            )
        }
        let encoders = try [source, decoder].map { source in
            try CLIPTextWithProjection.native(source.weights(of: .textEncoder)).valueDigest()
        }
        guard encoders[0] == encoders[1] else {
            throw PipelineError(
                "\(.prior): \(name) makes embeddings of another CLIP than \(decoder.name) was trained with: give a prior of the same CLIP"
            )
        }
    }
}
