import Diffusion
import Networks
import Storage
import Tensors
import Tokenizers

extension CascadeStage {
    static func task(_ assembly: some CascadeAssembly, _ request: Request) throws -> CascadeTask {
        guard !assembly.model.enlarges || request.reference != nil else {
            throw PipelineError(
                "\(assembly.name) enlarges pictures: give \(.reference), or make it a further stage of a model that draws them (\(.following))"
            )
        }
        let (start, field) = beginning(of: request, assembly.model)
        guard request.mask != nil else { return start == nil ? .text : .imageToImage }
        guard case .picture? = start else {
            throw PipelineError(
                "\(.mask) says which part of a picture is made anew: give one as \(field)")
        }
        return .inpainting
    }

    /// The picture that samples begin with, and the field that brings it; `nil` where they begin with noise.
    static func beginning(of request: Request, _ model: CascadeModel) -> (
        picture: Request.Reference?, field: RequestField
    ) {
        model.enlarges ? (request.original, .original) : (request.reference, .reference)
    }

    /// Throws where a field has no part in a task.
    static func checkFields(_ assembly: some CascadeAssembly, _ request: Request, _ task: CascadeTask) throws
    {
        var fields: Set<RequestField> = [
            .prompts, .negativePrompt, .guidance, .guidanceMethod, .guidanceInterval, .guidanceSchedule,
            .guidanceRescale, .negativeWeight, .weighsWords, .weightNormalization, .deepFeatureInterval,
            .threshold,
        ]
        let enlarges = assembly.model.enlarges
        fields.formUnion(enlarges ? [.reference, .background, .noiseLevel] : [.guide])
        switch task {
        case .text: fields.formUnion([.height, .width])
        case .imageToImage, .inpainting:
            fields.formUnion([enlarges ? .original : .reference, .background, .strength])
            if task == .inpainting { fields.insert(.mask) }
        }
        try request.check(reads: fields, "has no part in what \(assembly.name) makes")
        for prompt in request.weighsWords ? (request.prompts ?? []) + [request.negativePrompt ?? ""] : [] {
            guard try PromptSchedule(prompt).isConstant else {
                throw PipelineError(
                    "\(assembly.name) reads prompts that stay the same at every step, and \(quoted(prompt)) changes: leave out [a:b:4] and [a|b]"
                )
            }
        }
        guard request.prompts != nil else {
            throw PipelineError("\(assembly.name) is conditioned on a text: give \(.prompts)")
        }
        try request.checkRanges()
        try request.checkDeepFeatures(of: assembly.model.network)
        guard request.guidanceMethod?.neutralBranch ?? .conditional == .conditional else {
            throw PipelineError(
                "\(.guidanceMethod) is \(request.guidanceMethod?.name ?? ""), which guides the unconditional branch, and \(assembly.name) is conditioned on a text: use another"
            )
        }
    }

    static func strength(_ request: Request, _ usual: CascadeDefaults) throws -> Double? {
        guard let strength = request.strength ?? usual.strength else { return nil }
        guard strength > 0, strength <= 1 else {
            throw PipelineError("\(.strength) is \(strength): it must be above 0 and at most 1")
        }
        return strength
    }

    static func noiseLevel(_ model: CascadeModel, _ request: Request, _ usual: CascadeDefaults) throws -> Int?
    {
        guard let augmentation = model.augmentation, let level = request.noiseLevel ?? usual.noiseLevel else {
            return nil
        }
        let most = min(augmentation.trainSteps, model.network.classCount ?? .max) - 1
        guard (0...most).contains(level) else {
            throw PipelineError("\(.noiseLevel) is \(level): \(model.name) takes 0 to \(most)")
        }
        return level
    }

    /// A variance that steps take must come from the network.
    static func checkVariance(_ model: CascadeModel, _ sampler: Sampler) throws {
        guard let variance = sampler.learnedVariance, model.network.outputChannels == model.channels else {
            return
        }
        throw PipelineError(
            "variance_type is '\(variance.rawValue)', and \(model.name) gives no channels for a variance: use 'fixed_small' or another solver"
        )
    }

    static func size(_ assembly: some CascadeAssembly, _ request: Request, _ task: CascadeTask) throws
        -> Request.Size
    {
        let model = assembly.model
        let (start, field) = beginning(of: request, model)
        var size: Request.Size
        switch (task, start) {
        case (.imageToImage, .picture(let picture)), (.inpainting, .picture(let picture)):
            size = try assembly.size(of: .init(height: picture.height, width: picture.width))
        case (.imageToImage, .latents(let pictures)) where pictures.rank == 4:
            size = .init(height: pictures.shape[2], width: pictures.shape[3])
        default:
            let own = model.network.pictureSize
            let drawn = request.initial.flatMap { $0.rank == 4 ? ($0.shape[2], $0.shape[3]) : nil }
            guard let height = request.height ?? drawn?.0 ?? own?.height,
                let width = request.width ?? drawn?.1 ?? own?.width
            else {
                throw PipelineError(
                    "\(model.name) does not say how large its pictures are: give \(.width) and \(.height)")
            }
            size = .init(height: height, width: width)
        }
        try request.check(
            height: size.height, width: size.width,
            from: task == .text ? "\(model.name)" : "\(field)",
            multiple: model.network.sizeMultiple, of: "network")
        return size
    }

