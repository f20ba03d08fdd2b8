import Diffusion
import Networks
import Tensors

extension SamplingPlan {
    /// Draws the pictures.
    ///
    /// - Parameters:
    ///   - onStep: gets every step of every batch: the pictures done before this batch, and where it is; what it throws
    ///     ends the run.
    ///   - onNoise: gets the unit noise that a batch starts from.
    /// - Returns: `[count, channels, height, width]`, in the model's `dataRange` where it keeps its data there.
    /// - Throws: `PipelineError` where a sample is not finite; `TensorError` where arithmetic failed.
    public func run(
        onStep: (_ picturesDone: Int, SamplingProgress) throws -> Void = { _, _ in },
        onNoise: (Tensor) -> Void = { _ in }
    ) throws -> Tensor {
        let loop = SamplingLoop(
            sampler, request, batchSize: 64, network: model.elementType, on: model.device)
        return try loop.run(
            begin: { pictures, noise in
                let unit = request.initial.map { loop.own($0.slice(pictures, of: 0)) } ?? noise.draw(shape)
                onNoise(unit)
                return .init(sample: sampler.scaled(unit), denoiser: denoiser(for: pictures))
            }, onStep: onStep)
    }

    private func denoiser(for pictures: Range<Int>) -> Denoiser {
        let isGuided = guidance > 1
        let own = labels.map { $0[pictures].map { Int64($0) } }
        let both: [Int64]? = own.map { own in
            guard isGuided, let null = model.card.nullClass else { return own }
            return Array(repeating: Int64(null), count: own.count) + own
        }
        let (network, elementType) = (model.network, model.elementType)
        var conditions = textConditions(for: pictures) ?? Conditions()
        conditions[.labels] = both.map { Tensor($0).to(model.device) }
        conditions[.deepFeatures] = request.deepFeatures
        let plain = Denoiser(sampler.parameterization(of: model.process)) { x, time in
            network(x.to(elementType), time: time, conditions, dropout: nil)
                .to(x.elementType)
        }
        return isGuided ? ClassifierFreeGuidance(scale: guidance).denoiser(batched: plain) : plain
    }

    /// The encoded prompts of pictures, behind those of the unconditional branch where there is guidance.
    private func textConditions(for pictures: Range<Int>) -> Conditions? {
        guard let text = model.text, let prompts else { return nil }
        let own = Array(prompts[pictures])
        let unwanted = Array(repeating: request.negativePrompt ?? "", count: guidance > 1 ? own.count : 0)
        return text.conditions(of: unwanted + own, on: model.device).to(model.elementType)
    }
}

extension SamplingPlan {
    /// Samples with the model's range of data stretched to −1 … 1, as pictures are made of them.
    public func pictures(of samples: Tensor) -> Tensor {
        let range = model.dataRange
        guard range != -1...1 else { return samples }
        let (centre, half) = (
            (range.lowerBound + range.upperBound) / 2, (range.upperBound - range.lowerBound) / 2
        )
        return (samples - centre) / half
    }
}
