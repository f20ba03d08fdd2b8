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
        var batches: [Tensor] = []
        let size = sampler.solver.couplesExamples ? 1 : request.batchSize
        for start in stride(from: 0, to: request.count, by: size) {
            let end = min(start + size, request.count)
            try inference { batches.append(try batch(start..<end) { try onStep(start, $0) }) }
        }
        return batches.count == 1 ? batches[0] : concatenated(batches)
    }

    private func batch(_ pictures: Range<Int>, onStep: (SamplingProgress) throws -> Void) throws -> Tensor {
        // The state stays in float32 where the network computes in half precision.
        let wide: ElementType = model.elementType == .float64 ? .float64 : .float32
        let noise = NoiseSource(
            seed: request.seed &+ UInt64(pictures.lowerBound), count: pictures.count, elementType: wide,
            on: model.device)
        let start =
            request.initial.map { $0.slice(pictures, of: 0).to(wide).to(model.device) } ?? noise.draw(shape)
        let steps = sampler.sampling(start, denoiser: denoiser(for: pictures), source: noise)
        var sample = start
        for progress in steps {
            sample = progress.sample
            try onStep(progress)
        }
        guard try sample.isFinite().all().item(Bool.self) else {
            throw PipelineError(
                "pictures \(pictures.lowerBound) to \(pictures.upperBound - 1) hold numbers that are not finite: try --dtype float32, or other weights"
            )
        }
        return sample
    }

    private func denoiser(for pictures: Range<Int>) -> Denoiser {
        let guided = ClassifierFreeGuidance(scale: guidance)
        let own = labels.map { $0[pictures].map { Int64($0) } }
        let told: [Int64]? = own.map { own in
            guard guided.needsUnconditional, let null = model.card.nullClass else { return own }
            return Array(repeating: Int64(null), count: own.count) + own
        }
        let labels = told.map { Tensor($0).to(model.device) }
        let (network, elementType) = (model.network, model.elementType)
        let plain = Denoiser(model.scheduler.prediction, preconditioning: preconditioning) { x, time in
            network(x.to(elementType), time: time, Conditions(labels: labels), dropout: nil)
                .to(x.elementType)
        }
        return guided.needsUnconditional ? guided.denoiser(batched: plain) : plain
    }

    /// How the network wants to be asked: as it was trained, whatever path the sampler takes.
    private var preconditioning: Preconditioning {
        let (own, isOwnTime) = (model.scheduler, scheduler.path == model.scheduler.path)
        let schedule = own.schedule
        return Preconditioning(own.path) { level in
            if isOwnTime, let time = level.time { return time }
            return own.path == .straight
                ? StraightSchedule().time(logSNR: level.logSNR) * Double(own.trainSteps)
                : schedule.time(logSNR: level.logSNR)
        }
    }
}
