import ArgumentParser
import Checkpoints
import Diffusion
import Foundation
import Layers
import Networks
import Pictures
import Pipelines
import Storage
import Tensors

struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make pictures from a prompt.",
        discussion: """
            Picture i of a call uses seed S + i, whatever the batch size and device. With --image the picture is \
            changed (--strength says how much); with --mask only its white part is. Without --model the model that comes \
            with the program draws emoji of 64×64 pixels (docs/EmojiModel.md).
            """)

    @Argument(help: "What the pictures shall show.")
    var prompt: String?

    @Option(
        help: "In place of PROMPT: a text file with a prompt on each line, and a picture of each.",
        transform: pathArgument)
    var prompts: String?

    @Option(
        help:
            "A run folder, a folder in the diffusers layout, or a .safetensors file in the original layout of Stable Diffusion or as 'convert' writes it, or org/name of the hub; by default the model that comes with the program.",
        transform: pathArgument)
    var model: String?

    @Option(
        name: [.short, .long],
        help:
            "A picture (.png .jpg .webp; a sheet where there are several and no %d), .safetensors for the raw latents 'samples', or a folder.",
        transform: pathArgument)
    var output: String?

    @Option(
        help:
            "In place of PROMPT: a picture of this program, which is made again from its receipt and compared (-o is not needed then); a new picture is made where not given. Models and files are looked for under their names in the working folder where --model, --image and others do not say where they are.",
        transform: pathArgument)
    var replay: String?

    @Flag(help: "With --replay: models and files of other digests will do.")
    var anyModel = false

    @Option(help: "What the pictures shall not show; takes the place of the unconditional branch.")
    var negativePrompt: String?

    @OptionGroup var pictures: PictureOptions
    @OptionGroup var sampling: SamplingOptions
    @OptionGroup var guiding: GuidanceOptions
    @OptionGroup var noise: NoiseOptions
    @OptionGroup var prior: PriorOptions
    @OptionGroup var embeddings: EmbeddingOptions
    @OptionGroup var upscaling: UpscalingOptions
    @OptionGroup var level: NoiseLevelOption

    @Option(help: "Layers of CLIP that are left out at its end.")
    var clipSkip = 0

    @Flag(
        help:
            "Read prompts as AUTOMATIC1111's web interface does: weights ((word:1.2), (word), [word]), changes over the steps ([a:b:0.5], [a:b:10], [a:0.5], [a::0.5], turns [a|b]), parts of as many tokens each (BREAK) and adapters (<lora:name:0.8>)."
    )
    var promptWeights = false

    @Option(
        help:
            "With --prompt-weights: weights multiply states whose mean then stays what it was (a1111), or how far states are from those of an empty text (comfyui); by default a1111."
    )
    var weightNormalization: WeightNormalization?

    @Option(
        help:
            "The folder of the adapters that prompts name (<lora:name:0.8>) and --lora does not give; none where not given.",
        transform: pathArgument)
    var loraFolder: String?

    @OptionGroup var reference: ReferenceOptions
    @OptionGroup var control: ControlOptions
    @OptionGroup var imagePrompts: ImagePromptOptions
    @OptionGroup var cascade: CascadeOptions
    @OptionGroup var sizes: SizeOptions
    @OptionGroup var memory: MemoryFlags
    @OptionGroup var reading: ReadingOptions
    @OptionGroup var parts: PartOptions
    @OptionGroup var hub: HubOptions

    @Option(
        help: "A picture that shows, after every step, what is coming; needs --preview-model.",
        transform: pathArgument)
    var preview: String?

    @Option(
        help: "The tiny autoencoder that makes previews (TAESD), a folder with its config.json.",
        transform: pathArgument
    )
    var previewModel: String?

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    @OptionGroup var compute: ComputeOptions

    func validate() throws {
        if replay != nil {
            guard prompt == nil, prompts == nil else {
                throw ValidationError(
                    "--replay has the prompt of the picture: leave out PROMPT and --prompts")
            }
            return
        }
        guard !anyModel else { throw ValidationError("--any-model goes with --replay: leave it out") }
        guard output != nil else { throw ValidationError("Missing expected argument '--output <output>'") }
        guard (prompt == nil) != (prompts == nil) else {
            throw ValidationError(
                prompt == nil
                    ? "Missing expected argument '<prompt>'"
                    : "PROMPT and --prompts exclude each other: give one of them")
        }
        guard prompts == nil || pictures.count == 1 else {
            throw ValidationError("--prompts makes a picture of each line: leave out --count")
        }
    }

    func run() throws {
        if let replay {
            try Replay(of: replay, by: self).run()
        } else {
            try prepared().execute(printing: json)
        }
    }

    /// The run, looked at and not begun.
    func prepared() throws -> SamplingRun {
        let start = ContinuousClock().now
        let device = try compute.open()
        let texts = try prompts.map(PromptFile.lines(of:)) ?? [prompt ?? ""]
        let count = prompts == nil ? pictures.count : texts.count
        let output = try SampleOutput(output ?? "", count: count)
        if let preview {
            try SampleOutput.checkPicture(preview)
            try checkApart("--preview", preview, from: output.names)
        }
        var options = ModelOptions()
        (options.elementType, options.device, options.memory) = (compute.dtype, device, memory.options)
        parts.set(&options)
        options.embeddings = prior.words
        let tagged = try adapters(named: texts)
        options.adapters = tagged.adapters
        (options.prediction, options.isStrict) = (reading.prediction?.prediction, reading.strict)
        options.locator = hub.locator
        let model = try model ?? ShippedModel.path()
        let path = try hub.path(of: model, variant: parts.variant)
        let fetched = path == model ? nil : ContinuousClock().now
        options.autoencoder = try options.autoencoder.map { try hub.locator.path(of: $0) }
        options.imageEncoder = try imagePrompts.ipEncoder.map { try hub.locator.path(of: $0) }
        let source = try ModelSource(path, options)
        var notes = try compute.notes + tagged.notes + source.foreignKeys() + source.notes()
        var request = try request(options)
        (request.prompts, request.count) = (texts, count)
        try checkUnused(source)
        let opened = try Model(source, options)
        if let refiner = reference.refiner {
            let last = try ModelSource(
                refiner, variant: parts.variant, isStrict: reading.strict, locator: hub.locator)
            notes += last.notes()
            request.refiner = try Model(last, options)
        }
        let run = try opened.run(request, decodes: !output.isTensor)
        notes += try checkUnused(run)
        return SamplingRun(
            run: run, output: output, preview: preview, notes: notes, start: start, fetched: fetched)
    }

    /// The adapters, also those that prompts name, and notes on them.
    private func adapters(named prompts: [String]) throws -> (adapters: [ModelAdapter], notes: [String]) {
        let given = parts.lora.map(\.adapter)
        guard promptWeights else {
            try Self.refuse([
                (loraFolder != nil, "--lora-folder is for prompts that are read with --prompt-weights")
            ])
            let isTagged = prompts.contains { $0.contains("<lora:") }
            return (
                given,
                isTagged ? ["<lora:…> in the prompt is text: it names an adapter with --prompt-weights"] : []
            )
        }
        let all = try ModelAdapter.named(in: prompts, given: given, folder: loraFolder)
        try Self.refuse([
            (loraFolder != nil && all.count == given.count, "--lora-folder: no prompt names an adapter in it")
        ])
        return (all, [])
    }

    private func request(_ options: ModelOptions) throws -> Request {
        var request = try pictures.request(sampling)
        request.negativePrompt = negativePrompt
        try guiding.set(&request, options)
        try noise.set(&request, seed: sampling.seed != nil)
        try prior.set(&request, options)
        try embeddings.set(&request)
        upscaling.set(&request)
        level.set(&request)
        (request.clipSkip, request.weighsWords) = (clipSkip, promptWeights)
        request.weightNormalization = weightNormalization ?? .a1111
        request.previewModel = previewModel
        try reference.set(&request)
        try control.set(&request, options)
        try imagePrompts.set(&request)
        sizes.set(&request)
        try cascade.set(&request, options)
        return request
    }
}

