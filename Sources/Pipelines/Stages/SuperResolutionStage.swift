import Checkpoints
import Diffusion
import Networks
import Pictures
import Tensors

/// The share of a run of unCLIP that enlarges small pictures: by one network in all steps but the last, and by another in
/// that. Each is a stage; the first hands on pictures that lack a step, with the small ones, enlarged, laid beside them.
struct SuperResolutionStage: Stage {
    private let model: UnCLIP
    private let isLast: Bool
    var settings: StageSettings
    var isMain: Bool { false }
    /// What the stage before left.
    private var given: Tensor?

    private var part: ModelComponent { isLast ? .superResolutionLast : .superResolutionFirst }
    private let upscalers: (first: UNet2DConfiguration, last: UNet2DConfiguration)
    private var configuration: UNet2DConfiguration { isLast ? upscalers.last : upscalers.first }

    /// Checks a request.
    /// - Parameter isLast: whether it takes the last step; all others otherwise.
    /// - Throws: `PipelineError` or `DiffusionError`, one sentence that says what to change.
    init(_ model: UnCLIP, _ request: Request, isLast: Bool) throws {
        guard let upscalers = model.upscalers else {
            preconditionFailure("\(model.name) has nothing that enlarges pictures")
        }
        (self.model, self.isLast, self.upscalers) = (model, isLast, upscalers)
        let process = try model.process(.superResolutionScheduler)
        let steps = request.upscaleSteps ?? 7
        guard (2...StepGrid.maximalCount).contains(steps) else {
            throw PipelineError(
                "\(.upscaleSteps) is \(steps): give 2 (a network has the last step for itself) to \(StepGrid.maximalCount)"
            )
        }
        var sampler = try process.sampling.sampler(nil, steps: steps, grid: nil, options: SamplerOptions())
        sampler.grid = isLast ? sampler.grid.dropping(first: steps - 1) : sampler.grid.prefix(steps - 1)
        let size = try model.size(of: upscalers.first.sampleSize, .superResolutionFirst)
        let shape = Shape([upscalers.first.inChannels / 2, size, size])
        var own = request
        own.guidance = nil
        settings = StageSettings(
            model: model.source.name, request: own, sampler: sampler, steps: steps,
            words: process.sampling.words(for: nil, grid: nil), process: process,
            guidance: GuidanceSettings(), isGuided: false, sampleShape: shape, pictureShape: shape,
            batchSize: request.batchSize ?? 4, elementType: model.options.elementType,
            device: model.options.device)
        try model.check(
            sampler, process, channels: shape[0], outputs: configuration.outChannels, part)
    }

    // MARK: Before the run

    func check(decodes: Bool) throws {
        try model.source.check(UNet2D.self, part)
        try model.checkMemory(NetworkConfiguration(configuration), settings)
    }

    func digests(decodes: Bool) throws -> ModelDigests { try ModelDigests(model.source, [part]) }

    // MARK: The run

    func starting(from samples: Tensor) -> any Stage {
        var stage = self
        let (height, width) = (settings.sampleShape[1], settings.sampleShape[2])
        stage.given = isLast ? samples : samples.resizedSmoothly(height: height, width: width)
        return stage
    }

    func load(_ say: @escaping (Sentence) -> Void) throws -> SamplingLoop.Begin {
        let denoiser = try guidedDenoisers(say)
        guard let given else { preconditionFailure("enlarging begins with the pictures of another stage") }
        return { pictures, noise, own in
            let rows = own(given.slice(pictures, of: 0))
            guard !isLast else {
                let halves = rows.chunked(2, of: 1)
                return .init(sample: halves[0], denoiser: denoiser(pictures, BatchInputs(beside: halves[1])))
            }
            let unit = noise.draw(settings.sampleShape)
            return .init(
                sample: settings.sampler.scaled(unit),
                denoiser: denoiser(pictures, BatchInputs(beside: rows)),
                noise: unit, finish: { concatenated([$0, rows], along: 1) })
        }
    }

    func denoisers(_ say: @escaping (Sentence) -> Void) throws -> BranchDenoisers {
        let network = try model.source.build(
            UNet2D.self, part, elementType: settings.elementType, on: settings.device)
        return BranchedNetwork(network: network.replayed(on: settings.device), settings: settings).denoiser
    }

    func pictures(of samples: Tensor, _ say: @escaping (Sentence) -> Void) -> Tensor { samples }

    func preview(of progress: SamplingProgress) throws -> Picture? {
        try Picture.sheet(of: progress.estimate.data.to(.float32))
    }

    func complete(_ receipt: inout Receipt, decodes: Bool) {
        receipt.upscaleSteps = settings.steps
        // The pictures are those of the last stage.
        (receipt.width, receipt.height) = (settings.sampleShape[2], settings.sampleShape[1])
    }
}
