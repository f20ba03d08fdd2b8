import Networks
import Pictures
import Tensors

extension GenerationPlan {
    static func task(_ model: GenerationModel, _ request: GenerationRequest) throws -> Task {
        guard request.mask != nil else { return request.reference == nil ? .text : .imageToImage }
        guard request.reference != nil else {
            throw PipelineError("--mask says which part of a picture is made anew: add --image")
        }
        guard model.source.kind.takesPrompt else {
            throw PipelineError("\(model.source.name) paints no part of a picture anew: leave out --mask")
        }
        let (inputs, latents) = (model.network.channels, model.autoencoder.latentChannels)
        switch inputs {
        case latents: return .restoredInpainting
        case 2 * latents + 1: return .shownInpainting
        default:
            throw PipelineError(
                "\(model.source.name): the network takes \(inputs) channels, and inpainting needs \(latents) or \(2 * latents + 1)"
            )
        }
    }

    static func checkPrompt(_ model: GenerationModel, _ request: GenerationRequest) throws {
        let (name, takesPrompt) = (model.source.name, model.source.kind.takesPrompt)
        guard takesPrompt == (request.prompt != nil) else {
            throw PipelineError(
                takesPrompt
                    ? "\(name) is asked with a text: use 'langevin generate PROMPT --model …'"
                    : "\(name) is asked with a class or nothing, not with a text: use 'langevin sample'")
        }
        if !takesPrompt, request.negativePrompt != nil || request.reference != nil {
            throw PipelineError("\(name) takes neither --negative-prompt nor --image: leave them out")
        }
        guard (0...1).contains(request.guidanceRescale) else {
            throw PipelineError(
                "--guidance-rescale is \(request.guidanceRescale): it must lie between 0 and 1")
        }
        guard (0...1000).contains(request.clipSkip) else {
            throw PipelineError("--clip-skip is \(request.clipSkip): it must not be below 0")
        }
        let latents = model.autoencoder.latentChannels
        if request.mask == nil, takesPrompt, model.network.channels != latents {
            throw PipelineError(
                "\(name) paints parts of pictures anew (its network takes \(model.network.channels) channels, its latents have \(latents)): give --image and --mask"
            )
        }
    }

    static func strength(_ request: GenerationRequest, _ task: Task) throws -> Double? {
        guard task != .text else {
            guard request.strength == nil, request.denoisingStart == nil else {
                throw PipelineError(
                    "--strength and --denoising-start go with --image: add it or leave them out")
            }
            return nil
        }
        guard request.denoisingStart == nil || request.strength == nil else {
            throw PipelineError("--strength and --denoising-start exclude each other: keep one of them")
        }
        if request.denoisingStart != nil { return nil }
        let strength = request.strength ?? (task.inpaints ? 1 : 0.8)
        guard strength > 0, strength <= 1 else {
            throw PipelineError("--strength is \(strength): it must be above 0 and at most 1")
        }
        return strength
    }

    // MARK: Sizes

    static func size(_ model: GenerationModel, _ request: GenerationRequest, _ task: Task) throws
        -> GenerationRequest.Size
    {
        let factor = model.pixelsPerLatent
        if let given = latentSize(request, task) {
            let size = GenerationRequest.Size(height: given.height * factor, width: given.width * factor)
            guard
                (request.sampling.height ?? size.height, request.sampling.width ?? size.width)
                    == (size.height, size.width)
            else {
                throw PipelineError(
                    "the latents that are given are those of \(size.width)×\(size.height) pixels: leave out --width and --height"
                )
            }
            try checkPlaces(model, size)
            return size
        }
        guard let own = model.network.pictureSize else {
            throw PipelineError(
                "\(model.source.name) does not say how large its pictures are: give --width and --height")
        }
        var size = GenerationRequest.Size(height: own.height * factor, width: own.width * factor)
        if task == .imageToImage, model.source.kind != .stableDiffusion3,
            case .picture(let picture) = request.reference
        {
            guard min(picture.height, picture.width) >= factor else {
                throw PipelineError(
                    "--image has \(picture.width)×\(picture.height) pixels, and \(model.source.name) needs \(factor) a side at least: enlarge it"
                )
            }
            size = .init(height: picture.height / factor * factor, width: picture.width / factor * factor)
        }
        let isPictures =
            request.sampling.height == nil && request.sampling.width == nil && task == .imageToImage
        size.height = request.sampling.height ?? size.height
        size.width = request.sampling.width ?? size.width
        try SamplingPlan.check(
            height: size.height, width: size.width, in: request.sampling,
            from: isPictures ? "--image" : model.source.name,
            multiple: isPictures ? factor : multiple(of: model), of: "model")
        try checkPlaces(model, size)
        return size
    }

