import Diffusers
import Diffusion
import Layers
import Networks
import Pictures
import Tensors

extension LatentStage {
    package func load(_ say: @escaping (Sentence) -> Void) throws -> SamplingLoop.Begin {
        if try model.source.className(of: "safety_checker") != nil {
            say("note: the model's safety_checker is not run; look at pictures before you show them")
        }
        // What these are made by goes before the network comes.
        let inputs = try assembly.batchInputs(of: self, say)
        let images = try imagePrompts(say)
        let controls = try LoadedControls(of: self, say)
        let denoiser = try guidedDenoisers(say)
        let reference = try self.reference(say)
        return { pictures, noise, own in
            // diffusers' pipelines draw for these before they draw latents.
            let inputs = try inputs?(pictures, noise) ?? BatchInputs()
            return try beginning(pictures, noise, reference, own) {
                let calls = controls.map(ControlledCalls.init)
                let guided = denoiser(
                    pictures,
                    BatchInputs(
                        beside: $0 ?? inputs.beside, conditions: inputs.conditions ?? images,
                        control: calls))
                return calls?.counting(guided) ?? guided
            }
        }
    }

    // MARK: Denoising

    package func denoisers(_ say: @escaping (Sentence) -> Void) throws -> BranchDenoisers {
        let (phases, ofStep) = try phases()
        let conditions = try phases.map { try assembly.conditions(of: $0, say) }
        let network = try model.buildNetwork()
        return { pictures, branches, inputs in
            let denoisers = conditions.map { denoiser(network, $0, for: pictures, branches, inputs) }
            guard denoisers.count > 1 else { return denoisers[0] }
            let steps = settings.stepCount
            return Denoiser { x, level in denoisers[ofStep[min(steps.taken, ofStep.count - 1)]](x, level) }
        }
    }

