import Diffusers
import Diffusion
import Pictures
import Storage
import Tensors

/// A request to an exact model, checked and resolved: nothing is left to default.
package struct ExactStage: Stage {
    let model: AnalyticModel
    package let settings: StageSettings

    private var request: Request { settings.request }

    /// Checks a request.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    init(_ assembly: ExactAssembly, _ request: Request) throws {
        let model = assembly.model
        try request.check(reads: [], "means nothing to an analytic model")
        try request.checkRanges(most: 10_000_000)
        let steps = request.steps ?? 50
        try Request.check(steps: steps)
        let dimension = model.mixture.dimension
        if let initial = request.initial {
            try Request.check(initial: initial)
            let wanted: Shape = [request.count, dimension]
            guard initial.shape == wanted else {
                throw PipelineError(
                    "\(.initial) holds latents of shape \(initial.shape): \(wanted) is needed")
            }
        }
        var options = SamplerOptions()
        options.eta = request.eta
        let sampler = try model.process.sampler(
            request.solver, steps: steps, grid: request.grid, options: options)
        // Classes of diffusers have data from what is predicted; other processes take both from the exact model.
        if case .scheduler = model.process { try sampler.check(model.prediction, isExact: true) }
        if let variance = sampler.learnedVariance {
            throw PipelineError(
                "variance_type is '\(variance.rawValue)', and an exact model gives no variance: use 'fixed_small' or another solver"
            )
        }
        // As many as the denoiser's [batch, K, D] stays small for.
        let most = max(1, min(4096, (1 << 24) / (model.partCount * dimension)))
        self.model = model
        settings = StageSettings(
            model: model.name, request: request, sampler: sampler, steps: steps,
            words: model.process.words(for: request.solver, grid: request.grid),
            process: model.process.process, guidance: 1, isGuided: false, sampleShape: [dimension],
            batchSize: min(most, request.batchSize ?? most), elementType: assembly.elementType,
            device: assembly.device, remedy: "this solver does not fit this schedule, choose another")
    }

    package func check(decodes: Bool) throws {
        let (count, dimension) = (Double(request.count), Double(model.mixture.dimension))
        try MemoryNeed(
            "keeping \(request.count) samples of \(model.mixture.dimension) numbers",
            bytes: settings.elementType.byteCount(count * dimension),
            remedy: "ask for fewer, in several calls with seeds of their own"
        ).check(on: settings.device)
    }

    package func digests(decodes: Bool) -> ModelDigests {
        ModelDigests(ModelRecord(name: model.name, hash: model.digest))
    }

    package func load(_ say: @escaping (Sentence) -> Void) -> SamplingLoop.Begin {
        { samples, noise, own in
            let unit =
                request.initial.map { own($0.slice(samples, of: 0)) } ?? noise.draw(settings.sampleShape)
            return .init(
                sample: settings.sampler.scaled(unit), denoiser: model.denoiser(), noise: unit)
        }
    }

    package func pictures(of samples: Tensor, _ say: @escaping (Sentence) -> Void) -> Tensor { samples }

    package func preview(of progress: SamplingProgress) throws -> Picture? {
        try PointSheet(progress.estimate.data).picture()
    }

    package func complete(_ receipt: inout Receipt, decodes: Bool) {
        receipt.schedule = model.process.name
        receipt.prediction = model.prediction.word
    }
}