/// What pictures start from.
struct ReferenceOptions: ParsableArguments {
    @Option(
        help: "A picture to start from; or .safetensors with the latents 'samples' of another run.",
        transform: pathArgument)
    var image: String?

    @Option(
        help:
            "Of models that enlarge --image and can begin with the picture that it is a smaller variation of (DeepFloyd IF): that picture, or .safetensors with 'samples'; --strength and --mask are about it. They begin with noise where not given.",
        transform: pathArgument)
    var original: String?

    @Option(help: "How much of the picture is made anew, above 0 to 1; by default 0.8, with a mask 1.")
    var strength: Double?

    @Option(help: "A picture whose white part is painted anew.", transform: pathArgument)
    var mask: String?

    @Option(
        help:
            "Of models that are conditioned on depths: how far away what --image shows is, a grey picture or .safetensors with the tensor 'depth' [height, width] in any unit; where not given, the model's own estimator finds it.",
        transform: pathArgument)
    var depth: String?

    @Option(
        help:
            "What transparent parts of --image and --mask are laid on; without it the colours stored under them count."
    )
    var background: Colour?

    @Option(help: "Begin at this share of the process with the latents of --image.")
    var denoisingStart: Double?

    @Option(help: "Stop at this share of the process, for another model to go on.")
    var denoisingEnd: Double?

    @Flag(
        help:
            "Let --denoising-start, --denoising-end and --refiner fall between steps of heun, dpm2 and dpmpp-sde; diffusers counts their calls of the network, two a step."
    )
    var wholeSteps = false

    @Option(
        help: "A model that goes on where --denoising-end (0.8) stops, such as SDXL's refiner.",
        transform: pathArgument)
    var refiner: String?

