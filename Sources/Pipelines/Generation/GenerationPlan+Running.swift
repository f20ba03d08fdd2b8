import Diffusers
import Diffusion
import Layers
import Networks
import Pictures
import Tensors

extension GenerationPlan {
    /// Makes the latents.
    ///
    /// - Parameters:
    ///   - say: hears what a person should know: cut prompts, resized pictures.
    ///   - onStart: called when everything is loaded and the first step is about to be taken.
    ///   - onStep: told of every step of every batch; what it throws ends the run.
    /// - Returns: `[count, channels, height, width]`, as the sampler leaves them.
    /// - Throws: errors about files; `PipelineError` where numbers are not finite.
    public func run(
        say: @escaping (String) -> Void = { _ in }, onStart: () -> Void = {},
        onStep: (_ picturesDone: Int, SamplingProgress) throws -> Void = { _, _ in }
    ) throws -> Tensor {
        try inference {
            if try model.source.className(of: "safety_checker") != nil {
                say("note: the model's safety_checker is not run; look at pictures before you show them")
            }
            try checkMemory()
            let told = try self.told(say)
            let reference = try self.reference(say)
            let network = try model.buildNetwork()
            let loop = SamplingLoop(
                sampler, request.sampling, batchSize: 4, network: model.elementType, on: model.device)
            onStart()
            return try loop.run(
                begin: { pictures, noise in
                    let start = try self.start(pictures, noise, reference, loop)
                    let denoiser = denoiser(network, told, for: pictures, beside: start.beside)
                    return .init(sample: start.sample, denoiser: denoiser, known: start.known)
                }, onStep: onStep)
        }
    }

    // MARK: Denoising

    /// The guided network.
    /// - Parameter beside: channels that are laid beside the sample, `[1 or pictures, …]`.
    private func denoiser(
        _ network: any NoiseNetwork, _ told: Told, for pictures: Range<Int>, beside: Tensor?
    ) -> Denoiser {
        let type = model.elementType
        func rows(_ conditions: Conditions) -> Conditions {
            conditions.rows(of: pictures, among: request.sampling.count).to(type)
        }
        // The unwanted branch comes first.
        var conditions = network.preparing(
            told.unwanted.map { rows($0).followed(by: rows(told.wanted)) } ?? rows(told.wanted))
        conditions[.deepFeatures] = request.sampling.deepFeatures
        let plain = Denoiser(sampler.parameterization(of: process)) { x, time in
            let input =
                beside.map { concatenated([x, $0.repeated(x.shape[0] / $0.shape[0])], along: 1) } ?? x
            let output = network(input.to(type), time: time, conditions, dropout: nil).to(x.elementType)
            // A learned variance is left aside, as diffusers' pipelines leave it.
            return output.shape[1] == 2 * x.shape[1] ? output.chunked(2, of: 1)[0] : output
        }
        guard told.unwanted != nil else { return plain }
        let free = ClassifierFreeGuidance(scale: guidance)
        guard request.guidanceRescale > 0 else { return free.denoiser(batched: plain) }
        return free.rescaled(request.guidanceRescale, of: own.prediction).denoiser(batched: plain)
    }

    // MARK: Starting

    /// What a reference gives to every batch.
    private struct Encoded {
        /// The latents of a picture, drawn with a batch's noise; the draw is the autoencoder's.
        var latents: ((Shape) -> Tensor) throws -> Tensor
        /// The same of the picture with what is painted anew left grey.
        var masked: (((Shape) -> Tensor) throws -> Tensor)?
        /// 1 where the picture is painted anew, `[1, 1, height, width]` of latents.
        var mask: Tensor?
    }

    private struct Start {
        var sample: Tensor
        var beside: Tensor?
        var known: KnownRegion?
    }

    private func reference(_ say: @escaping (String) -> Void) throws -> Encoded? {
        switch request.reference {
        case nil: return nil
        case .latents(let latents):
            try SamplingPlan.check(initial: latents)
            return Encoded(latents: { _ in latents.to(model.device) })
        case .picture(let picture):
            let pixels = resized(opaque(picture, "--image", say), .lanczos, "--image", say)
                .converted(toChannels: 3).tensor().unsqueezed(0)
            let mask = request.mask.map {
                binary(resized(opaque($0, "--mask", say), .nearest, "--mask", say), say)
            }
            let autoencoder = try RecoveringAutoencoder(model, say: say)
            return Encoded(
                latents: encoder(autoencoder, of: pixels, "the picture"),
                masked: mask.map { encoder(autoencoder, of: pixels * (1 - $0), "the masked picture") },
                mask: mask?.resizedNearest(height: latentShape[1], width: latentShape[2]).to(model.device))
        }
    }

    private func encoder(
        _ autoencoder: RecoveringAutoencoder, of pixels: Tensor, _ subject: String
    ) -> ((Shape) -> Tensor) throws -> Tensor {
        { draw in
            // Where the autoencoder runs again, it draws what it drew.
            var drawn: Tensor?
            let latents = try autoencoder.finite("the latents of \(subject)") { network, type in
                network.latents(of: pixels.to(type).to(model.device)) { shape in
                    let noise = drawn ?? draw(Shape(Array(shape.extents.dropFirst())))
                    drawn = noise
                    return noise.to(type)
                }
            }
            let scaling = autoencoder.network.latentScaling
            // diffusers' pipeline that inpaints with SDXL takes no moments off.
            let isPlain = model.source.kind == .stableDiffusionXL && task.inpaints
            return isPlain ? latents * scaling.factor : scaling.scaled(latents)
        }
    }

