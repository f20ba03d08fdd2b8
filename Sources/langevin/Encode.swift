import ArgumentParser
import Datasets
import Foundation
import Pipelines
import Storage
import Tensors
import Training

struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compute the latents of pictures and the embeddings of their captions once.",
        discussion: """
            What an autoencoder and a text encoder that stay as they are make of a data set, in a folder that data.kind \
            latents of a recipe reads: training on it gives the losses of training on the pictures. Means and standard \
            deviations are kept, so that latents are still drawn anew in every step.
            """)

    @Argument(
        help:
            "The data: 'digits', a folder of a data set's own files, one of pictures, or a recipe, whose data and models are taken.",
        transform: pathArgument)
    var data: String

    @Option(
        help:
            "A model of latents, or the folder of an autoencoder (default: the recipe's model.autoencoder).",
        transform: pathArgument)
    var model: String?

    @Option(
        help:
            "A model, or the folder of a text encoder with its tokenizer (default: the recipe's model.text_encoder, or the model's own).",
        transform: pathArgument)
    var textEncoder: String?

    @Option(
        name: [.short, .long], help: "The folder to write, which must not be there yet.",
        transform: pathArgument)
    var output: String

    @Option(
        help:
            "Side in pixels that pictures are padded or resized to (default: as they are; a folder's as the autoencoder was made for)."
    )
    var size: Int?

    @Flag(help: "Encode the mirror image of each picture, too, for recipes with data.flip.")
    var flip = false

    @Option(help: "Where captions come from: none, class-names or file (default: none).")
    var captions: String?

    @Option(
        help: "The part to encode: train, evaluation or all (default: train and evaluation, a part each).")
    var split: String?

    @Option(help: "Pictures that pass through the autoencoder together.")
    var batchSize = 16

    @Option(help: "Where the arithmetic runs: cpu, cuda, cuda:N, mps.")
    var device = "cpu"

    @Option(help: "Processor threads of one operation; libtorch decides where none are given.")
    var threads: Int?

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    func run() throws {
        let start = ContinuousClock.now
        if let threads { try setThreadCount(threads) }
        guard (1...65_536).contains(batchSize) else {
            throw PipelineError("--batch-size is \(batchSize): give a number from 1 to 65536")
        }
        let device = try openedDevice(self.device)
        let source = try EncodedSource(self)
        for note in threads.map(threadNotes) ?? [] { say("note: \(note)") }
        let encoding = try LatentEncoding(
            source.data, autoencoder: source.autoencoder, textEncoder: source.textEncoder,
            textTokens: source.textTokens, split: try split.map { try choice($0, "--split") },
            batchSize: batchSize, on: device
        ) { say("warning: \($0)") }
        let interrupts = Interrupts()
        var bar = ProgressBar(total: encoding.count)
        defer { bar.finish() }
        let written = try encoding.write(
            to: output, isInterrupted: { interrupts.pending != nil }, report: { bar.show(step: $0.done) })
        bar.finish()
        guard let manifest = written else {
            say("nothing was written")
            throw Interrupted(interruption: interrupts.pending ?? .keyboard)
        }
        say("encoded \(encoding.count) pictures; the latents are in \(output)")
        if json {
            try printJSON(
                Summary(
                    files: [output], manifest: manifest,
                    seconds: ["encoding": (ContinuousClock.now - start) / .seconds(1)]))
        }
    }

    private struct Summary: Encodable {
        let files: [String]
        let manifest: LatentManifest
        let seconds: [String: Double]
        let peakMemory = Machine.peakResidentBytes

        enum CodingKeys: String, CodingKey {
            case files, manifest, seconds
            case peakMemory = "peak_memory"
        }
    }
}

/// A word of a recipe's choice.
/// - Throws: `PipelineError` that lists the words.
private func choice<Choice: RecipeChoice>(_ word: String, _ option: String) throws -> Choice {
    guard let choice = Choice(word: word) else {
        throw PipelineError(
            "\(option) is \(quoted(word)): give \(Choice.choices.map(\.word).joined(separator: ", "))")
    }
    return choice
}

/// What is to be encoded by what: as the command line says it, over what a recipe says.
private struct EncodedSource {
    var data: Recipe.DataSection
    let autoencoder: String
    var textEncoder: String?
    var textTokens: Int?

    init(_ command: Encode) throws {
        let isRecipe = [".yaml", ".yml"].contains { command.data.hasSuffix($0) }
        let recipe = try isRecipe ? Recipe(contentsOf: command.data) : Recipe()
        data = isRecipe ? recipe.data : Recipe.DataSection(named: command.data)
        guard let model = command.model ?? recipe.model.autoencoder else {
            throw PipelineError(
                "--model is missing: give a model of latents or the folder of an autoencoder")
        }
        autoencoder = model
        textTokens = recipe.model.textTokens
        if let own = recipe.model.textEncoder, own != Recipe.ModelSection.trained { textEncoder = own }
        textEncoder = command.textEncoder ?? textEncoder
        if let size = command.size {
            guard (1...8192).contains(size) else {
                throw PipelineError("--size is \(size): give a number from 1 to 8192")
            }
            data.size = size
        }
        if command.flip { data.flip = true }
        if let captions = command.captions { data.captions = try choice(captions, "--captions") }
        if data.captions == .file, !data.kind.holdsCaptions {
            throw PipelineError("--captions is file: data of kind \(data.kind.word) have no file of captions")
        }
        let places = [model + "/text_encoder/config.json", model + "/model/text_encoder/config.json"]
        let hasOwn = places.contains { FileManager.default.fileExists(atPath: $0) }
        if textEncoder == nil, hasOwn, recipe.model.textEncoder == nil { textEncoder = model }
    }
}
