import Diffusion
import Layers
import Networks
import Tensors

extension GenerationPlan {
    /// What the network is told under the wanted and the unwanted condition; one row, or one a picture.
    struct Told {
        var wanted: Conditions
        /// `nil` without guidance.
        var unwanted: Conditions?
    }

    /// What the network is told: encoded prompts, sizes, classes.
    /// - Throws: an error about the files, the prompt's encoders or what does not fit the network.
    func told(_ say: @escaping (String) -> Void) throws -> Told {
        switch model.source.kind {
        case .stableDiffusion, .stableDiffusionXL, .stableDiffusion3: return try toldText(say)
        case .latentDiffusion: return try toldClasses()
        case .pixels, .diffusionTransformer:
            return Told(
                wanted: Conditions(labels: labels.map(labelTensor)),
                unwanted: isGuided ? nullLabels.map { Conditions(labels: $0) } : nil)
        }
    }

    // MARK: Classes

    private func labelTensor(_ labels: [Int]) -> Tensor { Tensor(labels.map { Int64($0) }).to(model.device) }

    private var nullLabels: Tensor? {
        model.nullLabel.map { labelTensor(Array(repeating: $0, count: request.sampling.count)) }
    }

    private func toldClasses() throws -> Told {
        guard let labels, model.classes != nil else {
            guard !isGuided else {
                throw PipelineError("\(model.source.name) knows no classes to guide to: leave out --guidance")
            }
            return Told(wanted: Conditions())
        }
        let table = try model.source.build(
            ClassEmbedder.self, .classEmbedder, elementType: model.elementType, on: model.device)
        return Told(
            wanted: Conditions(context: table(labelTensor(labels))),
            unwanted: isGuided ? nullLabels.map { Conditions(context: table($0)) } : nil)
    }

    // MARK: Texts

    /// From prompts to what the network is told.
    func textEncoding(_ say: @escaping (String) -> Void) -> TextEncoding {
        TextEncoding(
            source: model.source, elementType: model.elementType, device: model.device,
            matrices: model.memory.textEncoders, clipSkip: request.clipSkip,
            weighsWords: request.weighsWords, say: say)
    }

    private func toldText(_ say: @escaping (String) -> Void) throws -> Told {
        let isXL = model.source.kind == .stableDiffusionXL
        let encoding = textEncoding(say)
        // An explicit empty text is encoded; none at all can mean zeros.
        let isZero =
            try isXL && request.negativePrompt == nil
            && (model.source.setting("force_zeros_for_empty_prompt") ?? !isRefiner)
        let encodesNegative = isGuided && !isZero
        let prompts =
            [TextEncoding.Prompt(text: request.prompt ?? "")]
            + (encodesNegative
                ? [TextEncoding.Prompt(text: request.negativePrompt ?? "", isNegative: true)] : [])
        let embeddings = try encoding.embeddings(of: prompts)
        let unwanted = isGuided ? (encodesNegative ? embeddings[1] : embeddings[0].zeros) : nil
        let told = try Told(
            wanted: conditions(embeddings[0], isNegative: false),
            unwanted: unwanted.map { try conditions($0, isNegative: true) })
        try checkFit(
            context: embeddings[0].context.shape[2], pooled: embeddings[0].pooled?.shape[1] ?? 0)
        return told
    }

    private func conditions(_ embedding: TextEmbedding, isNegative: Bool) throws -> Conditions {
        var conditions = Conditions(context: embedding.context, pooledText: embedding.pooled)
        if let width = model.network.guidanceWidth {
            // Source: Luo et al. 2023 (arXiv:2310.04378), section 4.2.
            conditions[.guidance] = sinusoidalEmbedding(
                Tensor([Float((guidance - 1) * 1000)]).to(model.device), width: width, shift: 1)
        }
        if model.network.numbers != nil {
            conditions[.numbers] = try Tensor(numbers(isNegative: isNegative)).to(.float32).to(model.device)
                .unsqueezed(0)
        }
        return conditions
    }

    /// Whether the network is told a picture's beauty in place of the size that is wanted.
    private var isRefiner: Bool { get throws { try model.source.isRefiner } }

    /// Whether it is told so in this plan: from a text alone it makes pictures as the base does.
    public var readsAestheticScore: Bool { get throws { try task != .text && isRefiner } }

    /// Original size, crop, and wanted size or score.
    private func numbers(isNegative: Bool) throws -> [Double] {
        let original = request.originalSize ?? size
        let target = request.targetSize ?? size
        let sizes = [Double(original.height), Double(original.width)]
        let crop = [Double(request.crop.top), Double(request.crop.left)]
        guard try isRefiner, task != .text else {
            return sizes + crop + [Double(target.height), Double(target.width)]
        }
        return isNegative
            ? sizes + [0, 0, request.aestheticScores.unwanted]
            : sizes + crop + [request.aestheticScores.wanted]
    }

    /// Throws where text encoders and network do not belong together.
    /// - Parameters:
    ///   - context: the features of a token.
    ///   - pooled: those of a text.
    func checkFit(context: Int, pooled: Int) throws {
        let traits = model.network.traits
        for (given, feature, unit) in [(context, traits.context, "token"), (pooled, traits.pooled, "text")] {
            guard let feature, let width = feature.width, width != given else { continue }
            throw PipelineError(
                "\(model.source.path): the text encoders give \(given) features a \(unit), and the network takes \(width) (\(feature.key)): they are of different models"
            )
        }
        guard let added = traits.numbers else { return }
        let given = try pooled + numbers(isNegative: false).count * added.width
        guard given == added.total else {
            throw PipelineError(
                "\(model.source.path): the U-Net takes \(added.total) features beside the time (\(added.key)) and would get \(given): a refiner needs --image, and 'requires_aesthetics_score' in model_index.json must be right"
            )
        }
    }
}
