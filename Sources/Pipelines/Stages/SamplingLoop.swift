import Diffusion
import Layers
import Tensors

/// The one loop of all models: from where each batch begins to samples, every picture by its own stream of noise. Its
/// steps are taken one by one, so that progress, previews and cancelling are the caller's `for` loop.
package struct SamplingLoop {
    /// What a batch begins with.
    package struct Beginning {
        /// The samples at the level of the grid's first step.
        var sample: Tensor
        /// The guided network.
        var denoiser: Denoiser
        /// The part that is known and put back after every step.
        var known: KnownRegion?
        /// The unit noise that the samples were made of.
        var noise: Tensor?
        /// What becomes of the samples after the last step; they stay as they are where `nil`.
        var finish: ((Tensor) -> Tensor)?
    }

    /// Makes the beginning of a batch of pictures; noise is drawn from their streams.
    package typealias Begin = (_ pictures: Range<Int>, NoiseSource, _ own: (Tensor) -> Tensor) throws ->
        Beginning

    /// A batch on its way.
    private struct Batch {
        let pictures: Range<Int>
        let denoiser: Denoiser
        let sampler: Sampler
        var sample: Tensor
        let steps: AnyIterator<SamplingProgress>
        let finish: ((Tensor) -> Tensor)?
        let noise: NoiseSource
        var stepsDone = 0
    }

    private let settings: StageSettings
    private let begin: Begin
    private var batch: Batch?
    private var begun = 0
    private var finished: [Tensor] = []
    /// The unit noise of the batches so far, where it is kept.
    private(set) var noise: [Tensor] = []
    private let keepsNoise: Bool
    /// The streams of all pictures that an earlier loop drew from; the request's own where `nil`.
    private let streams: NoiseSource?
    private let keepsStreams: Bool
    private var drawn: [NoiseSource] = []

    /// - Parameters:
    ///   - streams: the streams of all pictures that an earlier loop drew from; the request's own where `nil`.
    ///   - keepsNoise: whether the unit noise that samples start from is kept.
    ///   - keepsStreams: whether the streams are kept for what draws on from them. They need memory for each picture.
    init(
        _ settings: StageSettings, streams: NoiseSource? = nil, keepsNoise: Bool = false,
        keepsStreams: Bool = false, begin: @escaping Begin
    ) {
        (self.settings, self.begin, self.streams) = (settings, begin, streams)
        (self.keepsNoise, self.keepsStreams) = (keepsNoise, keepsStreams)
    }

    /// Takes the next step; `nil` when all samples are done.
    /// - Returns: the pictures that were done before this batch, and where the batch is.
    /// - Throws: `PipelineError` that names step and layer where a sample is not finite.
    mutating func next() throws -> (picturesDone: Int, progress: SamplingProgress)? {
        try inference {
            while true {
                if batch == nil {
                    guard begun < settings.count else { return nil }
                    batch = try nextBatch()
                }
                settings.stepCount.taken = batch!.stepsDone
                if let progress = batch!.steps.next() {
                    try checkFinite(progress)
                    (batch!.sample, batch!.stepsDone) = (progress.sample, progress.stepsDone)
                    return (batch!.pictures.lowerBound, progress)
                }
                finished.append(result(of: batch!))
                if keepsStreams { drawn.append(batch!.noise) }
                batch = nil
            }
        }
    }

    /// All samples `[count, …]`, when all are done.
    var samples: Tensor {
        inference { finished.count == 1 ? finished[0] : concatenated(finished) }
    }

    /// The streams of all pictures, when all are done and the streams are kept.
    var streamsAtEnd: NoiseSource? { drawn.isEmpty ? nil : NoiseSource(joining: drawn) }

    private func result(of batch: Batch) -> Tensor {
        let sample = batch.finish?(batch.sample) ?? batch.sample
        return settings.resultScale == 1 ? sample : sample / settings.resultScale
    }

    private mutating func nextBatch() throws -> Batch {
        // A method that couples the examples of a batch would let a picture depend on its companions.
        let size = settings.sampler.solver.couplesExamples ? 1 : settings.batchSize
        let pictures = begun..<min(begun + size, settings.count)
        begun = pictures.upperBound
        let (type, device) = (settings.sampleType, settings.device)
        let noise = streams?[pictures] ?? settings.request.noise(of: pictures, type, on: device)
        let beginning = try begin(pictures, noise) { $0.to(type).to(device) }
        if keepsNoise, let unit = beginning.noise { self.noise.append(unit) }
        let sampler = beginning.known.map(settings.sampler.restoring) ?? settings.sampler
        let denoiser = sampler.ranged(beginning.denoiser)
        let steps = sampler.solver.sampling(
            beginning.sample, through: sampler.grid, denoiser: denoiser, noise: noise)
        return Batch(
            pictures: pictures, denoiser: denoiser, sampler: sampler, sample: beginning.sample,
            steps: steps.makeIterator(), finish: beginning.finish, noise: noise)
    }

    /// Throws where a sample is not finite; the step is run again under a watch that finds the layer.
    private func checkFinite(_ progress: SamplingProgress) throws {
        guard try !progress.sample.isFinite().all().item(Bool.self), let batch else { return }
        let step = batch.sampler.grid.steps[progress.stepsDone - 1]
        let layer = try LayerWatch.firstNonFiniteLayer {
            try batch.denoiser(batch.sample, step.from).data.rethrow()
        }
        let place = layer.map { "; the first came out of the layer '\($0)'" } ?? ""
        let noun = settings.pictureShape == nil ? "samples" : "pictures"
        throw PipelineError(
            "\(noun) \(batch.pictures.lowerBound) to \(batch.pictures.upperBound - 1) hold numbers that are not finite after step \(progress.stepsDone) of \(progress.stepCount)\(place): \(settings.remedy)"
        )
    }
}
