import Diffusion
import Layers
import Tensors

/// The one loop of all models: from where a batch begins to samples, every picture by its own stream of noise.
struct SamplingLoop {
    /// The steps, and the method that takes them.
    var sampler: Sampler
    /// The number of samples.
    var count: Int
    /// Sample i has seed + i.
    var seed: UInt64
    /// The most samples at once; they do not depend on it.
    var batchSize: Int
    /// The element type of samples.
    var elementType: ElementType
    /// Where the arithmetic runs.
    var device: Device
    /// What samples are called in messages.
    var noun = "pictures"
    /// What may help where samples are not finite.
    var remedy = "try --dtype float32, or other weights"

    /// What a batch begins with.
    struct Beginning {
        /// The samples at the level of the grid's first step.
        var sample: Tensor
        /// The guided network.
        var denoiser: Denoiser
        /// The part that is known and put back after every step.
        var known: KnownRegion?
    }

    /// A tensor as samples are kept.
    func own(_ tensor: Tensor) -> Tensor { tensor.to(elementType).to(device) }

    /// Draws all samples.
    ///
    /// - Parameters:
    ///   - begin: makes the beginning of a batch, its noise drawn from the streams of its pictures.
    ///   - onStep: told of every step of every batch; what it throws ends the run.
    /// - Returns: `[count, …]`
    /// - Throws: `PipelineError` that names step and layer where a sample is not finite.
    func run(
        begin: (Range<Int>, NoiseSource) throws -> Beginning,
        onStep: (_ picturesDone: Int, SamplingProgress) throws -> Void
    ) throws -> Tensor {
        var batches: [Tensor] = []
        let size = sampler.solver.couplesExamples ? 1 : batchSize
        for start in stride(from: 0, to: count, by: size) {
            let pictures = start..<min(start + size, count)
            try inference {
                let noise = NoiseSource(
                    seed: seed &+ UInt64(start), count: pictures.count, elementType: elementType, on: device)
                batches.append(
                    try batch(pictures, from: begin(pictures, noise), noise) { try onStep(start, $0) })
            }
        }
        return batches.count == 1 ? batches[0] : concatenated(batches)
    }

    private func batch(
        _ pictures: Range<Int>, from beginning: Beginning, _ noise: NoiseSource,
        onStep: (SamplingProgress) throws -> Void
    ) throws -> Tensor {
        let sampler = beginning.known.map(self.sampler.restoring) ?? self.sampler
        let denoiser = sampler.ranged(beginning.denoiser)
        var sample = beginning.sample
        let steps = sampler.solver.sampling(sample, through: sampler.grid, denoiser: denoiser, noise: noise)
        for progress in steps {
            guard try progress.sample.isFinite().all().item(Bool.self) else {
                throw try notFinite(pictures, progress) {
                    try denoiser(sample, sampler.grid.steps[progress.stepsDone - 1].from).data.rethrow()
                }
            }
            sample = progress.sample
            try onStep(progress)
        }
        return sample
    }

    private func notFinite(
        _ pictures: Range<Int>, _ progress: SamplingProgress, again body: () throws -> Void
    ) throws -> PipelineError {
        let layer = try LayerWatch.firstNonFiniteLayer(in: body)
        let place = layer.map { "; the first came out of the layer '\($0)'" } ?? ""
        return PipelineError(
            "\(noun) \(pictures.lowerBound) to \(pictures.upperBound - 1) hold numbers that are not finite after step \(progress.stepsDone) of \(progress.stepCount)\(place): \(remedy)"
        )
    }
}

extension SamplingLoop {
    /// The loop of a request to a network that computes in `type`, with a batch size where the request says none.
    /// Samples stay in float32 where the network computes in half precision.
    init(
        _ sampler: Sampler, _ request: SamplingRequest, batchSize: Int, network type: ElementType,
        on device: Device
    ) {
        self.init(
            sampler: sampler, count: request.count, seed: request.seed,
            batchSize: request.batchSize ?? batchSize, elementType: type == .float64 ? .float64 : .float32,
            device: device)
    }
}
