import Checkpoints
import Layers
import Networks
import Tensors

/// A family of models of latents that are conditioned on a text.
package protocol TextAssembly: LatentAssembly {
    /// The CLIP encoders that prompts pass through, and whether the text as a whole is projected.
    func clips() throws -> [(component: ModelComponent, isProjected: Bool)]
    /// Whether textual inversions in prompts are read.
    static var readsInversions: Bool { get }
    /// The embeddings of prompts, in their order.
    /// - Throws: an error about the files; `PipelineError` where an embedding is not finite.
    func embeddings(of prompts: [TextEncoding.Prompt], _ encoding: TextEncoding) throws -> [TextEmbedding]
    /// The features of a token and of a text; `nil` where they depend on what an absent encoder would give. Encoders and
    /// tokenizers are checked; no weights are read.
    func textWidths(_ encoding: TextEncoding) throws -> (context: Int, pooled: Int)?
    /// Whether the unconditional branch is zeros where the request has no negative prompt.
    func zeroesUnwanted() throws -> Bool
    /// What is embedded beside the time: sizes, crops, scores; `nil` where the network reads none.
    func numbers(of stage: LatentStage, isUnwanted: Bool) throws -> [Double]?
}

extension TextAssembly {
    package static var takesPrompt: Bool { true }
    package func clips() throws -> [(component: ModelComponent, isProjected: Bool)] {
        [(.textEncoder, false)]
    }
    package static var readsInversions: Bool { true }

    /// The last states of the one encoder, normed.
    package func embeddings(of prompts: [TextEncoding.Prompt], _ encoding: TextEncoding) throws
        -> [TextEmbedding]
    {
        try encoding.clip(prompts, .textEncoder, isProjected: false, leaving: 0)
    }

    package func zeroesUnwanted() throws -> Bool { false }
    package func numbers(of stage: LatentStage, isUnwanted: Bool) throws -> [Double]? { nil }

    /// diffusers wants multiples of 8 of all U-Nets, whatever their autoencoders shrink by.
    package var sizeMultiple: Int {
        let least = model.pixelsPerLatent * model.network.sizeMultiple
        return Self.networkComponent != .unet || least % 8 == 0 ? least : 8
    }

    package func conditionParts(of stage: LatentStage) throws -> [ModelComponent] {
        try [.textEncoder, .textEncoder2, .textEncoder3].filter { try model.source.has($0) }
    }

    package func textWidths(_ encoding: TextEncoding) throws -> (context: Int, pooled: Int)? {
        try encoding.checkCLIP(clips())
    }

    package func checkConditions(of stage: LatentStage) throws { try checkTexts(of: stage) }

    /// Checks text encoders and tokenizers, and that they fit the network. No weights are read.
    func checkTexts(of stage: LatentStage) throws {
        let encoding = encoding(stage) { _ in }
        if let widths = try textWidths(encoding) {
            try checkFit(stage, context: widths.context, pooled: widths.pooled)
        }
        let texts = try stage.phases().stages.flatMap {
            ($0.settings.prompts ?? []) + [$0.settings.request.negativePrompt ?? ""]
        }
        if !Self.readsInversions { try encoding.checkUndivided(texts.map { .init(text: $0) }) }
        try encoding.checkWords(in: texts, clips().map(\.component))
    }

    private func encoding(_ stage: LatentStage, _ say: @escaping (Sentence) -> Void) -> TextEncoding {
        TextEncoding(
            source: model.source, elementType: model.elementType, device: model.device,
            matrices: model.memory.textEncoders, clipSkip: stage.settings.request.clipSkip,
            weighsWords: stage.settings.request.weighsWords, readsInversions: Self.readsInversions, say: say,
            normalization: stage.settings.request.weightNormalization)
    }

    package func conditions(of stage: LatentStage, _ say: @escaping (Sentence) -> Void) throws
        -> BranchConditions
    {
        // Each text is encoded once, however many pictures have it.
        let wanted = (stage.settings.prompts ?? [""]).map { TextEncoding.Prompt(text: $0) }
        var texts: [TextEncoding.Prompt] = []
        for prompt in wanted where !texts.contains(prompt) { texts.append(prompt) }
        let unwanted = try unwantedTexts(of: stage).map { TextEncoding.Prompt(text: $0, isNegative: true) }
        let embeddings = try embeddings(of: texts + unwanted, encoding(stage, say))
        let own = TextEmbedding(
            rows: texts.count == 1
                ? [embeddings[0]] : wanted.map { embeddings[texts.firstIndex(of: $0) ?? 0] })
        var others = embeddings.dropFirst(texts.count)
        // The text of a negative branch comes last.
        let negative = stage.settings.branches.contains(.negative) ? others.popLast() : nil
        let unconditional = stage.leavesUnconditional ? others.first ?? embeddings[0].zeros : nil
        let conditions = try BranchConditions(
            wanted: conditions(of: stage, own, isUnwanted: false),
            unwanted: unconditional.map { try self.conditions(of: stage, $0, isUnwanted: true) },
            negative: negative.map { try self.conditions(of: stage, $0, isUnwanted: true) })
        try checkFit(stage, context: own.context.shape[2], pooled: own.pooled?.shape[1] ?? 0)
        return conditions
    }

    /// The texts of the branches that are led away from: the unconditional one's where it is no zeros, and the negative
    /// one's where it has a branch of its own.
    private func unwantedTexts(of stage: LatentStage) throws -> [String] {
        let negative = stage.settings.request.negativePrompt
        guard stage.leavesUnconditional else { return [] }
        // An explicit empty text is encoded; none at all can mean zeros.
        if stage.settings.branches.contains(.negative) {
            return try (zeroesUnwanted() ? [] : [""]) + [negative ?? ""]
        }
        return try negative == nil && zeroesUnwanted() ? [] : [negative ?? ""]
    }

    private func conditions(of stage: LatentStage, _ embedding: TextEmbedding, isUnwanted: Bool) throws
        -> Conditions
    {
        var conditions = Conditions(context: embedding.context, pooledText: embedding.pooled)
        if let width = model.network.guidanceWidth {
            // Source: Luo et al. 2023 (arXiv:2310.04378), section 4.2.
            conditions[.guidance] = sinusoidalEmbedding(
                Tensor([Float((stage.settings.guidance.scale - 1) * 1000)]).to(model.device), width: width,
                shift: 1)
        }
        if let numbers = try numbers(of: stage, isUnwanted: isUnwanted) {
            conditions[.numbers] = Tensor(numbers).to(.float32).to(model.device).unsqueezed(0)
        }
        return conditions
    }

    /// Throws where text encoders and network do not belong together.
    /// - Parameters:
    ///   - context: the features of a token.
    ///   - pooled: those of a text.
    private func checkFit(_ stage: LatentStage, context: Int, pooled: Int) throws {
        let traits = model.network.traits
        for (given, feature, unit) in [(context, traits.context, "token"), (pooled, traits.pooled, "text")] {
            guard let feature, let width = feature.width, width != given else { continue }
            throw PipelineError(
                "\(model.source.path): the text encoders give \(given) features a \(unit), and the network takes \(width) (\(feature.key)): they are of different models"
            )
        }
        guard let added = traits.numbers else { return }
        let count = try numbers(of: stage, isUnwanted: false)?.count ?? 0
        let given = pooled + count * added.width
        guard given == added.total else {
            throw PipelineError(
                "\(model.source.path): the U-Net takes \(added.total) features beside the time (\(added.key)) and would get \(given): a refiner needs \(.reference), and 'requires_aesthetics_score' in model_index.json must be right"
            )
        }
    }
}
