import Checkpoints
import Foundation
import Pictures
import Pipelines
import Storage
import Tensors

/// Samples of a network on pixels or points, from a plan to files.
struct PictureRun {
    let plan: SamplingPlan
    let digests: ModelDigests
    let output: SampleOutput
    /// Where the way of the first samples goes; `nil` where it is not drawn.
    var trajectory: String?
    /// Where the noise and the data go; `nil` where they are not kept.
    var pairs: String?
    let notes: [String]
    let start: ContinuousClock.Instant

    /// Looks at the name of the file of pairs before anything is computed.
    static func check(pairs: String?, apartFrom names: OutputNames) throws {
        guard let pairs else { return }
        guard pairs.hasSuffix(".safetensors") else {
            throw PipelineError("\(pairs): pairs are written to a .safetensors file")
        }
        try Files.checkPlace(ofFile: pairs)
        try checkApart("--pairs", pairs, from: names)
    }

    /// Draws the samples and writes them.
    func run(printing json: Bool) throws {
        let clock = ContinuousClock()
        for note in notes { say("note: \(note)") }
        guard trajectory == nil || plan.shape.rank == 3 else {
            throw PipelineError("--trajectory shows pictures, and the model makes points: leave it out")
        }
        let loaded = clock.now
        let steps = plan.sampler.grid.steps.count
        var bar = ProgressBar(total: steps * output.names.count)
        defer { bar.finish() }
        var frames = TrajectoryFrames(steps: steps)
        var noise: [Tensor] = []
        let samples = try plan.run(
            onStep: { done, progress in
                if done == 0 && trajectory != nil { frames.add(progress, shown: plan.pictures) }
                bar.show(step: done * steps + progress.stepsDone * progress.sample.shape[0])
            }, onNoise: { if pairs != nil { noise.append($0) } })
        bar.finish()
        let sampled = clock.now
        let receipt = Receipt(plan, of: try digests.record())
        var files = try output.write(output.isTensor ? samples : plan.pictures(of: samples), receipt: receipt)
        if let trajectory {
            try after { try frames.picture().write(to: URL(file: trajectory)) }
            files.append(trajectory)
        }
        if let pairs {
            try after { try write(concatenated(noise), samples, to: pairs) }
            files.append(pairs)
        }
        guard json else { return }
        try printJSON(
            RunSummary(
                files: files, seed: receipt.seed, settings: receipt, phases: ["load", "sample", "write"],
                moments: [start, loaded, sampled, clock.now]))
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
    private func write(_ noise: Tensor, _ data: Tensor, to path: String) throws {
        var tensors = [("noise", noise.to(.float32)), ("data", data.to(.float32))]
        if let labels = plan.labels { tensors.append(("labels", Tensor(labels.map(Int64.init)))) }
        try SafetensorsWriter(tensors).write(to: path)
    }
}
