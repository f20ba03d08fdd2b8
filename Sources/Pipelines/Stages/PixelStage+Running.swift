import Diffusion
import Networks
import Pictures
import Tensors

extension PixelStage {
    package func load(_ say: @escaping (Sentence) -> Void) -> SamplingLoop.Begin {
        { pictures, noise, own in
            let request = settings.request
            let unit =
                request.initial.map { own($0.slice(pictures, of: 0)) } ?? noise.draw(settings.sampleShape)
            return .init(
                sample: settings.sampler.scaled(unit), denoiser: denoiser(for: pictures), noise: unit)
        }
    }

    /// The guided network for some of the pictures.
    private func denoiser(for pictures: Range<Int>) -> Denoiser {
        let isGuided = settings.guidance > 1
        let own = settings.labels.map { $0[pictures].map { Int64($0) } }
        let both: [Int64]? = own.map { own in
            guard isGuided, let null = model.card.nullClass else { return own }
            return Array(repeating: Int64(null), count: own.count) + own
        }
        let (network, elementType) = (model.network, model.elementType)
        var conditions = textConditions(for: pictures) ?? Conditions()
        conditions[.labels] = both.map { Tensor($0).to(model.device) }
        conditions[.deepFeatures] = settings.request.deepFeatures
        let plain = Denoiser(settings.sampler.parameterization(of: model.process)) { x, time in
            network(x.to(elementType), time: time, conditions, dropout: nil)
                .to(x.elementType)
        }
        return isGuided ? ClassifierFreeGuidance(scale: settings.guidance).denoiser(batched: plain) : plain
    }

    /// The encoded prompts of pictures, behind those of the unconditional branch where there is guidance.
    private func textConditions(for pictures: Range<Int>) -> Conditions? {
        guard let text = model.text, let prompts = settings.prompts else { return nil }
        let own = Array(prompts[pictures])
        let unwanted = Array(
            repeating: settings.request.negativePrompt ?? "", count: settings.guidance > 1 ? own.count : 0)
        return text.conditions(of: unwanted + own, on: model.device).to(model.elementType)
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
