import Diffusion
import Networks
import Pictures
import Tensors

extension PixelStage {
    package func load(_ say: @escaping (Sentence) -> Void) throws -> SamplingLoop.Begin {
        let denoiser = try guidedDenoisers(say)
        let (small, known) = (smallPictures(say), knownPicture(say))
        let reference = try small == nil && known == nil ? reference(say) : nil
        warnOfCutPrompts(say)
        return { pictures, noise, own in
            let (request, sampler) = (settings.request, settings.sampler)
            if let reference {
                return beginning(pictures, noise, reference, own, denoiser(pictures, BatchInputs()))
            }
            let unit =
                request.initial.map { own($0.slice(pictures, of: 0)) } ?? noise.draw(settings.sampleShape)
            var inputs = BatchInputs()
            inputs.beside = small.map { besides($0, pictures, noise, own) }
            inputs.known = known.map { KnownPicture(data: own($0.data), mask: own($0.mask)) }
            let guided = denoiser(pictures, inputs)
            let restored = inputs.known.map { guided.knowing($0.data, mask: $0.mask) } ?? guided
            return .init(sample: sampler.scaled(unit), denoiser: restored, noise: unit)
        }
    }

    private func warnOfCutPrompts(_ say: (Sentence) -> Void) {
        guard let text = model.text, let prompts = settings.prompts else { return }
        var seen = Set<String>()
        for prompt in prompts + [settings.request.negativePrompt].compactMap(\.self)
        where seen.insert(prompt).inserted {
            if let warning = text.tokenized(prompt).warning { say("warning: \(warning)") }
        }
    }

    package func denoisers(_ say: @escaping (Sentence) -> Void) -> BranchDenoisers {
        { pictures, branches, inputs in
            let (network, elementType) = (model.network, model.elementType)
            var conditions = textConditions(for: pictures, branches) ?? Conditions()
            conditions[.numbers] = sizes(rows: pictures.count * branches.count)
            conditions[.labels] = labels(of: pictures, branches).map { Tensor($0).to(model.device) }
            conditions[.deepFeatures] = settings.request.deepFeatures
            conditions[.lowResolution] = inputs.beside.map { small in
                concatenated(branches.map { _ in small })
            }
            conditions[.noiseLevel] = noiseLevelCondition
            (conditions[.knownPicture], conditions[.mask]) = (inputs.known?.data, inputs.known?.mask)
            let prepared = network.preparing(conditions)
            return Denoiser(settings.sampler.parameterization(of: model.process)) { x, time in
                network(x.to(elementType), time: time, prepared, dropout: nil)
                    .to(x.elementType)
            }
        }
    }

    /// The classes of pictures under branches; `nil` where the network is conditioned on none.
    private func labels(of pictures: Range<Int>, _ branches: [GuidanceBranch]) -> [Int64]? {
        guard let labels = settings.labels, model.classCount != nil else { return nil }
        return branches.flatMap { branch in
            labels[pictures].map { Int64(branch == .conditional ? $0 : model.card.nullClass ?? $0) }
        }
    }

    /// The size of the pictures as original size, nothing cut off, and target size, a row for each; `nil` where the network
    /// reads none.
    private func sizes(rows: Int) -> Tensor? {
        guard model.configuration.traits.numbers != nil else { return nil }
        let size = settings.sampleShape.extents.suffix(2).map(Float.init)
        let numbers = Tensor(size + [0, 0] + size, shape: [1, 6])
        return numbers.expanded(to: [rows, 6]).to(model.device)
    }

    /// The encoded texts of pictures under branches; `nil` where the network is conditioned on none.
    private func textConditions(for pictures: Range<Int>, _ branches: [GuidanceBranch]) -> Conditions? {
        guard let text = model.text, let prompts = settings.prompts else { return nil }
        let negative = settings.request.negativePrompt ?? ""
        // A negative text takes the place of the unconditional branch, unless it has one of its own.
        let unconditional = settings.branches.contains(.negative) ? "" : negative
        let texts = branches.flatMap { branch in
            prompts[pictures].map { prompt in
                switch branch {
                case .conditional: prompt
                case .unconditional: unconditional
                case .negative: negative
                }
            }
        }
        return text.conditions(of: texts, on: model.device).to(model.elementType)
    }

    /// Samples with the model's range of data stretched to −1 … 1.
    package func pictures(of samples: Tensor, _ say: @escaping (Sentence) -> Void) -> Tensor {
        let range = model.dataRange
        guard range != -1...1 else { return samples }
        let (centre, half) = (
            (range.lowerBound + range.upperBound) / 2, (range.upperBound - range.lowerBound) / 2
        )
        return (samples - centre) / half
    }

    /// The estimate of the data.
    package func preview(of progress: SamplingProgress) throws -> Picture? {
        let data = progress.estimate.data.to(.float32)
        guard settings.pictureShape != nil else { return try PointSheet(data).picture() }
        return try Picture.sheet(of: pictures(of: data) { _ in })
    }
}