    /// A picture without its alpha channel.
    private func opaque(_ picture: Picture, _ name: String, _ say: (String) -> Void) -> Picture {
        guard picture.channels == 4 else { return picture }
        if let background = request.background {
            return picture.converted(toChannels: 3, alpha: .over(background))
        }
        if picture.isTransparent {
            say(
                "note: \(name) has transparent parts; the colours stored under them count, unless --background says what they are laid on"
            )
        }
        return picture.converted(toChannels: 3)
    }

    private func resized(_ picture: Picture, _ filter: ResizeFilter, _ name: String, _ say: (String) -> Void)
        -> Picture
    {
        guard (picture.width, picture.height) != (size.width, size.height) else { return picture }
        say(
            "warning: \(name) is \(picture.width)×\(picture.height) and was resized to \(size.width)×\(size.height)"
        )
        return picture.resized(width: size.width, height: size.height, filter: filter)
    }

    /// `[1, 1, height, width]` of 0 and 1, cut at one half.
    private func binary(_ mask: Picture, _ say: (String) -> Void) -> Tensor {
        let grey = mask.converted(toChannels: 1)
        if grey.pixels.contains(where: { $0 != 0 && $0 != 255 }) {
            say("warning: --mask has greys, which were cut at one half")
        }
        return Tensor(grey.pixels.map { $0 >= 128 ? Float(1) : 0 }, shape: [1, 1, mask.height, mask.width])
    }

    /// How much noise is laid on a reference. diffusers' class of stochastic Adams takes it from the table, wherever
    /// its grid begins.
    private var startLevel: NoiseLevel {
        let level = sampler.grid.steps[0].from
        let used = own.configured(for: solver, grid: request.sampling.grid)
        guard used.kind == .stochasticAdams, let time = level.time else { return level }
        return used.schedule.level(at: time)
    }

    /// Where a batch begins. The order of draws is that of diffusers' pipelines.
    private func start(
        _ pictures: Range<Int>, _ noise: NoiseSource, _ reference: Encoded?, _ loop: SamplingLoop
    ) throws -> Start {
        guard let reference else {
            let unit =
                request.sampling.initial.map { loop.own($0.slice(pictures, of: 0)) }
                ?? noise.draw(latentShape)
            // diffusers' pipeline for class transformers leaves out the scheduler's scale.
            return Start(sample: model.source.kind == .diffusionTransformer ? unit : sampler.scaled(unit))
        }
        let isWhole = task.inpaints && strength == 1
        let level = startLevel
        var data: Tensor?
        if !isWhole || task == .restoredInpainting { data = try loop.own(reference.latents(noise.draw)) }
        if request.denoisingStart != nil, let data, !task.inpaints {
            return Start(sample: data.rows(of: pictures, among: request.sampling.count))
        }
        let unit = noise.draw(latentShape)
        data = data?.rows(of: pictures, among: request.sampling.count)
        let sample =
            isWhole
            ? sampler.scaled(unit) : data.map { ($0 * level.alpha).adding(unit, scale: level.sigma) } ?? unit
        let masked = try reference.masked.map { try loop.own($0(noise.draw)) }
        guard let mask = reference.mask.map(loop.own), let masked else { return Start(sample: sample) }
        guard task == .shownInpainting else {
            return Start(sample: sample, known: data.map { KnownRegion(data: $0, noise: unit, mask: mask) })
        }
        let beside = concatenated(
            [mask.expanded(to: [masked.shape[0], 1, mask.shape[2], mask.shape[3]]), masked], along: 1)
        return Start(sample: sample, beside: beside)
    }
}

extension GenerationPlan {
    // MARK: Decoding

    /// The pictures of latents `[count, channels, height, width]`.
    ///
    /// Pictures are decoded one by one. Where float16 overflows, the autoencoder runs again in float32.
    /// - Returns: `[count, 3, height, width]` in −1 … 1.
    /// - Throws: `PipelineError` where a picture is not finite even so.
    public func pictures(of latents: Tensor, say: @escaping (String) -> Void = { _ in }) throws -> Tensor {
        try inference {
            let autoencoder = try RecoveringAutoencoder(model, say: say)
            return concatenated(
                try (0..<latents.shape[0]).map { index in
                    try autoencoder.finite("picture \(index)") { network, type in
                        let own = unscaled(latents.slice(index..<index + 1, of: 0), network.latentScaling)
                        return network.decode(own.to(type)).to(.float32)
                    }
                })
        }
    }

    private func unscaled(_ latents: Tensor, _ scaling: LatentScaling) -> Tensor {
        // diffusers' pipeline that inpaints with Stable Diffusion 3 forgets the shift.
        if model.source.kind == .stableDiffusion3, task.inpaints { return latents / scaling.factor }
        return scaling.unscaled(latents)
    }
}

extension GenerationModel {
    /// What the autoencoder computes in.
    var autoencoderType: ElementType {
        elementType == .float16 && autoencoder.overflowsInHalf ? .float32 : elementType
    }
}

extension Conditions {
    /// The rows of some pictures: a part has one row for all, or one for each of `count`.
    fileprivate func rows(of pictures: Range<Int>, among count: Int) -> Conditions {
        map { $0.rows(of: pictures, among: count) }
    }
}

extension Tensor {
    /// The rows of some pictures, of one row for all, one for each of `count`, or one for each of these.
    fileprivate func rows(of pictures: Range<Int>, among count: Int) -> Tensor {
        if shape[0] == pictures.count { return self }
        if shape[0] == count { return slice(pictures, of: 0) }
        return expanded(to: Shape([pictures.count] + shape.extents.dropFirst()))
    }

    /// The tensor so many times over.
    fileprivate func repeated(_ count: Int) -> Tensor {
        count == 1 ? self : concatenated(Array(repeating: self, count: count))
    }
}
