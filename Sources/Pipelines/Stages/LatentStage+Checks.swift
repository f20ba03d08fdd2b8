import Diffusion
import Networks
import Pictures
import Tensors

extension LatentStage {
    static func task(_ assembly: some LatentAssembly, _ request: Request) throws -> LatentTask {
        let (model, takesPrompt) = (assembly.model, type(of: assembly).takesPrompt)
        if assembly.enlarges { return try enlargingTask(assembly.name, request) }
        guard request.mask != nil else { return request.reference == nil ? .text : .imageToImage }
        guard request.reference != nil else {
            throw PipelineError("\(.mask) says which part of a picture is made anew: add \(.reference)")
        }
        guard takesPrompt else {
            throw PipelineError("\(assembly.name) paints no part of a picture anew: leave out \(.mask)")
        }
        let (inputs, latents) = (model.network.channels, model.autoencoder.latentChannels)
        switch inputs {
        case latents: return .restoredInpainting
        case 2 * latents + 1: return .shownInpainting
        default:
            throw PipelineError(
                "\(assembly.name): the network takes \(inputs) channels, and inpainting needs \(latents) or \(2 * latents + 1)"
            )
        }
    }

    /// The task of a family that enlarges pictures.
    private static func enlargingTask(_ name: String, _ request: Request) throws -> LatentTask {
        guard request.reference != nil else {
            throw PipelineError("\(name) makes a larger picture of one that is there: give \(.reference)")
        }
        let others: [(RequestField, Bool)] = [
            (.mask, request.mask != nil), (.inverts, request.inverts), (.strength, request.strength != nil),
            (.denoisingStart, request.denoisingStart != nil), (.width, request.width != nil),
            (.height, request.height != nil),
        ]
        if let field = others.first(where: \.1)?.0 {
            throw PipelineError(
                "\(field): \(name) makes all of a picture anew, as many times larger as its autoencoder enlarges: leave it out"
            )
        }
        return .enlarging
    }

    static func checkPrompt(_ assembly: some LatentAssembly, _ request: Request) throws {
        let (name, model, takesPrompt) = (assembly.name, assembly.model, type(of: assembly).takesPrompt)
        guard takesPrompt == (request.prompts != nil) else {
            throw PipelineError(
                takesPrompt
                    ? "\(name) is conditioned on a text: give \(.prompts)"
                    : "\(name) is conditioned on a class or nothing, not on a text: \(leavingOut: .prompts)")
        }
        let isStart = request.reference != nil && !request.inverts && !assembly.enlarges
        if !takesPrompt, request.negativePrompt != nil || isStart {
            throw PipelineError("\(name) takes neither \(.negativePrompt) nor \(.reference): leave them out")
        }
        let foreign = RequestField.ofFewFamilies.subtracting(type(of: assembly).reads)
        if let field = request.given.intersection(foreign).min(by: { $0.name < $1.name }) {
            throw PipelineError("\(field) has no part in the pictures of \(name): leave it out")
        }
        guard (0...1).contains(request.guidanceRescale) else {
            throw PipelineError(
                "\(.guidanceRescale) is \(request.guidanceRescale): it must lie between 0 and 1")
        }
        guard (0...1000).contains(request.clipSkip) else {
            throw PipelineError("\(.clipSkip) is \(request.clipSkip): it must not be below 0")
        }
        let latents = model.autoencoder.latentChannels
        let inputs = latents + type(of: assembly).channelsBeside
        if request.mask == nil, takesPrompt, model.network.channels != inputs {
            guard inputs == latents else {
                throw PipelineError(
                    "\(model.source.path): the network takes \(model.network.channels) channels, and \(inputs) are needed: \(latents) of latents and \(inputs - latents) beside them"
                )
            }
            throw PipelineError(
                "\(name) paints parts of pictures anew (its network takes \(model.network.channels) channels, its latents have \(latents)): give \(.reference) and \(.mask)"
            )
        }
    }

    /// Throws where a family cannot follow a method of guidance.
    static func checkGuidance(_ assembly: some LatentAssembly, _ request: Request) throws {
        guard let method = request.guidanceMethod else { return }
        guard assembly.model.network.guidanceWidth == nil else {
            throw PipelineError(
                "\(.guidanceMethod): the network of \(assembly.name) is conditioned on its scale of guidance, so that no branches are mixed: leave it out"
            )
        }
        guard !type(of: assembly).takesPrompt || method.neutralBranch == .conditional else {
            throw PipelineError(
                "\(.guidanceMethod) is \(method.name), which guides the unconditional branch, and \(assembly.name) is conditioned on a text: use another"
            )
        }
    }

    static func strength(_ request: Request, _ task: LatentTask) throws -> Double? {
        if request.inverts { return nil }
        guard !task.startsFromNoise else {
            guard request.strength == nil, request.denoisingStart == nil else {
                throw PipelineError(
                    "\(.strength) and \(.denoisingStart) go with \(.reference): add it or leave them out")
            }
            return nil
        }
        guard request.denoisingStart == nil || request.strength == nil else {
            throw PipelineError("\(.strength) and \(.denoisingStart) exclude each other: keep one of them")
        }
        if request.denoisingStart != nil { return nil }
        let strength = request.strength ?? (task.inpaints ? 1 : 0.8)
        guard strength > 0, strength <= 1 else {
            throw PipelineError("\(.strength) is \(strength): it must be above 0 and at most 1")
        }
        return strength
    }

