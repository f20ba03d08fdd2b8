import Diffusion
import Networks
import Pictures
import Tensors

extension CascadeStage {
    package func load(_ say: @escaping (Sentence) -> Void) throws -> SamplingLoop.Begin {
        for part in Self.unusedParts where try model.source.className(of: part.name) != nil { say(part.note) }
        let denoisers = try guidedDenoisers(say)
        let (small, beginning) = (smallPictures(say), beginning(say))
        return { pictures, noise, own in
            func rows(_ data: Tensor) -> Tensor { own(data).rows(of: pictures, among: settings.count) }
            // A picture's stream gives the noise of the sample first, then that of what is enlarged.
            let unit = start(pictures, noise, own)
            let beside = small.map { noised(rows($0), noise) }
            let denoiser = denoisers(pictures, BatchInputs(beside: beside))
            guard let beginning else {
                return .init(sample: settings.sampler.scaled(unit), denoiser: denoiser, noise: unit)
            }
            return changed(rows(beginning.data), beginning.mask.map(own), unit, denoiser)
        }
    }

    private func start(_ pictures: Range<Int>, _ noise: NoiseSource, _ own: (Tensor) -> Tensor) -> Tensor {
        request.initial.map { own($0.slice(pictures, of: 0)) } ?? noise.draw(settings.sampleShape)
    }

    /// The picture that is enlarged, in the size of the samples, with noise.
    /// Source: Ho et al. 2021 (arXiv:2106.15282), section 3.2.
    private func noised(_ data: Tensor, _ noise: NoiseSource) -> Tensor {
        let shape = settings.sampleShape
        let enlarged = data.resizedBilinear(height: shape[1], width: shape[2], alignsCorners: true)
        guard let augmentation = model.augmentation, let noiseLevel else { return enlarged }
        let level = augmentation.schedule.level(at: Double(noiseLevel))
        return (enlarged * level.alpha).adding(noise.draw(shape), scale: level.sigma)
    }

    /// A picture with the noise of the first step that is left. Under a mask only the part that is painted anew has noise,
    /// and what is known stays as it is.
    private func changed(_ data: Tensor, _ mask: Tensor?, _ unit: Tensor, _ denoiser: Denoiser)
        -> SamplingLoop.Beginning
    {
        let level = settings.sampler.grid.steps[0].from
        let noisy = (data * level.alpha).adding(unit, scale: level.sigma)
        guard let mask else { return .init(sample: noisy, denoiser: denoiser) }
        return .init(
            sample: data + mask * (noisy - data), denoiser: denoiser,
            known: KnownRegion(data: data, noise: unit, mask: mask) { _ in .data })
    }

    // MARK: Pictures of the request

    /// What samples begin with.
    private struct Beginning {
        /// Pictures, `[1 or count, channels, height, width]`.
        var data: Tensor
        /// 1 where they are painted anew, `[1, 1, height, width]`.
        var mask: Tensor?
    }

    private func beginning(_ say: (Sentence) -> Void) -> Beginning? {
        let (start, field) = Self.beginning(of: request, model)
        switch start {
        case nil: return nil
        case .latents(let pictures): return Beginning(data: pictures)
        case .picture(let picture):
            return Beginning(
                data: tensor(fitted(request.opaque(picture, field, say), field, say)),
                mask: request.mask.map { mask($0, say) })
        }
    }

    /// What is enlarged, `[1 or count, channels, …]`, which keeps its size until it is a tensor; `nil` where nothing is.
    private func smallPictures(_ say: (Sentence) -> Void) -> Tensor? {
        guard model.enlarges else { return nil }
        switch request.reference {
        case nil: preconditionFailure("there is nothing to enlarge")
        case .latents(let pictures): return pictures
        case .picture(let picture): return tensor(request.opaque(picture, .reference, say))
        }
    }

    private func tensor(_ picture: Picture) -> Tensor {
        picture.converted(toChannels: model.channels).tensor().unsqueezed(0)
    }

