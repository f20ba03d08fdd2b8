import Diffusion
import Pictures
import Tensors

/// A step of a run.
public struct RunStep: Sendable {
    /// The number of the stage; a refiner's is 1.
    public let stage: Int
    /// The pictures that were done before this batch.
    public let picturesDone: Int
    /// Where the batch is.
    public let progress: SamplingProgress
    /// The steps of single pictures that were taken in this stage, of all its pictures.
    public let done: Int
    /// The number of all of them.
    public let total: Int

    let work: any Stage

    /// What the pictures of the batch are about to become, side by side where there are several; `nil` where that cannot
    /// be shown: latents without a `previewModel`.
    /// - Throws: `TensorError` where it could not be computed.
    public func preview() throws -> Picture? { try work.preview(of: progress) }
}

/// A run of a model as a sequence of its steps: `for step in run { … }`. Progress, previews and cancelling are the
/// caller's loop; `samples()`, `pictures()` and `receipt()` take the steps that are left.
///
/// A step that fails ends the loop, and its error is thrown by `pictures()`, `samples()` and `receipt()`.
public final class Run: Sequence, IteratorProtocol {
    /// Gets what a person should know: cut prompts, resized pictures. By default nothing does.
    public var onMessage: (Sentence) -> Void = { _ in }
    /// Whether the unit noise that samples start from is kept in `noise`. Set it before the first step.
    public var keepsNoise = false

    private var stages: [any Stage]
    private let decodes: Bool
    private var digests: [ModelDigests] = []
    private var guideDigests: [GuideDigests] = []
    private var current = 0
    private var loop: SamplingLoop?
    private var finished: Tensor?
    private var failure: (any Error)?
    private var streams: NoiseSource?
    private var noises: [Tensor] = []

    /// Looks at everything that the stages will need.
    /// - Parameter decodes: whether pictures will be made of the samples.
    /// - Throws: what `Stage.check` throws.
    package init(_ stages: [any Stage], decodes: Bool) throws {
        (self.stages, self.decodes) = (stages, decodes)
        for (index, stage) in stages.enumerated() {
            try stage.check(decodes: makesPictures(index))
        }
    }

    /// Whether pictures are made of the samples of a stage.
    private func makesPictures(_ index: Int) -> Bool {
        index == stages.count - 1 ? decodes : stages[index + 1].takesPictures
    }

    /// What each stage draws its samples with.
    public var settings: [StageSettings] { stages.map(\.settings) }

    /// What the stage draws with whose steps and guidance are those of the request: the first one, unless others serve it.
    public var mainSettings: StageSettings { stages[stages.mainIndex].settings }

    /// What the stage draws with that makes the pictures.
    public var lastSettings: StageSettings { stages[stages.count - 1].settings }

    /// The stages, for programs that know their kinds.
    package var work: [any Stage] { stages }

    // MARK: Steps

    /// Loads what the first step needs; `next` does so otherwise.
    /// - Throws: errors about files and devices.
    public func load() throws {
        guard loop == nil, finished == nil else { return }
        if digests.isEmpty {
            digests = try stages.enumerated().map {
                try $1.digests(decodes: makesPictures($0))
            }
            guideDigests = try mainSettings.guides.digests()
        }
        let stage = stages[current]
        let begin = try inference { try stage.load(onMessage) }
        loop = SamplingLoop(
            stage.settings, streams: stage.settings.continuesNoise ? streams : nil,
            keepsNoise: keepsNoise && current == 0,
            keepsStreams: current + 1 < stages.count
                ? stages[current + 1].settings.continuesNoise : decodes && stage.drawsPictures,
            begin: begin)
    }

    /// Takes the next step; `nil` when the run is done or has failed.
    public func next() -> RunStep? {
        guard failure == nil, finished == nil else { return nil }
        do {
            return try advance()
        } catch {
            (failure, loop) = (error, nil)
            return nil
        }
    }

    private func advance() throws -> RunStep? {
        while finished == nil {
            try load()
            let settings = stages[current].settings
            if let (picturesDone, progress) = try loop!.next() {
                let steps = settings.sampler.grid.steps.count
                return RunStep(
                    stage: current, picturesDone: picturesDone, progress: progress,
                    done: picturesDone * steps + progress.stepsDone * progress.sample.shape[0],
                    total: steps * settings.count, work: stages[current])
            }
            let samples = loop!.samples
            noises += loop!.noise
            streams = loop!.streamsAtEnd
            // What one stage loaded goes before the next one comes.
            loop = nil
            guard current + 1 < stages.count else {
                finished = samples
                break
            }
            current += 1
            let given =
                stages[current].takesPictures
                ? try stages[current - 1].pictures(of: samples, onMessage) : samples
            stages[current] = try stages[current].starting(from: given)
        }
        return nil
    }

    // MARK: Results

    /// The samples as the last sampler leaves them, `[count, …]`; takes the steps that are left.
    /// - Throws: what ended the run; `PipelineError` where a sample is not finite.
    public func samples() throws -> Tensor {
        while next() != nil {}
        if let failure { throw failure }
        return finished!
    }

    /// The pictures of the samples, `[count, channels, height, width]` in −1 … 1; takes the steps that are left.
    /// - Throws: what ended the run; `PipelineError` where the samples are points, or a picture is not finite.
    public func pictures() throws -> Tensor {
        guard lastSettings.pictureShape != nil else {
            throw PipelineError("\(lastSettings.model) makes points, not pictures: read the samples")
        }
        guard !lastSettings.request.inverts else {
            throw PipelineError("the noise that leads to a picture is no picture: read the samples")
        }
        let samples = try samples()
        let stage = streams.map(stages[stages.count - 1].drawingPictures) ?? stages[stages.count - 1]
        return try stage.pictures(of: samples, onMessage)
    }

    /// The unit noise that the samples started from, `[count, …]`; `nil` where it was not kept.
    public func noise() throws -> Tensor? {
        _ = try samples()
        return noises.isEmpty ? nil : concatenated(noises)
    }

    /// Writes the pictures, or raw samples where the name ends with `.safetensors`, each with its receipt; takes the steps
    /// that are left.
    /// - Parameter path: `.png`, `.jpg`, `.webp` (a sheet where there are several and no `%d`), `.safetensors`, or a folder.
    /// - Returns: the files.
    /// - Throws: what ended the run; an error that names the file.
    @discardableResult
    public func write(to path: String) throws -> [String] {
        let settings = lastSettings
        let output = try SampleOutput(path, count: settings.count)
        try output.check(settings)
        let isTensor = output.isTensor || settings.pictureShape == nil
        return try output.write(isTensor ? samples() : pictures(), receipt: receipt())
    }

    /// Everything that the pictures are made with. It waits for the digests of the weights.
    /// - Throws: what ended the run; `FileError` where a file of weights could not be read.
    public func receipt() throws -> Receipt {
        if let failure { throw failure }
        if digests.isEmpty { try load() }
        return try Receipt(
            stages, of: digests.map { try $0.record() },
            guides: guideDigests.map { ($0.place, try $0.digests.record()) }, decodes: decodes)
    }
}