    /// The model that encodes the prompts.
    static func textSource(_ model: CascadeModel, _ earlier: StageSettings?) throws -> CascadeModel {
        guard let earlier, try !model.hasTextEncoder() else { return model }
        guard let shared = earlier.textSource, try shared.hasTextEncoder() else {
            throw PipelineError(
                "\(.following): \(model.name) has no text encoder, and \(earlier.model) none that it could share: complete its folder"
            )
        }
        return shared
    }

    /// Throws where pictures of another stage are not what this one enlarges.
    func checkFit(_ earlier: StageSettings) throws {
        guard let given = earlier.pictureShape, given[0] == model.channels else {
            throw PipelineError(
                "\(.following): pictures of \(earlier.model) have \(earlier.pictureShape?[0] ?? 0) channels, and \(model.name) enlarges pictures of \(model.channels): they do not fit"
            )
        }
        let own = settings.sampleShape
        guard given[1] <= own[1], given[2] <= own[2] else {
            throw PipelineError(
                "\(.following): pictures of \(earlier.model) have \(given[2])×\(given[1]) pixels, and those of \(model.name) \(own[2])×\(own[1]): give the stages in the order in which pictures grow"
            )
        }
    }

    /// Throws where tensors are not the pictures that a field takes: those that are enlarged have any size.
    func check(_ pictures: Tensor, _ field: RequestField) throws {
        try Request.check(initial: pictures, field)
        let isEnlarged = field == .reference && model.enlarges
        let needed = isEnlarged ? "[\(model.channels), height, width]" : "\(settings.sampleShape)"
        guard pictures.rank == 4, [1, settings.count].contains(pictures.shape[0]),
            pictures.shape[1] == model.channels, pictures.shape.elementCount > 0,
            isEnlarged || Shape(Array(pictures.shape.extents.dropFirst())) == settings.sampleShape
        else {
            throw PipelineError(
                "\(field) holds pictures of shape \(pictures.shape): \(needed) for each picture is needed"
            )
        }
    }

    func checkInitial(_ initial: Tensor) throws {
        try Request.check(initial: initial)
        guard task == .text else {
            let field = Self.beginning(of: request, model).field
            throw PipelineError(
                "\(.initial) stands in for the noise of a start without \(field): leave out one of them")
        }
        let needed = Shape([settings.count] + settings.sampleShape.extents)
        guard initial.shape == needed else {
            throw PipelineError("\(.initial) holds latents of shape \(initial.shape): \(needed) is needed")
        }
    }

    package func check(decodes: Bool) throws {
        let together = settings.sampler.solver.couplesExamples ? 1 : min(settings.batchSize, settings.count)
        let needs = MemoryNeed.sampling(
            model.network, batch: settings.branches.count * together, count: settings.count,
            sample: settings.sampleShape, computing: model.elementType)
        for need in needs { try need.check(on: model.device) }
        for part in Self.unusedParts { _ = try model.source.className(of: part.name) }
        try settings.guides.guide?.check(decodes: false)
        let given = try assembly.textWidth(encoding { _ in })
        if let context = model.network.context, let width = context.width, width != given {
            throw PipelineError(
                "\(model.source.path): the text encoder\(isBorrowed ? " of \(textSource.name)" : "") gives \(given) features a token, and the network takes \(width) (\(context.key)): they are of different models"
            )
        }
        func opened<Network: DenoisingNetwork>(_ type: Network.Type) throws {
            try model.source.check(type, CascadeModel.networkComponent)
        }
        try opened(model.network.type)
    }

    private var isBorrowed: Bool { textSource.source.path != model.source.path }

    /// Parts that folders may have and that have no part in a run, each with a note.
    static var unusedParts: [(name: String, note: Sentence)] {
        [
            (
                "safety_checker",
                "note: the model's safety_checker is not run; look at pictures before you show them"
            ),
            ("watermarker", "note: the model's watermarker is not run; pictures carry no mark"),
        ]
    }

    func encoding(_ say: @escaping (Sentence) -> Void) -> TextEncoding {
        TextEncoding(
            source: textSource.source, elementType: model.elementType, device: model.device,
            matrices: model.options.memory.textEncoders, clipSkip: 0, weighsWords: request.weighsWords,
            readsInversions: false, say: say, normalization: request.weightNormalization)
    }
}
