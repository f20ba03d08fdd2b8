import ArgumentParser
import Checkpoints
import Diffusion
import Foundation
import Pictures
import Pipelines
import Storage
import Tensors

struct Sample: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draw pictures from a model.",
        discussion: "Picture i of a call uses seed S + i, whatever the batch size and device.")

    @Argument(
        help:
            "A run folder, a folder in the diffusers layout or a .safetensors file of a model without prompts, or analytic:FILE.json.",
        transform: pathArgument)
    var model: String

    @Option(
        name: [.short, .long],
        help:
            "A picture (.png .jpg .webp; a sheet where there are several and no %d), .safetensors for the raw tensor 'samples', or a folder.",
        transform: pathArgument)
    var output: String

    @Option(
        name: .customLong("class"), help: "The class to draw, or 'all' for all of them in turn.",
        transform: ClassChoice.init(argument:))
    var classChoice: ClassChoice?

    @OptionGroup var pictures: PictureOptions
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var reading: ReadingOptions

    @Option(
        help: "Also write a picture of the way from noise to the first pictures, one row each.",
        transform: pathArgument)
    var trajectory: String?

    @Option(
        help:
            "Also write the noise that samples started from and what became of it, 'noise' and 'data' in a .safetensors file: what data.kind pairs of a recipe reads.",
        transform: pathArgument)
    var pairs: String?

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    @OptionGroup var compute: ComputeOptions

    func run() throws {
        let clock = ContinuousClock()
        let start = clock.now
        let device = try compute.open()
        if let path = AnalyticModel.path(of: model) {
            guard reading.prediction == nil, !reading.strict else {
                throw PipelineError(
                    "\(model) says its prediction itself, and is no checkpoint: leave out --prediction and --strict"
                )
            }
            guard pairs == nil else {
                throw PipelineError("--pairs is for networks, and \(model) is an exact model")
            }
            return try runExact(path, since: start, on: device)
        }
        let output = try SampleOutput(output, count: pictures.count)
        try checkTrajectory(apartFrom: output.names)
        try PictureRun.check(pairs: pairs, apartFrom: output.names)
        let source = try ModelSource(
            model, prediction: reading.prediction?.prediction, isStrict: reading.strict)
        let notes = try source.foreignKeys() + source.notes()
        guard source.kind == .pixels else {
            return try runLatent(source, output, since: start, notes: notes, on: device)
        }
        let layout = ModelLayout(source.path)
        let opened = try PictureModel(
            folder: layout, elementType: compute.dtype, on: device, prediction: reading.prediction?.prediction
        )
        try PictureRun(
            plan: SamplingPlan(opened, request()), digests: ModelDigests(layout), output: output,
            trajectory: trajectory, pairs: pairs, notes: notes, start: start
        ).run(printing: json)
    }

    /// An exactly solvable model: numbers, not pictures, so no classes, sizes or guidance.
    private func runExact(_ path: String, since start: ContinuousClock.Instant, on device: Device) throws {
        let clock = ContinuousClock()
        let model = try AnalyticModel(contentsOf: path)
        let output = try AnalyticOutput(
            output, dimension: model.mixture.dimension, count: pictures.count)
        try checkTrajectory(apartFrom: output.names)
        let plan = try AnalyticPlan(model, request(), elementType: compute.dtype, on: device)
        var ways = try trajectory.map { _ in try AnalyticTrajectory(dimension: model.mixture.dimension) }
        let loaded = clock.now
        let steps = plan.sampler.grid.steps.count
        var bar = ProgressBar(total: steps * pictures.count)
        defer { bar.finish() }
        let samples = try plan.run { done, progress in
            if done == 0 { try ways?.add(progress) }
            bar.show(step: done * steps + progress.stepsDone * progress.sample.shape[0])
        }
        bar.finish()
        let sampled = clock.now
        let files = try output.write(samples, receipt: plan.receipt)
        if let ways { try writeTrajectory { ways.picture(title: "\(steps) steps, \(model.name)") } }
        guard json else { return }
        try printJSON(
            RunSummary(
                files: files + (trajectory.map { [$0] } ?? []), seed: sampling.seed.value,
                settings: plan.receipt, phases: ["load", "sample", "write"],
                moments: [start, loaded, sampled, clock.now]))
    }

    private func writeTrajectory(_ picture: () throws -> Picture) throws {
        guard let trajectory else { return }
        do {
            try picture().write(to: URL(file: trajectory))
        } catch {
            throw ResultError(description: "the samples are written, the trajectory is not: \(error)")
        }
    }

    private func checkTrajectory(apartFrom output: OutputNames) throws {
        guard let trajectory else { return }
        try SampleOutput.checkPicture(trajectory)
        try checkApart("--trajectory", trajectory, from: output)
    }

    /// A model that diffuses latents.
    private func runLatent(
        _ source: ModelSource, _ output: SampleOutput, since start: ContinuousClock.Instant, notes: [String],
        on device: Device
    ) throws {
        guard trajectory == nil, pairs == nil else {
            throw PipelineError(
                "--trajectory and --pairs are for models on pixels and points; \(source.name) diffuses latents"
            )
        }
        var request = GenerationRequest()
        request.sampling = try self.request()
        let plan = try GenerationPlan(
            GenerationModel(source, elementType: compute.dtype, on: device), request)
        try GenerationRun(plan, output, since: start, notes: notes).run(printing: json)
    }

    private func request() throws -> SamplingRequest {
        var request = try pictures.request(sampling)
        request.classes = classChoice?.classes
        return request
    }
}
