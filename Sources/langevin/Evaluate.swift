import ArgumentParser
import Datasets
import Diffusion
import Evaluation
import Pipelines
import Tensors
import Training

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare a model's samples with data, or measure what a model that draws none has learnt.",
        discussion: """
            Prints the Fréchet distance of the samples to the data in the feature space of a small classifier \
            trained on the data on the spot, beside the same distance between two halves of the data and that \
            of noise, the classifier's accuracy on the samples, and how far samples of a class are apart. Of a CLIP: how \
            often pictures and captions find each other, and classes by their names. Of a classifier of noisy pictures: its \
            accuracy at eight amounts of noise. Of a model that draws from texts, where the data's files have captions: how \
            often the picture drawn from a caption looks most like the one that has it, with intervals.
            """)

    @Argument(help: "A run folder, or a folder in the diffusers layout.", transform: pathArgument)
    var model: String

    @Option(
        help:
            "The data: 'digits', a folder of a data set's own files, or one with a folder for each class (default: digits).",
        transform: pathArgument)
    var against = "digits"

    @Option(help: "The number of samples, or the most pictures of the data that are looked at.")
    var count = 1000

    @Option(
        help: "For captions: a run of a CLIP, which finds the captions of drawn pictures among others.",
        transform: pathArgument)
    var clip: String?

    @Option(
        parsing: .upToNextOption, help: "For captions: several scales of guidance, each measured.")
    var sweep: [Double] = []

    @Option(help: "For captions: a plot of the figures over --sweep.", transform: pathArgument)
    var plot: String?

    @Flag(
        help:
            "Also print Fréchet distances that papers report for models of their own, which the measured figures do not compare with."
    )
    var comparePaper = false

    @Flag(
        help:
            "For captions, of unCLIP: the text alone, CLIP's embedding of the text in the place of a picture's, and where there is a prior what it makes of the text, each measured."
    )
    var compareEmbeddings = false

    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var guiding: GuidanceOptions
    @OptionGroup var stochastic: StochasticOptions
    @OptionGroup var prior: PriorOptions
    @OptionGroup var cascade: CascadeOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var compute: ComputeOptions

    func validate() throws {
        guard sweep.isEmpty || sampling.guidance == nil else {
            throw ValidationError("--guidance and --sweep exclude each other: give one of them")
        }
        guard !compareEmbeddings || (sweep.isEmpty && prior.embedding == nil) else {
            throw ValidationError(
                "--compare-embeddings measures every --embedding at one scale: leave out --embedding and --sweep"
            )
        }
        guard prior.words.isEmpty else {
            throw ValidationError("--embedding FILE is for prompts of 'langevin generate': leave it out")
        }
        guard plot == nil || sweep.count > 1 else {
            throw ValidationError("--plot shows figures over --sweep: give several scales, or leave it out")
        }
    }

    func run() throws {
        if let plot { try SampleOutput.checkPicture(plot) }
        if let (kind, folder) = try EvaluatedKind.of(model) {
            try refuseCaptionOptions()
            try refusePapers()
            return try kind.measure(self, folder)
        }
        try compareSamples()
    }

    private func compareSamples() throws {
        let device = try compute.open()
        var options = ModelOptions()
        (options.elementType, options.device) = (compute.dtype, device)
        let opened = try Model(model, options)
        var request = sampling.request(count: count)
        try guiding.set(&request, options)
        stochastic.set(&request)
        try prior.set(&request, options)
        try cascade.set(&request, options)
        // A model without classes has those that a classifier guides it to.
        let classes = opened.classCount ?? request.classifier?.classifiedCount
        try checkCount(classes: classes)
        request.classes = classes == nil ? nil : .all
        if opened.takesPrompt { request.prompts = [""] }
        if !opened.diffusesLatents { request.batchSize = 250 }
        let stages = try opened.settings(of: request)
        let settings = try opened.mainSettings(of: request)
        guard let shape = stages[stages.count - 1].pictureShape else {
            throw PipelineError(
                "\(model) makes points: a Fréchet distance is measured between pictures, so give a model of those"
            )
        }
        try Generate.refuse(guiding.unused(in: settings))
        let data = try Recipe.DataSection(named: against, shape: shape)
        if opened.takesPrompt, let captioned = captioned(data) {
            try refusePapers()
            return try compareCaptions(opened, captioned, data, request)
        }
        try refuseCaptionOptions()
        let (training, heldOut) = try (data.open(.train), data.open(.evaluation))
        if opened.takesPrompt, let names = training.classNames {
            // A model that is conditioned on texts draws every class by its name.
            request.prompts = (0..<count).map { names[$0 * names.count / count] }
        }
        let run = try opened.run(request)
        let evaluator = try Evaluator(training: training, heldOut: heldOut)
        let found = training.findings.sentences() + heldOut.findings.sentences(since: training.findings)
        for sentence in found + evaluator.cautions(samples: count) { say("warning: \(sentence)") }
        for note in compute.notes { say("note: \(note)") }
        let labels =
            run.settings[0].labels
            ?? run.settings[0].prompts.flatMap { prompts in
                training.classNames.map { names in prompts.map { names.firstIndex(of: $0) ?? 0 } }
            }
        let isOfThese = classes == nil || classes == training.classCount
        if !isOfThese {
            say(
                "warning: the model and the data have not the same classes, so there is no accuracy of samples"
            )
        }
        var report = try evaluator.report(
            samples: pictures(of: run).to(.cpu).to(.float32).clamped(to: -1...1),
            labels: isOfThese ? labels.map { Tensor($0) } : nil)
        report.papers = comparePaper ? .all : nil
        if json {
            try printJSON(report)
        } else {
            try printResult(report.text)
        }
    }

    private func refusePapers() throws {
        guard comparePaper else { return }
        throw PipelineError(
            "--compare-paper stands beside samples that are compared with data as a whole, which is not measured here: leave it out"
        )
    }

    private func checkCount(classes: Int?) throws {
        guard count >= Evaluator.leastSamples else {
            throw PipelineError(
                "--count is \(count): a Fréchet distance compares covariances and needs \(Evaluator.leastSamples) samples at least"
            )
        }
        if let classes, count < classes {
            throw PipelineError(
                "--count is \(count): \(model) has \(classes) classes, give \(classes) at least, a sample for each"
            )
        }
    }

    func pictures(of run: Run) throws -> Tensor {
        run.onMessage = say
        var (bar, stage) = (
            ProgressBar(total: run.settings[0].sampler.grid.steps.count * run.settings[0].count), 0
        )
        defer { bar.finish() }
        for step in run {
            if step.stage != stage {
                bar.finish()
                (bar, stage) = (ProgressBar(total: step.total), step.stage)
            }
            bar.show(step: step.done)
        }
        return try run.pictures()
    }
}
