import Diffusion
import Networks
import Tensors

extension SamplingPlan {
    /// Draws the pictures.
    ///
    /// - Parameter onStep: told of every step of every batch: the pictures done before this batch, and
    ///   where it is; what it throws ends the run.
    /// - Returns: `[count, channels, height, width]`, in −1 … 1 where the model keeps its data there.
    /// - Throws: `PipelineError` where a sample is not finite; `TensorError` where arithmetic failed.
    public func run(onStep: (_ picturesDone: Int, SamplingProgress) throws -> Void = { _, _ in }) throws
        -> Tensor
    {
        let loop = SamplingLoop(
            sampler, request, batchSize: 64, network: model.elementType, on: model.device)
        return try loop.run(
            begin: { pictures, noise in
                let unit = request.initial.map { loop.own($0.slice(pictures, of: 0)) } ?? noise.draw(shape)
                return .init(sample: sampler.scaled(unit), denoiser: denoiser(for: pictures))
            }, onStep: onStep)
    }

    private func denoiser(for pictures: Range<Int>) -> Denoiser {
        let isGuided = guidance > 1
        let own = labels.map { $0[pictures].map { Int64($0) } }
        let told: [Int64]? = own.map { own in
            guard isGuided, let null = model.card.nullClass else { return own }
            return Array(repeating: Int64(null), count: own.count) + own
        }
        let labels = told.map { Tensor($0).to(model.device) }
        let (network, elementType) = (model.network, model.elementType)
        var conditions = Conditions(labels: labels)
        conditions[.deepFeatures] = request.deepFeatures
        let plain = Denoiser(
            model.scheduler.prediction, preconditioning: model.scheduler.preconditioning(sampledAs: scheduler)
        ) { x, time in
            network(x.to(elementType), time: time, conditions, dropout: nil)
                .to(x.elementType)
        }
        return isGuided ? ClassifierFreeGuidance(scale: guidance).denoiser(batched: plain) : plain
    }
}

extension SchedulerConfiguration {
    /// This process as a network is sampled on it: by diffusers' tables, unless it computes in float64.
    /// - Throws: `PipelineError` where networks of this process are not sampled here.
    func forNetwork(of model: String, in elementType: ElementType) throws -> SchedulerConfiguration {
        guard path != .varianceExploding else {
            throw PipelineError("\(model): networks for \(kind.rawValue) are not sampled here")
        }
        var own = self
        own.hasSingleTables = elementType != .float64
        return own
    }

    /// How a network of this process wants to be asked: as it was trained, whatever path the sampler takes.
    func preconditioning(sampledAs sampled: SchedulerConfiguration) -> Preconditioning {
        let (own, isOwnTime, schedule) = (self, sampled.path == path, self.schedule)
        return Preconditioning(path) { level in
            if isOwnTime, let time = level.time { return time }
            return own.path == .straight
                ? StraightSchedule().time(logSNR: level.logSNR) * Double(own.trainSteps)
                : schedule.time(logSNR: level.logSNR)
        }
    }
}
