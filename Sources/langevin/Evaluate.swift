import ArgumentParser
import Datasets
import Diffusion
import Evaluation
import Pipelines
import Tensors
import Training

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare a model's samples with data.",
        discussion: """
            Prints the Fréchet distance of the samples to the data in the feature space of a small classifier \
            trained on the data on the spot, beside the same distance between two halves of the data and that \
            of noise, and the classifier's accuracy on the samples.
            """)

    @Argument(help: "A run folder, or a folder in the diffusers layout.", transform: pathArgument)
    var model: String

    @Option(
        help: "The data: 'digits', a folder of idx files, or a folder with a folder for each class.",
        transform: pathArgument)
    var against = "digits"

    @Option(help: "The number of samples.")
    var count = 1000

    @OptionGroup var sampling: SamplingOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var compute: ComputeOptions

    func run() throws {
        let device = try compute.open()
        let layout = try ModelLayout(model: model)
        let opened = try PictureModel(folder: layout, elementType: compute.dtype, on: device)
        var request = sampling.request(count: count)
        request.classes = opened.card.nullClass == nil ? nil : .all
        request.batchSize = 250
        let plan = try SamplingPlan(opened, request)
        let data = try Recipe.DataSection(named: against, shape: plan.shape)
        let (training, heldOut) = try (data.open(.train), data.open(.evaluation))
        var bar = ProgressBar(total: plan.sampler.grid.steps.count * count)
        let samples = try plan.run { done, progress in
            bar.show(
                step: done * plan.sampler.grid.steps.count + progress.stepsDone * progress.sample.shape[0])
        }
        bar.finish()
        let report = try EvaluationReport(
            samples: samples.to(.cpu).to(.float32).clamped(to: -1...1),
            labels: plan.labels.map { Tensor($0) },
            training: training, heldOut: heldOut)
        if json {
            try printJSON(report)
        } else {
            try printResult(report.text)
        }
    }
}