    // MARK: Sizes

    static func size(_ assembly: some LatentAssembly, _ request: Request, _ task: LatentTask) throws
        -> Request.Size
    {
        let model = assembly.model
        let factor = model.pixelsPerLatent
        if let enlarging = assembly as? any EnlargingAssembly {
            return try enlarging.enlargedSize(of: request)
        }
        if let given = latentSize(request, task) {
            let size = Request.Size(height: given.height * factor, width: given.width * factor)
            guard
                (request.height ?? size.height, request.width ?? size.width)
                    == (size.height, size.width)
            else {
                throw PipelineError(
                    "the latents that are given are those of \(size.width)×\(size.height) pixels: leave out \(.width) and \(.height)"
                )
            }
            try checkPlaces(model, size)
            return size
        }
        guard let own = model.network.pictureSize else {
            throw PipelineError(
                "\(model.source.name) does not say how large its pictures are: give \(.width) and \(.height)")
        }
        var size = Request.Size(height: own.height * factor, width: own.width * factor)
        let keepsSize = task == .imageToImage || task.inpaints && !request.controls.isEmpty
        if keepsSize, assembly.keepsReferenceSize,
            case .picture(let picture) = request.reference
        {
            guard min(picture.height, picture.width) >= factor else {
                throw PipelineError(
                    "\(.reference) has \(picture.width)×\(picture.height) pixels, and \(model.source.name) needs \(factor) a side at least: enlarge it"
                )
            }
            size = .init(height: picture.height / factor * factor, width: picture.width / factor * factor)
        }
        // Control pictures decide as pictures that are changed do.
        let isControl = task == .text && assembly.keepsReferenceSize && !request.controls.isEmpty
        let isPictures = request.height == nil && request.width == nil && (keepsSize || isControl)
        if isControl, let given = request.controls.first?.size {
            let unit = request.controls.map(\.network.sizeMultiple).reduce(factor, max)
            size = .init(
                height: max(given.height / unit, 1) * unit, width: max(given.width / unit, 1) * unit)
        }
        size.height = request.height ?? size.height
        size.width = request.width ?? size.width
        try request.check(
            height: size.height, width: size.width,
            from: isPictures ? "\(task == .text ? .control : .reference)" : "\(model.source.name)",
            multiple: isPictures ? factor : assembly.sizeMultiple, of: "model")
        try checkPlaces(model, size)
        return size
    }

    /// The size of latents that a request brings along.
    private static func latentSize(_ request: Request, _ task: LatentTask) -> (height: Int, width: Int)? {
        if case .latents(let latents) = request.reference, latents.rank == 4 {
            return (latents.shape[2], latents.shape[3])
        }
        guard let initial = request.initial, initial.rank == 4, task == .text else { return nil }
        return (initial.shape[2], initial.shape[3])
    }

    /// A transformer with a table of places knows no larger pictures.
    private static func checkPlaces(_ model: LatentModel, _ size: Request.Size) throws {
        guard let most = model.network.largestSide else { return }
        let limit = most * model.pixelsPerLatent
        guard max(size.height, size.width) <= limit else {
            throw PipelineError(
                "\(size.width)×\(size.height) pixels are more than \(model.source.name) has places for: at most \(limit) a side"
            )
        }
    }

    func checkReference(_ latents: Tensor) throws {
        try Request.check(initial: latents, .reference)
        let isShown = task == .enlarging
        // An upscaler goes on with the pictures of another model, which lie beside its latents.
        let needed = isShown ? Shape([3] + settings.sampleShape.extents.dropFirst()) : settings.sampleShape
        guard isShown || task == .imageToImage, latents.rank == 4,
            [1, request.count].contains(latents.shape[0]),
            Shape(Array(latents.shape.extents.dropFirst())) == needed
        else {
            throw PipelineError(
                "\(.reference) holds \(isShown ? "pictures" : "latents") of shape \(latents.shape): \(needed) for each picture, and no \(.mask), are needed"
            )
        }
    }

    func checkInitial(_ initial: Tensor) throws {
        try Request.check(initial: initial)
        guard task.startsFromNoise else {
            throw PipelineError(
                "\(.initial) stands in for the noise of a start without \(.reference): leave out one of them")
        }
        let needed = Shape([request.count] + settings.sampleShape.extents)
        guard initial.shape == needed else {
            throw PipelineError("\(.initial) holds latents of shape \(initial.shape): \(needed) is needed")
        }
    }

    // MARK: Classes

    static func labels(_ model: LatentModel, _ request: Request, _ guidance: GuidanceSettings) throws
        -> [Int]?
    {
        if let labels = try StageSettings.classifierLabels(request) {
            guard model.labelCount == nil || model.nullLabel != nil else {
                throw PipelineError(
                    "\(model.source.name) has no unconditional branch that a classifier could guide: use another \(.guidanceMethod)"
                )
            }
            return labels
        }
        guard let count = model.labelCount else {
            guard request.classes == nil else {
                throw PipelineError("\(model.source.name) knows no classes: leave out \(.classes)")
            }
            return nil
        }
        if request.classes == nil, let null = model.card.nullClass {
            // Trained here, without a class as well.
            guard !guidance.branches.contains(.unconditional) else {
                throw PipelineError("\(request.guidanceField) needs a class to guide to: add \(.classes)")
            }
            return Array(repeating: null, count: request.count)
        }
        return try request.labels(of: count, model: model.source.name)
    }
}