    /// The network under some branches.
    private func denoiser(
        _ network: any NoiseNetwork, _ all: BranchConditions, for pictures: Range<Int>,
        _ branches: [GuidanceBranch], _ inputs: BatchInputs
    ) -> Denoiser {
        let type = model.elementType
        let rows = branches.map { branch in
            let given = inputs.conditions?.conditions(branch) ?? Conditions()
            return all.conditions(branch).with(given).rows(of: pictures, among: request.count).to(type)
        }
        var prepared = network.preparing(rows.dropFirst().reduce(rows[0]) { $0.followed(by: $1) })
        prepared[.deepFeatures] = request.deepFeatures
        let control = inputs.control?.control(under: rows, of: branches)
        let scalesBeside = Swift.type(of: assembly).scalesBeside
        return Denoiser(settings.sampler.parameterization(of: settings.process)) {
            [prepared] x, time, factor in
            let beside = inputs.beside.map { scalesBeside && factor != 1 ? $0 * factor : $0 }
            let input =
                beside.map { concatenated([x, $0.repeated(x.shape[0] / $0.shape[0])], along: 1) } ?? x
            var conditions = prepared
            conditions[.control] = control?(x.to(type), time)
            let output = network(input.to(type), time: time, conditions, dropout: nil).to(x.elementType)
            // A learned variance is left aside, as diffusers' pipelines leave it.
            return output.shape[1] == 2 * x.shape[1] ? output.chunked(2, of: 1)[0] : output
        }
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

    private func reference(_ say: @escaping (Sentence) -> Void) throws -> Encoded? {
        guard task != .enlarging else { return nil }
        switch request.reference {
        case nil: return nil
        case .latents(let latents):
            return Encoded(latents: { _ in latents.to(model.device) })
        case .picture(let picture):
            let pixels = request.opaque(picture, .reference, say)
                .fitted(to: size, .lanczos, .reference, say)
                .converted(toChannels: model.autoencoder.channels == 1 ? 1 : 3).tensor().unsqueezed(0)
            let mask = request.binaryMask(in: size, say)
            let autoencoder = try RecoveringAutoencoder(model, say: say)
            return Encoded(
                latents: encoder(autoencoder, of: pixels, "the picture"),
                masked: mask.map { encoder(autoencoder, of: pixels * (1 - $0), "the masked picture") },
                mask: mask?.resizedNearest(height: settings.sampleShape[1], width: settings.sampleShape[2])
                    .to(model.device))
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
            return assembly.scaled(latents, autoencoder.network.latentScaling, task)
        }
    }

    /// How much noise is laid on a reference beside a sample at a level. diffusers' class of stochastic Adams takes it from
    /// the table, wherever its grid has that level.
    private var referenceLevel: @Sendable (NoiseLevel) -> NoiseLevel {
        guard let used = scheduler?.configured(for: request.solver, grid: request.grid),
            used.kind == .stochasticAdams
        else { return { $0 } }
        let schedule = used.schedule
        return { level in level.time.map { schedule.level(at: $0) } ?? level }
    }

    /// Where a batch begins. The order of draws is that of diffusers' pipelines.
    /// - Parameter denoiser: the guided network, with channels that are laid beside the sample.
    private func beginning(
        _ pictures: Range<Int>, _ noise: NoiseSource, _ reference: Encoded?,
        _ own: (Tensor) -> Tensor, _ denoiser: (_ beside: Tensor?) -> Denoiser
    ) throws -> SamplingLoop.Beginning {
        let sampler = settings.sampler
        guard let reference else {
            let unit =
                request.initial.map { own($0.slice(pictures, of: 0)) } ?? noise.draw(settings.sampleShape)
            return .init(sample: assembly.start(unit, sampler), denoiser: denoiser(nil), noise: unit)
        }
        if request.inverts {
            // The mean of what the autoencoder gives: nothing of an inversion is drawn.
            let data = try own(reference.latents { .zeros(Shape([1] + $0.extents)) })
            return .init(
                sample: sampler.scaled(data.rows(of: pictures, among: request.count)), denoiser: denoiser(nil)
            )
        }
        let isWhole = task.inpaints && strength == 1
        let level = referenceLevel(sampler.grid.steps[0].from)
        var data: Tensor?
        if !isWhole || task == .restoredInpainting { data = try own(reference.latents(noise.draw)) }
        if request.denoisingStart != nil, let data, !task.inpaints {
            return .init(sample: data.rows(of: pictures, among: request.count), denoiser: denoiser(nil))
        }
        let unit = noise.draw(settings.sampleShape)
        data = data?.rows(of: pictures, among: request.count)
        let sample =
            isWhole
            ? sampler.scaled(unit) : data.map { ($0 * level.alpha).adding(unit, scale: level.sigma) } ?? unit
        let masked = try reference.masked.map { try own($0(noise.draw)) }
        guard let mask = reference.mask.map(own), let masked else {
            return .init(sample: sample, denoiser: denoiser(nil))
        }
        guard task == .shownInpainting else {
            let known = data.map {
                KnownRegion(data: $0, noise: unit, mask: mask, level: referenceLevel)
            }
            return .init(sample: sample, denoiser: denoiser(nil), known: known)
        }
        let beside = concatenated(
            [mask.expanded(to: [masked.shape[0], 1, mask.shape[2], mask.shape[3]]), masked], along: 1)
        return .init(sample: sample, denoiser: denoiser(beside))
    }
}

extension LatentStage {
    // MARK: Decoding

    /// Pictures are decoded one by one. Where float16 overflows, the autoencoder runs again in float32.
    /// - Throws: `PipelineError` where a picture is not finite even so.
    package func pictures(of latents: Tensor, _ say: @escaping (Sentence) -> Void) throws -> Tensor {
        try inference {
            let autoencoder = try RecoveringAutoencoder(model, say: say)
            return concatenated(
                try (0..<latents.shape[0]).map { index in
                    try autoencoder.finite("picture \(index)") { network, type in
                        let own = assembly.unscaled(
                            latents.slice(index..<index + 1, of: 0), network.latentScaling, task)
                        let noise = pictureNoise?[index..<index + 1]
                        return
                            (noise.map { network.decode(own.to(type), noise: $0.draw) }
                            ?? network.decode(own.to(type))).to(.float32)
                    }
                })
        }
    }
}

extension Conditions {
    /// The rows of some pictures: a part has one row for all, one for each of `count`, or one for each of these.
    func rows(of pictures: Range<Int>, among count: Int) -> Conditions {
        map { $0.rows(of: pictures, among: count) }
    }
}

extension Tensor {
    /// The rows of some pictures, of one row for all, one for each of `count`, or one for each of these.
    func rows(of pictures: Range<Int>, among count: Int) -> Tensor {
        if shape[0] == pictures.count { return self }
        if shape[0] == count { return slice(pictures, of: 0) }
        return expanded(to: Shape([pictures.count] + shape.extents.dropFirst()))
    }

    /// The tensor so many times over.
    func repeated(_ count: Int) -> Tensor {
        count == 1 ? self : concatenated(Array(repeating: self, count: count))
    }
}