    /// The size of latents that a request brings along.
    private static func latentSize(_ request: GenerationRequest, _ task: Task) -> (height: Int, width: Int)? {
        if case .latents(let latents) = request.reference, latents.rank == 4 {
            return (latents.shape[2], latents.shape[3])
        }
        guard let initial = request.sampling.initial, initial.rank == 4, task == .text else { return nil }
        return (initial.shape[2], initial.shape[3])
    }

    /// diffusers asks for multiples of 8 of all U-Nets, whatever their autoencoders shrink by.
    private static func multiple(of model: GenerationModel) -> Int {
        let least = model.pixelsPerLatent * model.network.sizeMultiple
        guard model.source.kind == .stableDiffusion || model.source.kind == .stableDiffusionXL else {
            return least
        }
        return least % 8 == 0 ? least : 8
    }

    /// A transformer with a table of places knows no larger pictures.
    private static func checkPlaces(_ model: GenerationModel, _ size: GenerationRequest.Size) throws {
        guard let most = model.network.largestSide else { return }
        let limit = most * model.pixelsPerLatent
        guard max(size.height, size.width) <= limit else {
            throw PipelineError(
                "\(size.width)×\(size.height) pixels are more than \(model.source.name) has places for: at most \(limit) a side"
            )
        }
    }

    func checkReference(_ latents: Tensor) throws {
        guard task == .imageToImage, latents.rank == 4,
            [1, request.sampling.count].contains(latents.shape[0]),
            Shape(Array(latents.shape.extents.dropFirst())) == latentShape
        else {
            throw PipelineError(
                "--image holds latents of shape \(latents.shape): \(latentShape) for each picture, and no --mask, are needed"
            )
        }
    }

    func checkInitial(_ initial: Tensor) throws {
        try SamplingPlan.check(initial: initial)
        guard task == .text else {
            throw PipelineError(
                "--initial stands in for the noise of a start without --image: leave out one of them")
        }
        let needed = Shape([request.sampling.count] + latentShape.extents)
        guard initial.shape == needed else {
            throw PipelineError("--initial holds latents of shape \(initial.shape): \(needed) is needed")
        }
    }

    // MARK: Classes

    static func labels(_ model: GenerationModel, _ request: GenerationRequest) throws -> [Int]? {
        guard let count = model.labelCount else {
            guard request.sampling.classes == nil else {
                throw PipelineError("\(model.source.name) knows no classes: leave out --class")
            }
            return nil
        }
        return try SamplingPlan.labels(
            request.sampling.classes, of: count, count: request.sampling.count, model: model.source.name)
    }
}

extension GenerationModel {
    /// The number of classes that a request can name, `nil` where there are none.
    var labelCount: Int? {
        classes?.classes ?? network.labels?.namedCount
    }

    /// The class that stands for none.
    var nullLabel: Int? {
        if let classes { return classes.classes - 1 }
        // diffusers' pipeline knows only the 1,000 classes of ImageNet.
        return network.labels?.nullClass.map { min(1000, $0) }
    }
}
