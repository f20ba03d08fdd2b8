import Diffusion
import Pictures
import Tensors

// Pictures that a model on pixels begins from: image to image, inpainting, inversion.

extension PixelStage {
    /// What a reference gives to every batch.
    struct Reference {
        /// Data in the model's range, `[1 or count, …]`.
        var data: Tensor
        /// 1 where the picture is painted anew, `[1, 1, height, width]`.
        var mask: Tensor?
    }

    /// The share of the steps that are taken from a reference on; `nil` where there is none, or its noise is wanted.
    /// - Throws: `PipelineError` where fields do not go together.
    static func strength(_ request: Request) throws -> Double? {
        guard request.reference != nil || request.mask == nil else {
            throw PipelineError("\(.mask) says which part of a picture is made anew: add \(.reference)")
        }
        guard request.reference == nil || request.initial == nil || request.inverts else {
            throw PipelineError(
                "\(.initial) stands in for the noise of a start without \(.reference): leave out one of them")
        }
        if request.mask != nil, case .latents? = request.reference {
            throw PipelineError("\(.mask) goes with a picture: give one as \(.reference), or leave it out")
        }
        let task: LatentTask =
            request.mask != nil ? .restoredInpainting : request.reference != nil ? .imageToImage : .text
        return try LatentStage.strength(request, task)
    }

    /// Checks what goes with a mask, for networks that are given the picture of which a part is made anew.
    /// - Parameter isFirst: whether no stage draws pictures before this one.
    /// - Throws: `PipelineError`, one sentence that says what to change.
    static func checkInpainting(_ model: PixelAssembly, _ request: Request, isFirst: Bool) throws {
        guard model.inpaints, request.mask != nil else { return }
        guard request.strength == nil else {
            throw PipelineError(
                "\(.strength): \(model.name) is given the picture itself and paints its masked part from noise alone: leave it out"
            )
        }
        guard !isFirst || model.configuration.traits.enlargement == nil else {
            throw PipelineError(
                "\(.mask): \(model.name) enlarges what another model has painted anew: put it behind that one (\(.following)), or leave the mask out"
            )
        }
    }

    /// Options of the sampler: the steps that a reference leaves out are skipped.
    static func options(_ request: Request, steps: Int, strength: Double?) -> SamplerOptions {
        var options = request.samplerOptions
        if let strength { options.skippedSteps = steps - Int(min(Double(steps) * strength, Double(steps))) }
        return options
    }

    /// Throws where no step is left, or the sampler cannot use what the network predicts.
    static func check(_ sampler: Sampler, _ process: Process, steps: Int) throws {
        guard !sampler.grid.steps.isEmpty else {
            throw PipelineError(
                "no step of \(steps) is left to take: give more \(.steps), or a higher \(.strength)")
        }
        try sampler.check(process.parameterization.output)
    }

    /// The request's reference with its mask; `nil` where there is none.
    func reference(_ say: @escaping (Sentence) -> Void) throws -> Reference? {
        let (request, shape) = (settings.request, settings.sampleShape)
        switch request.reference {
        case nil: return nil
        case .latents(let samples): return Reference(data: samples)
        case .picture(let picture):
            let size = Request.Size(height: shape[1], width: shape[2])
            let pixels = request.opaque(picture, .reference, say).fitted(to: size, .lanczos, .reference, say)
                .converted(toChannels: shape[0]).tensor().unsqueezed(0)
            let range = model.dataRange
            let half = (range.upperBound - range.lowerBound) / 2
            let data = range == -1...1 ? pixels : pixels * half + (range.lowerBound + half)
            return Reference(data: data, mask: request.binaryMask(in: size, say))
        }
    }

    /// The picture of which a part is made anew, in the size of the samples, for a network that takes it. Where a smaller one
    /// is enlarged, the mask is that of the smaller one, so that both stages know the same part.
    /// Source: Nichol et al. 2021 (arXiv:2112.10741), the published notebook for inpainting.
    func knownPicture(_ say: @escaping (Sentence) -> Void) -> KnownPicture? {
        let (request, shape) = (settings.request, settings.sampleShape)
        guard model.inpaints, request.mask != nil, case .picture(let picture)? = request.reference else {
            return nil
        }
        let size = Request.Size(height: shape[1], width: shape[2])
        let factor = enlarging?.factor ?? 1
        let small = Request.Size(height: size.height / factor, width: size.width / factor)
        guard let mask = request.binaryMask(in: small, say) else { return nil }
        let fitted = request.opaque(picture, .reference, say).fitted(to: size, .bicubic, .reference, say)
        return KnownPicture(
            data: fitted.converted(toChannels: shape[0]).tensor().unsqueezed(0),
            mask: factor == 1 ? mask : mask.enlargedNearest(factor))
    }

    /// Where a batch begins: at the data for an inversion, else with the noise of the first step that is left laid on them,
    /// or with noise alone where a part is painted anew from the start.
    func beginning(
        _ pictures: Range<Int>, _ noise: NoiseSource, _ reference: Reference, _ own: (Tensor) -> Tensor,
        _ denoiser: Denoiser
    ) -> SamplingLoop.Beginning {
        let sampler = settings.sampler
        let all = reference.data
        let data = own(
            all.shape[0] == 1
                ? all.expanded(to: Shape([pictures.count] + all.shape.extents.dropFirst()))
                : all.slice(pictures, of: 0))
        if settings.request.inverts { return .init(sample: sampler.scaled(data), denoiser: denoiser) }
        let unit = noise.draw(settings.sampleShape)
        let level = sampler.grid.steps[0].from
        guard let mask = reference.mask.map(own) else {
            return .init(
                sample: (data * level.alpha).adding(unit, scale: level.sigma), denoiser: denoiser)
        }
        let sample =
            strength == 1
            ? sampler.scaled(unit) : (data * level.alpha).adding(unit, scale: level.sigma)
        return .init(
            sample: sample, denoiser: denoiser, known: KnownRegion(data: data, noise: unit, mask: mask))
    }
}
