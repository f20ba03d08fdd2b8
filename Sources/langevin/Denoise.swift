import ArgumentParser
import Diffusion
import Evaluation
import Foundation
import Pictures
import Pipelines
import Storage
import Tensors

struct Denoise: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove white noise from a picture.",
        discussion: """
            The picture is taken for data of the model with Gaussian noise of one deviation. Written is the mean of all \
            pictures that it could have been, one step of the network; with --count samples of them, which a solver \
            that draws noise makes from the noise level of the picture down.
            """)

    @Argument(help: "The noisy picture.", transform: pathArgument)
    var image: String

    @Option(
        help: "A run folder, a folder in the diffusers layout of a model on pixels, or analytic:FILE.json.",
        transform: pathArgument)
    var model: String

    @Option(
        name: [.short, .long],
        help:
            "A picture (.png .jpg .webp; a sheet where there are several and no %d), .safetensors for the raw tensor 'samples', or a folder.",
        transform: pathArgument)
    var output: String

    @Option(
        help:
            "The deviation of the noise, for pixels from 0 to 255; where not given, it is estimated from the finest details of the picture."
    )
    var noiseLevel: Double?

    @Option(help: "How many samples of the pictures that it could have been; their mean where not given.")
    var count: Int?

    @Option(
        help: "Seed of the first sample; -1 draws one. (default: 0)", transform: Seed.init(argument:))
    var seed: Seed?

    @Option(help: "Solver steps of samples, from the noise level of the picture on; 50 where not given.")
    var steps: Int?

    @Option(help: "The solver of samples, one that draws noise; ddpm where none is given.")
    var solver: Method?

    @Option(help: "The solver's share of fresh noise; the method's own where not given.")
    var eta: Double?

    @Option(
        name: .customLong("class"),
        help: "The class of the picture; where not given, no class where the model can do without.")
    var classNumber: Int?

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    @OptionGroup var compute: ComputeOptions

    /// What the picture was made with.
    private struct Record: Encodable {
        var command = "denoise"
        var program = "langevin \(Receipt.version)"
        var model: String
        /// On the scale of 0 to 255.
        var noiseLevel: Double
        var isEstimated: Bool
        var time: Double?
        var alpha: Double
        var sigma: Double
        var count: Int?
        var seed: UInt64?
        var solver: String?
        var steps: Int?
        var eta: Double?
        var classNumber: Int?
        var files: [String]?

        enum CodingKeys: String, CodingKey {
            case command, program, model, time, alpha, sigma, count, seed, solver, steps, eta, files
            case noiseLevel = "noise_level"
            case isEstimated = "estimated"
            case classNumber = "class"
        }
    }

    func run() throws {
        let device = try compute.open()
        let output = try SampleOutput(output, count: count ?? 1)
        try checkOptions()
        var options = ModelOptions()
        (options.elementType, options.device) = (compute.dtype, device)
        let bare = try Model(model, options).bare()
        let noisy = try data(Picture(contentsOf: URL(file: image)), of: bare)
        let level = try noiseLevel ?? estimated(noisy)
        let unit = (bare.dataRange.upperBound - bare.dataRange.lowerBound) / 255
        var task = try PosteriorDenoising(bare, deviation: level * unit)
        if let classNumber {
            guard let classes = bare.classCount, (0..<classes).contains(classNumber) else {
                throw PipelineError(
                    bare.classCount.map {
                        "--class is \(classNumber): \(bare.name) has the classes 0 to \($0 - 1)"
                    }
                        ?? "\(bare.name) knows no classes: leave out --class")
            }
            task.condition = .classes([classNumber])
        }
        let sampler = try count.map { _ in try task.sampler(solver ?? .ddpm, steps: steps ?? 50, eta: eta) }
        say(notes: task, level)
        let result = try pictures(of: noisy, task, sampler)
        var record = Record(
            model: bare.name, noiseLevel: level, isEstimated: noiseLevel == nil, time: task.level.time,
            alpha: task.level.alpha, sigma: task.level.sigma, count: count, classNumber: classNumber)
        if count != nil {
            (record.seed, record.solver) = (seed?.value ?? 0, (solver ?? .ddpm).name)
            (record.steps, record.eta) = (steps ?? 50, eta)
        }
        let text = String(decoding: try sortedJSON(record), as: UTF8.self)
        record.files = try output.write(result, record: text)
        if json { try printJSON(record) }
    }

    private func checkOptions() throws {
        if let noiseLevel, !(noiseLevel > 0 && noiseLevel.isFinite) {
            throw PipelineError(
                "--noise-level is \(noiseLevel): give a deviation above 0, for pixels from 0 to 255")
        }
        if let count, !(1...100_000).contains(count) {
            throw PipelineError(
                "--count is \(count): give 1 to 100000 samples, or leave it out for their mean")
        }
        guard count == nil else { return }
        let given = [
            ("--seed", seed != nil), ("--steps", steps != nil), ("--solver", solver != nil),
            ("--eta", eta != nil),
        ]
        if let option = given.first(where: \.1)?.0 {
            throw PipelineError(
                "\(option) is for samples, and the mean draws none: add --count, or leave it out")
        }
    }

    private func say(notes task: PosteriorDenoising, _ level: Double) {
        if let seed, seed.isDrawn { LangevinCommand.say("seed \(seed.value)") }
        for note in compute.notes { LangevinCommand.say("note: \(note)") }
        if noiseLevel == nil {
            LangevinCommand.say(
                "note: the noise has an estimated deviation of \((level * 100).rounded() / 100) of 255")
        }
        if task.isBelowLeast {
            LangevinCommand.say(
                "note: that is less noise than the model was trained on, so it is called at its least")
        }
    }

    private func estimated(_ noisy: Tensor) throws -> Double {
        let picture = noisy.rank == 4 ? noisy[0] : nil
        guard let picture, picture.shape[1] >= NoiseEstimate.leastSide,
            picture.shape[2] >= NoiseEstimate.leastSide
        else {
            throw PipelineError("\(image) is too small to estimate its noise: give --noise-level")
        }
        let found = try NoiseEstimate.deviation(of: picture) * 127.5
        // A flat picture leaves the rounding of its numbers alone.
        guard found > 0.01 else {
            throw PipelineError("no noise is found in \(image): give --noise-level")
        }
        return found
    }

    /// The picture in −1 … 1 with the channels of the model, `[1, channels, height, width]`.
    private func data(_ picture: Picture, of model: BareModel) throws -> Tensor {
        guard model.sampleShape.rank == 3 else {
            let values = picture.tensor()
            guard values.shape.elementCount == model.sampleShape[0], model.mixture != nil else {
                throw PipelineError(
                    "\(model.name) makes points of \(model.sampleShape[0]) numbers, and \(image) has \(values.shape.elementCount): give a picture of as many"
                )
            }
            return values.unsqueezed(0)
        }
        let values = picture.converted(toChannels: model.sampleShape[0]).tensor()
        let multiple = model.sizeMultiple
        guard values.shape[1] % multiple == 0, values.shape[2] % multiple == 0 else {
            func nearest(_ side: Int) -> Int { max(multiple, (side + multiple / 2) / multiple * multiple) }
            throw PipelineError(
                "\(image) is \(values.shape[2])×\(values.shape[1]), and \(model.name) takes multiples of \(multiple): make it \(nearest(values.shape[2]))×\(nearest(values.shape[1]))"
            )
        }
        if let most = model.largestSide, max(values.shape[1], values.shape[2]) > most {
            throw PipelineError(
                "\(image) is \(values.shape[2])×\(values.shape[1]), and \(model.name) takes sides of \(most) at most: cut it into smaller pictures"
            )
        }
        return values.unsqueezed(0)
    }

    private func pictures(of noisy: Tensor, _ task: PosteriorDenoising, _ sampler: Sampler?) throws -> Tensor
    {
        let model = task.model
        let own = model.own(model.mixture == nil ? noisy : noisy.flattened(from: 1))
        guard let sampler, let count else { return shaped(try task.mean(of: own), noisy, model) }
        var bar = ProgressBar(total: sampler.grid.steps.count * count)
        defer { bar.finish() }
        let samples = try task.samples(of: own, count: count, by: sampler, seed: seed?.value ?? 0) {
            bar.show(step: $0)
        }
        return shaped(samples, noisy, model)
    }

    /// Results in −1 … 1 and in the shape of the picture.
    private func shaped(_ result: Tensor, _ noisy: Tensor, _ model: BareModel) -> Tensor {
        let shape = Shape([result.shape[0]] + noisy.shape.dropFirst())
        return model.pictures(result.reshaped(shape)).to(.cpu)
    }
}
