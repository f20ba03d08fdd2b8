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
            "A run folder, a folder in the diffusers layout or a .safetensors file of a model without prompts, org/name of the hub, or analytic:FILE.json.",
        transform: pathArgument)
    var model: String

    @Option(
        name: [.short, .long],
        help:
            "A picture (.png .jpg .webp; a sheet where there are several and no %d), .safetensors for the raw tensor 'samples', or a folder.",
        transform: pathArgument)
    var output: String

    @Option(
        name: .customLong("class"),
        help:
            "The class to draw, or 'all' for all of them in turn; where not given, no class where the model can do without.",
        transform: ClassChoice.init(argument:))
    var classChoice: ClassChoice?

    @OptionGroup var pictures: PictureOptions
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var guiding: GuidanceOptions
    @OptionGroup var noise: NoiseOptions
    @OptionGroup var upscaling: UpscalingOptions
    @OptionGroup var embeddings: EmbeddingOptions
    @OptionGroup var cascade: CascadeOptions

    @Option(
        help:
            "A picture, or .safetensors with the 'samples' of another run: what a model that enlarges pictures makes larger, or one that makes variations makes them of, or with --inversion what the noise is wanted of.",
        transform: pathArgument)
    var image: String?

    @Option(
        help:
            "For a model that was trained on noisy pictures of lower resolution: the time of the noise that is laid on --image, by default 0."
    )
    var noiseLevel: Int?

    @OptionGroup var reading: ReadingOptions
    @OptionGroup var hub: HubOptions

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

    func run() throws { try prepared().execute(printing: json) }

    /// The run, looked at and not begun.
    func prepared() throws -> SamplingRun {
        let start = ContinuousClock().now
        let device = try compute.open()
        let output = try SampleOutput(output, count: pictures.count)
        try SamplingRun.check(trajectory: trajectory, pairs: pairs, apartFrom: output.names)
        var options = ModelOptions()
        (options.elementType, options.device) = (compute.dtype, device)
        (options.prediction, options.isStrict) = (reading.prediction?.prediction, reading.strict)
        options.locator = hub.locator
        let path = try hub.path(of: model)
        let fetched = path == model ? nil : ContinuousClock().now
        let opened: Model
        var notes = compute.notes
        if AnalyticModel.path(of: path) == nil {
            let source = try ModelSource(path, options)
            notes += try source.foreignKeys() + source.notes()
            opened = try Model(source, options)
        } else {
            opened = try Model(path, options)
        }
        var request = try pictures.request(sampling)
        request.classes = classChoice?.classes
        try guiding.set(&request, options)
        try noise.set(&request, seed: sampling.seed != nil)
        upscaling.set(&request)
        try embeddings.set(&request)
        request.reference = try image.map(Request.Reference.init(file:))
        request.files["image"] = try image.map(InputFile.init)
        request.noiseLevel = noiseLevel
        try cascade.set(&request, options)
        let run = try opened.run(request, decodes: !output.isTensor)
        try Generate.refuse(guiding.unused(in: run.mainSettings))
        return SamplingRun(
            run: run, output: output, trajectory: trajectory, pairs: pairs, notes: notes, start: start,
            fetched: fetched)
    }
}
