import ArgumentParser
import Datasets
import Diffusion
import Evaluation
import Foundation
import Pictures
import Pipelines
import Storage
import Tensors
import Training

struct Likelihood: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how likely data are under a model, in bits per dimension.",
        discussion: """
            Prints the variational bound term by term, the exact likelihood by the probability flow, and the \
            rate-distortion curve of sending the data step by step. For a process that is no table of betas the bound is \
            summed over levels even in log-SNR. Pictures are 256 values from -1 to 1: the bound's decoder has bins of \
            1/255 around them, and the flow adds uniform noise of that width. Points have densities.
            """)

    /// What is measured.
    enum Measured: String, ExpressibleByArgument, CaseIterable {
        case bound, flow, both
    }

    /// A variance of the reverse process by its word.
    enum VarianceWord: String, ExpressibleByArgument, CaseIterable {
        case fixedSmall = "fixed-small"
        case fixedLarge = "fixed-large"
        case learned
        case learnedRange = "learned-range"

        var variance: ReverseVariance? {
            ReverseVariance(rawValue: rawValue.replacingOccurrences(of: "-", with: "_"))
        }
    }

    /// How the divergence of the flow is found.
    enum DivergenceWord: String, ExpressibleByArgument, CaseIterable {
        case exact, hutchinson
    }

    @Argument(
        help: "A run folder, a folder in the diffusers layout of a model on pixels, or analytic:FILE.json.",
        transform: pathArgument)
    var model: String

    @Option(
        help:
            "The data: 'digits', a folder of a data set's own files or of pictures, or a .npz or .safetensors file of points (default: digits).",
        transform: pathArgument)
    var against = "digits"

    @Option(help: "The part of the data: train, evaluation, or all.")
    var part = Recipe.DataSection.Split.evaluation

    @Option(help: "The number of examples, drawn by the seed; 100, or all of fewer, where not given.")
    var count: Int?

    @Option(
        help: "Which examples, and all noise: example i draws from seed + i; -1 draws one. (default: 0)",
        transform: Seed.init(argument:))
    var seed: Seed?

    @Option(help: "What is measured.")
    var measure = Measured.both

    @Option(
        help:
            "Steps of the bound: all of a table of betas, \(CodingChain.usualCount) of another process, where not given."
    )
    var boundSteps: Int?

    @Option(help: "The variance of the model's steps in the bound; the model's own where none is given.")
    var variance: VarianceWord?

    @Flag(
        inversion: .prefixedNo,
        help: "Cut estimated data off at ±1 in the bound; those of pictures are where not given.")
    var clip: Bool?

    @Flag(help: "Take the decoder's normal law by the approximation of the articles' code.")
    var approximateDecoder = false

    @Option(help: "Steps of the flow; as many as --tolerance needs where not given.")
    var steps: Int?

    @Option(
        help: "The error that a step of the flow may make; 1e-4, and 1e-8 for exact models, where not given.")
    var tolerance: Double?

    @Option(
        help:
            "How the flow's divergence is found; exact for up to 16 elements and Hutchinson's estimate beyond, where not given."
    )
    var divergence: DivergenceWord?

    @Option(
        help: "How often the flow is followed for each example, with a dequantisation and a probe of its own."
    )
    var probes = 1

    @Option(
        help:
            "The ratio of noise to data at which the data are taken; that of the process's least noisy level where not given."
    )
    var leastNoise: Double?

    @Option(help: "The most examples that pass through the network at once.")
    var batchSize = 64

    @Option(
        name: [.short, .long],
        help:
            "Also draw the bound's terms and the rate-distortion curve: a picture, one plot under the other.",
        transform: pathArgument)
    var output: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var compute: ComputeOptions

    func run() throws {
        let device = try compute.open()
        if let output {
            try SampleOutput.checkPicture(output)
            guard measure != .flow else {
                throw PipelineError(
                    "-o draws the terms of the bound, and --measure flow has none: leave one out")
            }
        }
        var options = ModelOptions()
        (options.elementType, options.device) = (compute.dtype, device)
        let bare = try Model(model, options).bare()
        let measure = try LikelihoodMeasure(bare, self.options)
        let dataset = try data(for: bare).open(part)
        for sentence in dataset.findings.sentences() { say("warning: \(sentence)") }
        if let seed, seed.isDrawn { say("seed \(seed.value)") }
        for note in compute.notes { say("note: \(note)") }
        var (bar, shown) = (ProgressBar(total: 0), "")
        let report = try measure.report(on: dataset) { work, done, total in
            if work != shown { (bar, shown) = (ProgressBar(total: total), work) }
            bar.show(step: done)
        }
        bar.finish()
        if let output { try draw(report, to: output) }
        if json {
            try printJSON(report)
        } else {
            try printResult(report.text)
        }
    }

    private var options: LikelihoodMeasure.Options {
        var options = LikelihoodMeasure.Options()
        (options.count, options.seed, options.batchSize) = (count, seed?.value ?? 0, batchSize)
        (options.measuresBound, options.measuresFlow) = (measure != .flow, measure != .bound)
        (options.boundSteps, options.variance, options.clipsData) = (boundSteps, variance?.variance, clip)
        options.approximatesDecoder = approximateDecoder
        (options.flowSteps, options.tolerance, options.probes) = (steps, tolerance, probes)
        options.exactDivergence = divergence.map { $0 == .exact }
        options.leastNoise = leastNoise
        return options
    }

    private func data(for model: BareModel) throws -> Recipe.DataSection {
        guard model.sampleShape.rank == 1 else {
            return try Recipe.DataSection(named: against, shape: model.sampleShape)
        }
        var section = Recipe.DataSection()
        guard against != "digits" else {
            throw PipelineError(
                "\(model.name) is one of points: give a .npz or .safetensors file of points with --against")
        }
        (section.kind, section.path) = (.points, against)
        return section
    }

    private func draw(_ report: LikelihoodReport, to path: String) throws {
        let plots = report.plots
        guard !plots.isEmpty else {
            throw PipelineError("there is no bound to draw: \(report.boundOmitted ?? "leave out -o")")
        }
        try Sheet(columns: 1, padding: 0).picture(of: plots.map { $0.picture(width: 1000) })
            .write(to: URL(file: path))
    }
}

extension Recipe.DataSection.Split: ExpressibleByArgument {}
