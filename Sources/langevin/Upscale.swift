import ArgumentParser
import Checkpoints
import Diffusion
import Foundation
import Pictures
import Pipelines
import Storage
import Tensors

struct Upscale: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a larger picture of one.",
        discussion: """
            By a filter (\(ResizeFilter.words.joined(separator: ", ")); the bytes are Pillow's), by a network in one pass \
            (Real-ESRGAN, SwinIR), or by a diffusion model that is given the picture (Stable Diffusion's x4 upscaler, latent \
            diffusion's super-resolution). docs/Upscaling.md shows them.
            """)

    @Argument(help: "The picture.", transform: pathArgument)
    var image: String

    @Option(
        help:
            "A filter's name; or a folder in the diffusers layout, or a .safetensors file, or org/name of the hub, of a model that enlarges.",
        transform: pathArgument)
    var model: String

    @Option(
        name: [.short, .long],
        help:
            "A picture (.png .jpg .webp), .safetensors for the raw tensor 'samples', or a folder.",
        transform: pathArgument)
    var output: String

    @Option(help: "Of filters: how many times larger the picture becomes; 4 where not given.")
    var scale: Int?

    @Option(
        help:
            "Of networks in one pass: the side of the pieces, in pixels, in which a large picture is taken; 0 takes it whole; 256 where not given."
    )
    var tile: Int?

    @OptionGroup var diffusion: UpscaleOptions

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    @OptionGroup var compute: ComputeOptions

    /// What a picture was made with by a filter or a network.
    private struct Record: Encodable {
        var command = "upscale"
        var program = "langevin \(Receipt.version)"
        var model: String
        var modelHash: String?
        var scale: Int
        var tile: Int?
        var width: Int
        var height: Int
        var dtype: String?
        var image: InputFile
        var files: [String]?

        enum CodingKeys: String, CodingKey {
            case command, program, model, scale, tile, width, height, dtype, image, files
            case modelHash = "model_hash"
        }
    }

    func run() throws {
        let start = ContinuousClock().now
        let device = try compute.open()
        let output = try SampleOutput(output, count: 1)
        if let filter = ResizeFilter(word: model) { return try apply(filter, output) }
        guard Files.exists(model) || ModelLocator.isOnHub(model) else {
            let words = ResizeFilter.words
            let advice = nearest(to: model, in: words).map { "; did you mean '\($0)'?" }
            throw PipelineError(
                "there is no filter and no model '\(model)'"
                    + (advice ?? ": give one of \(words.joined(separator: ", ")), or a model that enlarges"))
        }
        try Generate.refuse([
            (scale != nil, "--scale is for filters, and a model enlarges as many times as it was made for")
        ])
        var options = ModelOptions()
        (options.elementType, options.device) = (compute.dtype, device)
        diffusion.set(&options)
        options.locator = diffusion.hub.locator
        let path = try diffusion.hub.path(of: model, variant: diffusion.parts.variant)
        let fetched = path == model ? nil : ContinuousClock().now
        let source = try ModelSource(path, options)
        let notes = try compute.notes + source.foreignKeys() + source.notes()
        let opened = try Model(source, options)
        if let network = opened.upscaling { return try apply(network, notes, output) }
        guard opened.enlarges else {
            throw PipelineError(
                "\(opened.name) makes no larger picture of one: give a model that does, or a filter (\(ResizeFilter.words.joined(separator: ", ")))"
            )
        }
        try Generate.refuse([
            (tile != nil, "--tile is for networks in one pass, and \(opened.name) is a diffusion model")
        ])
        if !opened.takesPrompt {
            try Generate.refuse(
                diffusion.texts.map {
                    ($0.isGiven, "\($0.name): \(opened.name) is given the picture alone, and no text")
                })
        }
        let request = try diffusion.request(image, takesPrompt: opened.takesPrompt)
        let run = try opened.run(request, decodes: !output.isTensor)
        try SamplingRun(run: run, output: output, notes: notes, start: start, fetched: fetched)
            .execute(printing: json)
    }

    // MARK: Filters

    private func apply(_ filter: ResizeFilter, _ output: SampleOutput) throws {
        try Generate.refuse(
            (diffusion.given + diffusion.opening).map {
                ($0.isGiven, "\($0.name) is for diffusion models, and \(model) is a filter")
            } + [
                (compute.dtype != .float32, "--dtype is for models, and \(model) is a filter"),
                (tile != nil, "--tile is for networks in one pass, and \(model) is a filter"),
            ])
        let scale = self.scale ?? 4
        guard (1...1024).contains(scale) else {
            throw PipelineError("--scale is \(scale): give a whole number from 1 to 1024")
        }
        let picture = try Picture(contentsOf: URL(file: image))
        let (width, height) = (picture.width * scale, picture.height * scale)
        try SampleOutput.check(enlarged: picture, width: width, height: height)
        let result = picture.resized(width: width, height: height, filter: filter)
        try finish(
            Record(
                model: filter.rawValue, scale: scale, width: width, height: height,
                image: try InputFile(image))
        ) { try output.write(result, record: $0) }
    }

    // MARK: Networks in one pass

    private func apply(_ network: PictureUpscaling, _ notes: [String], _ output: SampleOutput) throws {
        try Generate.refuse(
            diffusion.given.map {
                (
                    $0.isGiven,
                    "\($0.name) is for diffusion models, and \(network.name) is a network in one pass"
                )
            })
        let side = tile ?? max(256, network.leastTile)
        guard side == 0 || side >= network.leastTile, side <= 16_384 else {
            throw PipelineError(
                "--tile is \(side): give a number from \(network.leastTile) to 16384, or 0 to take the picture whole"
            )
        }
        let picture = try Picture(contentsOf: URL(file: image))
        for note in notes { LangevinCommand.say("note: \(note)") }
        var bar: ProgressBar?
        defer { bar?.finish() }
        let colours = try network.enlarged(picture, tile: side == 0 ? nil : side) { done, count in
            bar = bar ?? ProgressBar(total: count)
            bar?.show(step: done)
        }
        let scale = network.traits.scale
        let record = Record(
            model: network.name, modelHash: try network.digest(), scale: scale,
            tile: side == 0 ? nil : side, width: picture.width * scale, height: picture.height * scale,
            dtype: compute.dtype.name, image: try InputFile(image))
        try finish(record) { text in
            guard picture.isTransparent, !output.isTensor else {
                return try output.write(colours, record: text)
            }
            // Networks know no transparency: it is enlarged by a filter.
            let alpha = picture.alpha.resized(width: record.width, height: record.height)
            return try output.write(try Picture(colours[0]).with(alpha: alpha), record: text)
        }
    }

    private func finish(_ record: Record, _ write: (String) throws -> [String]) throws {
        var record = record
        record.files = try write(String(decoding: try sortedJSON(record), as: UTF8.self))
        if json { try printJSON(record) }
    }
}

