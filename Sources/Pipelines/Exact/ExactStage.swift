import Diffusers
import Diffusion
import Pictures
import Storage
import Tensors

/// A request to an exact model, checked and resolved: nothing is left to default.
package struct ExactStage: Stage {
    let model: AnalyticModel
    package var settings: StageSettings

    private var request: Request { settings.request }

    /// Checks a request.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    init(_ assembly: ExactAssembly, _ request: Request) throws {
        let model = assembly.model
        try request.check(reads: Self.fields(of: request), "means nothing to an analytic model")
        try request.checkRanges(most: 10_000_000)
        let steps = request.steps ?? 50
        try Request.check(steps: steps)
        let dimension = model.mixture.dimension
        try request.checkPoints(of: model.name)
        let (beginning, field) = request.beginning
        if let beginning {
            try Request.check(initial: beginning, field)
            let wanted: Shape = [request.count, dimension]
            guard beginning.shape == wanted else {
                throw PipelineError("\(field) holds latents of shape \(beginning.shape): \(wanted) is needed")
            }
        }
        let sampler = try model.process.sampler(
            request.solver, steps: steps, grid: request.grid, options: request.samplerOptions)
        // Classes of diffusers have data from what is predicted; other processes take both from the exact model.
        if case .scheduler = model.process { try sampler.check(model.prediction, isExact: true) }
        if let variance = sampler.learnedVariance {
            throw PipelineError(
                "variance_type is '\(variance.rawValue)', and an exact model gives no variance: use 'fixed_small' or another solver"
            )
        }
        // As many as the denoiser's [batch, K, D] stays small for.
        let most = max(1, min(4096, (1 << 24) / (model.partCount * dimension)))
        let guidance = request.guidanceSettings(usual: 1)
        self.model = model
        settings = StageSettings(
            model: model.name, request: request, sampler: sampler, steps: steps,
            words: model.process.words(for: request.solver, grid: request.grid),
            process: model.process.process, guidance: guidance, isGuided: guidance.isGuided,
            labels: try Self.labels(model, request, guidance), sampleShape: [dimension],
            batchSize: min(most, request.batchSize ?? most), elementType: assembly.elementType,
            device: assembly.device, remedy: "this solver does not fit this schedule, choose another")
        settings.exactPrediction = model.prediction
        try settings.addGuides()
        if request.inverts { try settings.invert(nil) }
    }

    /// The fields of a request that exact models read.
    private static func fields(of request: Request) -> Set<RequestField> {
        let fields: Set<RequestField> = [
            .classes, .guidance, .guidanceMethod, .guidanceInterval, .guidanceSchedule, .guidanceRescale,
            .negativeWeight, .guide, .classifier, .inverts,
        ]
        return request.inverts ? fields.union([.reference]) : fields
    }

    /// The Gaussian of each sample, or the class that a classifier guides it to.
    private static func labels(_ model: AnalyticModel, _ request: Request, _ guidance: GuidanceSettings)
        throws -> [Int]?
    {
        if let labels = try StageSettings.classifierLabels(request) { return labels }
        if request.classes != nil { return try request.labels(of: model.partCount, model: model.name) }
        guard !guidance.branches.contains(.unconditional) else {
            throw PipelineError(
                "\(request.guidanceField) needs a class to guide to, one of the Gaussians: add \(.classes)")
        }
        return nil
    }

    package func check(decodes: Bool) throws {
        let (count, dimension) = (Double(request.count), Double(model.mixture.dimension))
        try MemoryNeed(
            "keeping \(request.count) samples of \(model.mixture.dimension) numbers",
            bytes: settings.elementType.byteCount(count * dimension),
            remedy: "ask for fewer, in several calls with seeds of their own"
        ).check(on: settings.device)
        try settings.guides.guide?.check(decodes: false)
    }

    package func digests(decodes: Bool) -> ModelDigests {
        ModelDigests(ModelRecord(name: model.name, hash: model.digest))
    }

    package func load(_ say: @escaping (Sentence) -> Void) throws -> SamplingLoop.Begin {
        let denoiser = try guidedDenoisers(say)
        return { samples, noise, own in
            let given = request.beginning.samples.map { own($0.slice(samples, of: 0)) }
            let unit = given ?? noise.draw(settings.sampleShape)
            return .init(
                sample: settings.sampler.scaled(unit), denoiser: denoiser(samples, BatchInputs()),
                noise: request.inverts ? nil : unit)
        }
    }

    package func denoisers(_ say: @escaping (Sentence) -> Void) -> BranchDenoisers {
        { samples, branches, _ in
            let labels = settings.labels.map { Array($0[samples]) }
            let all = branches.map { $0 == .conditional ? model.denoiser(of: labels) : model.denoiser() }
            guard all.count > 1 else { return all[0] }
            return Denoiser { x, level in
                let estimates = zip(all, x.chunked(all.count, of: 0)).map { $0($1, level) }
                return Estimate(
                    data: concatenated(estimates.map(\.data)), noise: concatenated(estimates.map(\.noise)))
            }
        }
    }

    package func pictures(of samples: Tensor, _ say: @escaping (Sentence) -> Void) -> Tensor { samples }

    package func preview(of progress: SamplingProgress) throws -> Picture? {
        try PointSheet(progress.estimate.data).picture()
    }

    package func complete(_ receipt: inout Receipt, decodes: Bool) {
        receipt.image = request.files["image"]
        receipt.schedule = model.process.name
        receipt.prediction = model.prediction.word
    }
}
