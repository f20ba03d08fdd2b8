import ArgumentParser
import Foundation
import Pictures
import Pipelines
import Storage

/// How unCLIP's prior makes the embedding of a picture of a text: shared by the commands that draw from texts.
struct PriorOptions: ParsableArguments {
    @Option(
        help:
            "Of a decoder that was trained here: a run of model.kind prior or autoregressive-prior, which makes embeddings of texts; none where not given.",
        transform: pathArgument)
    var prior: String?

    @Option(
        name: .customLong("embedding"),
        help: ArgumentHelp(
            "FILE[:WORD]: learned vectors (textual inversion) for a word of the prompts, by default the word of the file, none where not given; repeatable. Of unCLIP, in place of a file: what the decoder is given beside the text: the embedding that a prior makes of it (prior), CLIP's embedding of the text in its place (text), or none; where not given a prior's where there is a prior, and otherwise the text's.",
            valueName: "file[:word]|prior|text|none"),
        transform: EmbeddingOption.init(argument:))
    var embeddings: [EmbeddingOption] = []

    /// What unCLIP's decoder is given.
    var embedding: Request.Embeddings.Origin? {
        embeddings.lazy.compactMap { if case .origin(let origin) = $0 { origin } else { nil } }.first
    }

    /// Learned vectors.
    var words: [ModelEmbedding] {
        embeddings.compactMap { if case .words(let embedding) = $0 { embedding } else { nil } }
    }

    func validate() throws {
        guard embeddings.count - words.count <= 1 else {
            throw ValidationError("--embedding says twice what unCLIP's decoder is given: give one word")
        }
    }

    @Option(help: "unCLIP: the steps of the prior, which makes the embedding of a picture; by default 25.")
    var priorSteps: Int?

    @Option(
        help:
            "unCLIP: the scale of the prior's guidance; 1 and below is the conditional branch alone; by default 4, or what a prior's recipe says."
    )
    var priorGuidance: Double?

    @Option(
        help:
            "unCLIP: embeddings that the prior draws for each picture, of which the one closest to the text is kept; by default 1, of a prior that was trained here 2."
    )
    var priorCandidates: Int?

    /// Whether an option is about the prior.
    var hasPriorOptions: Bool { priorSteps != nil || priorGuidance != nil || priorCandidates != nil }

    /// Each option and whether it is given.
    var given: [(String, Bool)] {
        [
            ("--prior", prior != nil), ("--embedding", embedding != nil),
            ("--prior-steps", priorSteps != nil),
            ("--prior-guidance", priorGuidance != nil), ("--prior-candidates", priorCandidates != nil),
        ]
    }

    /// - Parameter options: how the decoder is opened.
    func set(_ request: inout Request, _ options: ModelOptions) throws {
        (request.priorSteps, request.priorGuidance) = (priorSteps, priorGuidance)
        (request.embeddings.origin, request.embeddings.candidates) = (embedding, priorCandidates)
        var plain = ModelOptions()
        (plain.elementType, plain.device) = (options.elementType, options.device)
        request.embeddings.prior = try prior.map { try Model($0, plain) }
    }
}

/// `cat.safetensors:<cat>`: a file of learned vectors and their word; or where unCLIP's embedding is from. A file whose name is
/// one of those words is written with its folder, `./text`.
enum EmbeddingOption {
    case origin(Request.Embeddings.Origin)
    case words(ModelEmbedding)

    @Sendable init(argument: String) throws {
        if let origin = Request.Embeddings.Origin(rawValue: argument) {
            self = .origin(origin)
            return
        }
        // A name may hold a colon: the whole argument is the file where there is one.
        guard !Files.exists(argument), let colon = argument.lastIndex(of: ":") else {
            self = .words(ModelEmbedding(try pathArgument(argument)))
            return
        }
        let word = String(argument[argument.index(after: colon)...])
        guard !word.isEmpty else {
            throw ValidationError("there is no word behind the colon: give FILE:WORD")
        }
        self = .words(ModelEmbedding(try pathArgument(String(argument[..<colon])), word: word))
    }
}

/// How the embedding of a picture is changed before a decoder makes a picture of it: shared by the commands that do so.
struct EmbeddingOptions: ParsableArguments {
    @Option(
        help:
            "unCLIP: a second picture: --count pictures from what --image shows to what this one does, along the great circle between CLIP's embeddings of both; none where not given.",
        transform: pathArgument)
    var imageTo: String?

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "unCLIP: two texts FROM TO: --count pictures from what --image shows on the way from what the first text says to what the second does; none where not given.",
            valueName: "from to"))
    var textDiff: [String] = []

    @Option(help: "How far the last picture of --text-diff goes, above 0 to 1; by default 0.4.")
    var textDiffShare: Double?

    func validate() throws {
        guard [0, 2].contains(textDiff.count) else {
            throw ValidationError(
                "--text-diff takes two texts, each in quotes: what is shown, and what is to be")
        }
        guard textDiffShare == nil || !textDiff.isEmpty else {
            throw ValidationError(
                "--text-diff-share says how far --text-diff goes: give two texts, or leave it out")
        }
    }

    func set(_ request: inout Request) throws {
        request.embeddings.towards = try imageTo.map {
            try Picture(contentsOf: URL(file: $0), limit: Picture.requestLimit)
        }
        request.files["image-to"] = try imageTo.map(InputFile.init)
        guard textDiff.count == 2 else { return }
        request.embeddings.difference = .init(from: textDiff[0], to: textDiff[1], share: textDiffShare)
    }
}

/// How unCLIP's pictures are enlarged.
struct UpscalingOptions: ParsableArguments {
    @Option(help: "unCLIP: the steps of what enlarges the pictures; by default 7.")
    var upscaleSteps: Int?

    func set(_ request: inout Request) { request.upscaleSteps = upscaleSteps }
}
