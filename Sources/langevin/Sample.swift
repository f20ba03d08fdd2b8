import ArgumentParser
import Checkpoints
import Diffusion
import Foundation
import Pictures
import Pipelines
import Tensors

struct Sample: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draw pictures from a model.",
        discussion: "Picture i of a call uses seed S + i, whatever the batch size and device.")

    @Argument(help: "A run folder, or a folder in the diffusers layout.")
    var model: String

    @Option(
        name: [.short, .long],
        help:
            "A picture (.png .jpg .webp; a sheet where there are several and no %d), .safetensors for the raw tensor 'samples', or a folder."
    )
    var output: String

    @Option(help: "The number of pictures.")
    var count = 1

    @Option(name: .customLong("class"), help: "The class to draw, or 'all' for all of them in turn.")
    var classChoice: ClassChoice?

    @OptionGroup var sampling: SamplingOptions

    @Option(
        name: .customLong("grid"),
        help: "How times are chosen: leading, trailing, linspace; the model's own where not given.")
    var grid: TimeSpacing?

    @Option(help: "Start from the tensor 'latents' of a safetensors file instead of drawing noise.")
    var initial: String?

    @Option(help: "Width in pixels.")
    var width: Int?

    @Option(help: "Height in pixels.")
    var height: Int?

    @Option(help: "The most pictures that pass through the network at once.")
    var batchSize = 64

    @Option(help: "Also write a picture of the way from noise to the first pictures, one row each.")
    var trajectory: String?

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    @OptionGroup var compute: ComputeOptions

    func run() throws {
        let clock = ContinuousClock()
        let start = clock.now
        let device = try compute.open()
        let output = try SampleOutput(output, count: count)
        if let trajectory { try SampleOutput.checkPicture(trajectory) }
        let layout = try ModelLayout(model: model)
        let opened = try PictureModel(folder: layout, elementType: compute.dtype, on: device)
        let plan = try SamplingPlan(opened, request())
        let loaded = clock.now
        var bar = ProgressBar(total: plan.grid.steps.count * count)
        var frames = TrajectoryFrames(steps: plan.grid.steps.count)
        let samples = try plan.run { done, progress in
            if done == 0 && trajectory != nil { frames.add(progress) }
            let batch = progress.sample.shape[0]
            bar.show(step: done * plan.grid.steps.count + progress.stepsDone * batch)
        }
        bar.finish()
        let sampled = clock.now
        let receipt = try Receipt(plan, layout: layout)
        let files = try output.write(samples, receipt: receipt)
        if let trajectory { try frames.picture().write(to: URL(fileURLWithPath: trajectory)) }
        if json {
            try printJSON(
                Summary(
                    files: files + (trajectory.map { [$0] } ?? []), seed: sampling.seed.value,
                    settings: receipt,
                    seconds: [
                        "load": (loaded - start) / .seconds(1), "sample": (sampled - loaded) / .seconds(1),
                        "write": (clock.now - sampled) / .seconds(1),
                    ],
                    peakMemory: Machine.peakResidentBytes))
        }
    }

    private func request() throws -> SamplingRequest {
        var request = sampling.request(count: count)
        request.spacing = grid
        request.classes = classChoice?.classes
        request.width = width
        request.height = height
        request.batchSize = max(1, batchSize)
        if let initial { request.initial = try SafetensorsFile(path: initial).tensor(named: "latents") }
        return request
    }

    private struct Summary: Encodable {
        let files: [String]
        let seed: UInt64
        let settings: Receipt
        let seconds: [String: Double]
        let peakMemory: Int

        enum CodingKeys: String, CodingKey {
            case files, seed, settings, seconds
            case peakMemory = "peak_memory"
        }
    }
}

extension TimeSpacing: ExpressibleByArgument {}