    func set(_ request: inout Request) throws {
        request.reference = try image.map(Request.Reference.init(file:))
        request.original = try original.map(Request.Reference.init(file:))
        request.mask = try mask.map(picture)
        request.files["image"] = try image.map(InputFile.init)
        request.files["original"] = try original.map(InputFile.init)
        request.files["mask"] = try mask.map(InputFile.init)
        request.depth = try depth.map(Tensor.depth(file:))
        request.files["depth"] = try depth.map(InputFile.init)
        try setBackground(&request)
        (request.strength, request.denoisingStart, request.denoisingEnd) = (
            strength, denoisingStart, denoisingEnd
        )
        request.takesWholeSteps = wholeSteps
    }

    private func setBackground(_ request: inout Request) throws {
        guard let background else { return }
        guard case .picture(let picture) = request.reference else {
            throw PipelineError(
                "--background is what transparent parts of a picture are laid on: give --image a picture, or leave it out"
            )
        }
        var pictures = [picture, request.mask].compactMap(\.self)
        if case .picture(let original) = request.original { pictures.append(original) }
        // Otherwise it would change nothing.
        if pictures.contains(where: \.isTransparent) { request.background = background }
    }

    private func picture(_ path: String) throws -> Picture {
        try Picture(contentsOf: URL(file: path), limit: Picture.requestLimit)
    }
}

/// The sizes that SDXL is conditioned on.
struct SizeOptions: ParsableArguments {
    @Option(
        help: "SDXL: the original size that it is conditioned on, WxH; the picture's own where not given.",
        transform: PixelSize.init(argument:))
    var originalSize: PixelSize?

    @Option(
        help: "SDXL: the target size that it is conditioned on, WxH; the picture's own where not given.",
        transform: PixelSize.init(argument:))
    var targetSize: PixelSize?

    @Option(
        help:
            "SDXL: the corner of the crop that it is conditioned on, X,Y from the left and the top; by default 0,0.",
        transform: PixelOffset.init(argument:))
    var crop: PixelOffset?

    @Option(help: "SDXL's refiner: the aesthetic score that it is conditioned on; by default 6.")
    var aestheticScore: Double?

    func set(_ request: inout Request) {
        request.originalSize = originalSize?.size
        request.targetSize = targetSize?.size
        if let crop { request.crop = (crop.y, crop.x) }
        if let aestheticScore { request.aestheticScores.wanted = aestheticScore }
    }
}

/// How the model is kept in memory.
struct MemoryFlags: ParsableArguments {
    @Flag(help: "Keep the matrices of text encoders in 8 bits; pictures change a little.")
    var textEncoderInt8 = false

    @Flag(
        help:
            "Keep the matrices of the denoising network in 8 bits; pictures change a little, steps are slower."
    )
    var networkInt8 = false

    @Flag(
        help:
            "Multiply the denoising network's float32 matrices as sums of two bfloat16 numbers, on processors with AMX; steps are faster, pictures change by some 1e-5."
    )
    var networkBf16x3 = false

    @Flag(help: "Let large pictures pass through the autoencoder piece by piece; they change a little.")
    var vaeTiling = false

    @Option(help: "Heads of attention that are computed at once: a number, auto (half of them) or max (one).")
    var attentionSlicing: AttentionSlicing?

    func validate() throws {
        if networkInt8 && networkBf16x3 {
            throw ValidationError("--network-int8 and --network-bf16x3 exclude each other: give one of them")
        }
    }

    var options: MemoryOptions {
        var options = MemoryOptions()
        options.textEncoders = textEncoderInt8 ? .int8 : .full
        options.network = networkInt8 ? .int8 : networkBf16x3 ? .bfloat16x3 : .full
        options.tilesAutoencoder = vaeTiling
        options.attentionSlicing = attentionSlicing ?? .whole
        return options
    }
}

extension AttentionSlicing: ExpressibleByArgument {
    /// A number, or one of diffusers' words.
    public init?(argument: String) {
        switch argument {
        case "auto": self = .halves
        case "max": self = .heads(1)
        default:
            guard let count = Int(argument), count > 0 else { return nil }
            self = .heads(count)
        }
    }
}

extension WeightNormalization: ExpressibleByArgument {}

extension Colour: ExpressibleByArgument {
    /// A colour as CSS writes it.
    public init?(argument: String) { self.init(css: argument) }
    /// What can be given.
    public static var allValueStrings: [String] { ["#rrggbb"] + names }
}

/// `1024x768`: width and height.
struct PixelSize {
    let size: Request.Size

    @Sendable init(argument: String) throws {
        guard let (width, height) = twoParts(of: argument, at: "x", { Int($0) }),
            (1...1_000_000).contains(width), (1...1_000_000).contains(height)
        else { throw ValidationError("give a width and a height from 1 to 1000000, such as 1024x768") }
        size = .init(height: height, width: width)
    }
}

/// `16,0`: from the left and from the top.
struct PixelOffset {
    let x: Int
    let y: Int

    @Sendable init(argument: String) throws {
        guard let (x, y) = twoParts(of: argument, at: ",", { Int($0) }), (0...1_000_000).contains(x),
            (0...1_000_000).contains(y)
        else { throw ValidationError("give two numbers from 0 to 1000000, such as 16,0") }
        (self.x, self.y) = (x, y)
    }
}