    /// The mask in the size of the samples, cut at one half after it was resized.
    private func mask(_ picture: Picture, _ say: (Sentence) -> Void) -> Tensor {
        let grey = fitted(
            request.opaque(picture, .mask, say).converted(toChannels: 1), .mask, say)
        return Tensor(
            grey.pixels.map { $0 >= 128 ? Float(1) : 0 }, shape: [1, 1, grey.height, grey.width])
    }

    private func fitted(_ picture: Picture, _ name: RequestField, _ say: (Sentence) -> Void) -> Picture {
        picture.fitted(
            to: .init(height: settings.sampleShape[1], width: settings.sampleShape[2]), .bicubic, name, say)
    }

    // MARK: Denoising

    package func denoisers(_ say: @escaping (Sentence) -> Void) throws -> BranchDenoisers {
        let conditions = try conditions(say)
        let network = try model.buildNetwork()
        return { denoiser(network, conditions, for: $0, $1, beside: $2.beside) }
    }

    /// The network under some branches.
    /// - Parameter beside: the noised picture that is enlarged, for each of the pictures.
    private func denoiser(
        _ network: any NoiseNetwork, _ all: BranchConditions, for pictures: Range<Int>,
        _ branches: [GuidanceBranch], beside: Tensor?
    ) -> Denoiser {
        let type = model.elementType
        let rows = branches.map { all.conditions($0).rows(of: pictures, among: settings.count).to(type) }
        var conditions = network.preparing(rows.dropFirst().reduce(rows[0]) { $0.followed(by: $1) })
        conditions[.labels] = labels(rows: pictures.count * branches.count)
        conditions[.deepFeatures] = request.deepFeatures
        return Denoiser(
            settings.sampler.parameterization(of: settings.process),
            // diffusers scales the picture that is enlarged as it scales the sample.
            scaledNetwork: { x, time, factor in
                let low = beside.map { $0.repeated(x.shape[0] / $0.shape[0]) * factor }
                let input = low.map { concatenated([x, $0], along: 1) } ?? x
                return network(input.to(type), time: time, conditions, dropout: nil).to(x.elementType)
            })
    }

    /// The noise level for every row, where the network reads it.
    private func labels(rows: Int) -> Tensor? {
        guard let noiseLevel, model.network.labels != nil else { return nil }
        return Tensor(Array(repeating: Int64(noiseLevel), count: rows)).to(model.device)
    }

    /// What the network attends to under each branch. Each text is encoded once, however many pictures have it.
    private func conditions(_ say: @escaping (Sentence) -> Void) throws -> BranchConditions {
        let wanted = (settings.prompts ?? [""]).map { TextEncoding.Prompt(text: $0) }
        let hasNegative = settings.branches.contains(.negative)
        let negative = TextEncoding.Prompt(text: request.negativePrompt ?? "", isNegative: true)
        // A negative text takes the place of the unconditional branch, unless it has one of its own.
        let unwanted = hasNegative ? TextEncoding.Prompt(text: "", isNegative: true) : negative
        var texts: [TextEncoding.Prompt] = []
        let leavesUnconditional = settings.branches.contains(.unconditional)
        for text in wanted + (leavesUnconditional ? [unwanted] : []) + (hasNegative ? [negative] : [])
        where !texts.contains(text) {
            texts.append(text)
        }
        let contexts = try assembly.contexts(of: texts, encoding(say))
        func conditions(_ prompts: [TextEncoding.Prompt]) -> Conditions {
            let rows = prompts.compactMap { texts.firstIndex(of: $0).map { contexts[$0] } }
            let isOne = prompts.allSatisfy { $0 == prompts[0] }
            return Conditions(context: isOne ? rows[0] : concatenated(rows))
        }
        return BranchConditions(
            wanted: conditions(wanted), unwanted: leavesUnconditional ? conditions([unwanted]) : nil,
            negative: hasNegative ? conditions([negative]) : nil)
    }
}
