import Checkpoints
import Foundation
import Pictures
import Pipelines
import Storage
import Tensors

/// A run as a person sees it: messages, progress, files, a summary.
struct SamplingRun {
    let run: Run
    let output: SampleOutput
    /// Where a picture of every step is shown.
    var preview: String?
    /// Where the way of the first samples goes.
    var trajectory: String?
    /// Where the noise and the data go.
    var pairs: String?
    /// What a person should know of the model, said when all is known to be right: a refusal is one sentence.
    let notes: [String]
    /// When the command began.
    let start: ContinuousClock.Instant
    /// When a model of the hub was there; `nil` for others.
    var fetched: ContinuousClock.Instant?
    /// Looks at the receipt before the first step.
    var check: ((Receipt) throws -> Void)?

    /// Looks at the names of further files before anything is computed.
    static func check(trajectory: String?, pairs: String?, apartFrom names: OutputNames) throws {
        if let trajectory {
            try SampleOutput.checkPicture(trajectory)
            try checkApart("--trajectory", trajectory, from: names)
        }
        guard let pairs else { return }
        guard pairs.hasSuffix(".safetensors") else {
            throw PipelineError("\(pairs): pairs are written to a .safetensors file")
        }
        try Files.checkPlace(ofFile: pairs)
        try checkApart("--pairs", pairs, from: names)
    }

    /// Takes all steps, writes what came of them, and says so.
    func execute(printing json: Bool) throws {
        let (summary, previewFailure) = try execute()
        if json { try printJSON(summary) }
        if let previewFailure {
            throw ResultError(description: "the preview was not written: \(previewFailure)")
        }
    }

    /// Takes all steps, and writes what came of them.
    /// - Returns: what there is to say, and why there were no more previews from some step on.
    func execute() throws -> (summary: RunSummary<Receipt>, previewFailure: (any Error)?) {
        let clock = ContinuousClock()
        let settings = run.lastSettings
        try output.check(settings)
        if run.settings.count > 1,
            let way = [("--trajectory", trajectory), ("--pairs", pairs)].first(where: { $0.1 != nil })
        {
            throw PipelineError(
                "\(way.0) follows one network from noise to pictures, and \(settings.model) has several one after the other: leave it out"
            )
        }
        if pairs != nil, settings.request.inverts {
            throw PipelineError(
                "--pairs are noise and what became of it, and --inversion draws none: leave it out")
        }
        if preview != nil, run.work.last is LatentStage, settings.request.previewModel == nil {
            throw PipelineError("--preview needs a tiny autoencoder: add --preview-model FOLDER")
        }
        var way = try trajectory.map { _ in try Trajectory(settings) }
        for note in notes { say("note: \(note)") }
        run.onMessage = say
        run.keepsNoise = pairs != nil
        try run.load()
        try check?(run.receipt())
        let loaded = clock.now
        let previewFailure = try takeSteps { try way?.add($0) }
        let samples = try run.samples()
        let sampled = clock.now
        let results = output.isTensor || settings.pictureShape == nil ? samples : try run.pictures()
        let decoded = clock.now
        let receipt = try run.receipt()
        var files = try output.write(results, receipt: receipt)
        if let trajectory, let way {
            try after { try way.picture().write(to: trajectory) }
            files.append(trajectory)
        }
        if let pairs {
            try after { try writePairs(samples, to: pairs) }
            files.append(pairs)
        }
        let summary = RunSummary(
            files: files, seed: receipt.seed, settings: receipt,
            phases: (fetched == nil ? [] : ["download"]) + ["load", "sample", "decode", "write"],
            moments: [start] + [fetched].compactMap(\.self) + [loaded, sampled, decoded, clock.now])
        return (summary, previewFailure)
    }

    /// - Returns: why there were no more previews from some step on; the pictures do not depend on it.
    private func takeSteps(_ onStep: (RunStep) throws -> Void) throws -> (any Error)? {
        var failure: (any Error)?
        let settings = run.settings[0]
        var (bar, stage) = (ProgressBar(total: settings.sampler.grid.steps.count * settings.count), 0)
        defer { bar.finish() }
        // An autoregressive prior takes no steps.
        if !settings.sampler.grid.steps.isEmpty { bar.show(step: 0) }
        for step in run {
            if step.stage != stage {
                bar.finish()
                (bar, stage) = (ProgressBar(total: step.total), step.stage)
            }
            bar.show(step: step.done)
            try onStep(step)
            guard let preview, failure == nil, let picture = try step.preview() else { continue }
            do {
                try picture.write(to: preview)
            } catch {
                failure = error
                say("warning: there are no more previews: \(error)")
            }
        }
        return failure
    }

    /// Writes what comes after the samples.
    private func after(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            throw ResultError(description: "the samples are written, what was to follow is not: \(error)")
        }
    }

    /// Noise and data as float32, and the classes where there are any.
    private func writePairs(_ data: Tensor, to path: String) throws {
        guard let noise = try run.noise() else {
            throw PipelineError("the samples started from no noise of their own, so there are no pairs")
        }
        var tensors = [("noise", noise.to(.float32)), ("data", data.to(.float32))]
        if let labels = run.settings[0].labels {
            tensors.append(("labels", Tensor(labels.map(Int64.init))))
        }
        try SafetensorsWriter(tensors).write(to: path)
    }
}