/// What a request to a diffusion model that enlarges holds.
struct UpscaleOptions: ParsableArguments {
    @Option(
        help: "Of models that are conditioned on a text: what the picture shows; nothing where not given.")
    var prompt: String?

    @Option(help: "What the picture shall not show; takes the place of the unconditional branch.")
    var negativePrompt: String?

    @Option(
        help:
            "How much noise is laid on the picture before the model is given it: the more, the freer it is; the model's own where not given."
    )
    var noiseLevel: Int?

    @Option(
        name: .customLong("class"),
        help: "Of networks that are conditioned on a class: which one; none where not given.")
    var label: Int?

    @Option(
        help:
            "Of models that can begin with the picture that IN is a smaller variation of (DeepFloyd IF): that picture; they begin with noise where not given.",
        transform: pathArgument)
    var original: String?

    @Option(help: "How much of --original is made anew, above 0 to 1; the model's own where not given.")
    var strength: Double?

    @Option(
        help: "A picture whose white part is where --original is made anew; all of it where not given.",
        transform: pathArgument)
    var mask: String?

    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var memory: MemoryFlags
    @OptionGroup var reading: ReadingOptions
    @OptionGroup var parts: PartOptions
    @OptionGroup var hub: HubOptions

    func set(_ options: inout ModelOptions) {
        options.memory = memory.options
        parts.set(&options)
        (options.prediction, options.isStrict) = (reading.prediction?.prediction, reading.strict)
    }

    /// A request for the larger picture of one.
    func request(_ image: String, takesPrompt: Bool) throws -> Request {
        var request = sampling.request(count: 1)
        request.prompt = prompt ?? (takesPrompt ? "" : nil)
        (request.negativePrompt, request.noiseLevel) = (negativePrompt, noiseLevel)
        (request.classes, request.strength) = (label.map { .one($0) }, strength)
        func picture(_ path: String) throws -> Picture {
            try Picture(contentsOf: URL(file: path), limit: Picture.requestLimit)
        }
        request.reference = .picture(try picture(image))
        request.original = try original.map { .picture(try picture($0)) }
        request.mask = try mask.map(picture)
        for (purpose, path) in [("image", image), ("original", original), ("mask", mask)] {
            request.files[purpose] = try path.map(InputFile.init)
        }
        return request
    }

    /// Each option that is a text, and whether it is given.
    var texts: [(name: String, isGiven: Bool)] {
        [("--prompt", prompt != nil), ("--negative-prompt", negativePrompt != nil)]
    }

    /// Each option that only a diffusion model reads, and whether it is given.
    var given: [(name: String, isGiven: Bool)] {
        texts + [
            ("--class", label != nil), ("--original", original != nil), ("--strength", strength != nil),
            ("--mask", mask != nil), ("--noise-level", noiseLevel != nil), ("--seed", sampling.seed != nil),
            ("--steps", sampling.steps != nil), ("--solver", sampling.solver != nil),
            ("--eta", sampling.eta != nil), ("--guidance", sampling.guidance != nil),
            ("--threshold", sampling.threshold != nil),
            ("--prediction", reading.prediction != nil),
        ]
    }

    /// Each option of how a model is opened, and whether it is given.
    var opening: [(name: String, isGiven: Bool)] {
        [
            ("--config", parts.config != nil), ("--variant", parts.variant != nil),
            ("--vae", parts.vae != nil),
            ("--strict", reading.strict), ("--revision", hub.revision != nil), ("--offline", hub.offline),
            ("an option that keeps a model small", memory.options != MemoryOptions()),
        ]
    }
}
