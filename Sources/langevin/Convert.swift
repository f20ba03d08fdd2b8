import ArgumentParser
import Pipelines
import Tensors

struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a model as a folder in the diffusers layout, or a file's tensors as safetensors.",
        discussion: """
            A model in one file is recognised by its tensors' names and shapes. Every tensor must have its place in \
            its network, and the other way round. Pickles (.ckpt, .pt, .bin) are recognized by their bytes and read \
            without running them; this is the only command that takes them. GGUF files are read everywhere, their \
            quantized tensors expanded to float32 (F16, BF16, Q4_0 to Q8_0, Q4_K to Q6_K).
            """)

    @Argument(
        help:
            "A run folder, a folder in the diffusers layout, one network's folder, a checkpoint in one file, or org/name of the hub.",
        transform: pathArgument)
    var input: String

    @Argument(
        help: "What to write, which must not be there yet: a folder, or a file that ends in .safetensors.",
        transform: pathArgument)
    var output: String

    @Option(
        help:
            "What floating-point numbers become; as they are by default."
    )
    var dtype: Precision?

    @Option(help: "The set of weights in a folder, such as fp16; parts that lack it have the plain one.")
    var variant: String?

    @Option(
        help:
            "For one file: a folder whose configurations and tokenizers describe it, where its sizes are its own.",
        transform: pathArgument)
    var config: String?

    @Flag(help: "For one file: take the moving average of its network.")
    var ema = false

    @OptionGroup var reading: ReadingOptions
    @OptionGroup var hub: HubOptions

    @Flag(
        help: ArgumentHelp(
            "Count tensors outside the model's parts and pass over them, which is what happens anyway.",
            visibility: .hidden))
    var allowStrays = false

    @Option(help: "For a pickle of several dictionaries of tensors: which one.")
    var entry: String?

    func validate() throws {
        if allowStrays && reading.strict {
            throw ValidationError("--allow-strays and --strict exclude each other: give one of them")
        }
    }

    func run() throws {
        var conversion = Conversion()
        conversion.elementType = dtype?.type
        conversion.variant = variant
        conversion.configurations = config
        conversion.usesAverage = ema
        conversion.isStrict = reading.strict
        conversion.prediction = reading.prediction?.prediction
        conversion.entry = entry
        let input = try hub.path(of: input, variant: variant)
        for line in try conversion.run(input, to: output) { say(line) }
        say("wrote \(output)")
    }
}
