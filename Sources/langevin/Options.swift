import ArgumentParser
import Checkpoints
import Diffusion
import Pipelines
import Tensors

/// Where and how precisely: shared by every command that computes.
struct ComputeOptions: ParsableArguments {
    @Option(help: "Where the arithmetic runs: cpu, cuda, cuda:N, mps.")
    var device = "cpu"

    @Option(name: .customLong("dtype"), help: "How precisely.")
    var precision = Precision(.float32)

    @Option(
        help:
            "Processor threads of one operation, at most as many as there are processors; libtorch decides where none are given."
    )
    var threads: Int?

    /// What numbers are computed in.
    var dtype: ElementType { precision.type }

    /// The device, with the number of threads set.
    func open() throws -> Device {
        if let threads { try setThreadCount(threads) }
        return try openedDevice(device)
    }

    /// What is worth knowing of the options, said when all is known to be right.
    var notes: [String] { threads.map(threadNotes) ?? [] }
}

/// What is worth knowing where more threads are given than there are processors.
func threadNotes(_ count: Int) -> [String] {
    guard count > Machine.processorCount else { return [] }
    return ["--threads is \(count): there are \(Machine.processorCount) processors, and as many are used"]
}

/// Sets how many threads an operation may use, as `--threads` says: where there are fewer processors, as many as those,
/// since more would only wait for each other.
/// - Returns: the number that was set.
@discardableResult
func setThreadCount(_ count: Int) throws -> Int {
    guard (1...1024).contains(count) else {
        throw PipelineError("--threads is \(count): give a number from 1 to 1024")
    }
    let used = min(count, Machine.processorCount)
    try Machine.setThreadCount(used)
    return used
}

/// The name of a file or folder as an option or argument gives it.
@Sendable func pathArgument(_ argument: String) throws -> String {
    guard !argument.isEmpty else { throw ValidationError("it is empty: give the name of a file or folder") }
    return argument
}

/// The two parts of an argument such as `1024x768`; `nil` where there are not two, or one cannot be read.
func twoParts<Value>(of argument: String, at separator: Character, _ read: (Substring) -> Value?) -> (
    Value, Value
)? {
    let parts = argument.split(separator: separator, omittingEmptySubsequences: false).map(read)
    guard parts.count == 2, let first = parts[0], let second = parts[1] else { return nil }
    return (first, second)
}

/// The device that `--device` names.
func openedDevice(_ name: String) throws -> Device {
    do {
        return try Device(available: name)
    } catch {
        throw PipelineError("--device: \(error)")
    }
}

/// How pictures are drawn: shared by every command that samples.
struct SamplingOptions: ParsableArguments {
    @Option(help: "Seed of the first picture; -1 draws one. (default: 0)", transform: Seed.init(argument:))
    var seed: Seed?

    @Option(
        help: ArgumentHelp(
            "Where noise is drawn from: \(NoiseGenerator.all.map { "\($0.word) (\($0.meaning))" }.joined(separator: ", "))."
        ))
    var rng = NoiseGenerator.torch

    @Option(help: "Solver steps; the model's own where none are given.")
    var steps: Int?

    @Option(help: "The solver; the model's own where none is given.")
    var solver: Method?

    @Option(
        help:
            "DDIM's η, 0 (deterministic) to 1 (ancestral), and that of other methods that have one; the method's own where not given."
    )
    var eta: Double?

    @Option(
        help:
            "The scale of guidance; without --guidance-method it is classifier-free, and 1 and below is the conditional branch alone; the model's own where not given."
    )
    var guidance: Double?

    @Option(
        help:
            "How the estimated data are kept in range at every step, of models of pixels: static cuts them off at ±1 (static:R at ±R); dynamic at the 0.995 quantile of their magnitudes where that is above 1, and scales them back (dynamic:QUANTILE:LARGEST); the model's own way where not given."
    )
    var threshold: Thresholding?

    /// A request for `count` pictures with the values of the options, that leaves the rest to the model.
    func request(count: Int) -> Request {
        var request = Request()
        request.count = count
        if let seed {
            request.seed = seed.value
            if seed.isDrawn { say("seed \(seed.value)") }
        }
        request.rng = rng
        request.steps = steps
        request.solver = solver
        request.eta = eta
        request.guidance = guidance
        request.thresholding = threshold
        return request
    }
}

/// How many pictures of what size, and from where: shared by the commands that make pictures.
struct PictureOptions: ParsableArguments {
    @Option(help: "The number of pictures.")
    var count = 1

    @Option(help: "How the steps are spread; the model's own way where not given.")
    var grid: Grid?

    @Option(
        help: "Start from the tensor 'latents' of a safetensors file instead of drawing noise.",
        transform: pathArgument)
    var initial: String?

    @Option(help: "Width in pixels; the model's own where not given.")
    var width: Int?

    @Option(help: "Height in pixels; the model's own where not given.")
    var height: Int?

    @Option(
        help:
            "The most pictures that pass through the network at once; by default 64 of pixels, 4 of latents.")
    var batchSize: Int?

    @Option(
        help:
            "Run the deep layers of a U-Net in every Nth call only, and reuse their output: faster, and another picture."
    )
    var reuseDeep = 1

    /// A request with what these and the shared options say.
    func request(_ sampling: SamplingOptions) throws -> Request {
        var request = sampling.request(count: count)
        request.grid = grid
        (request.width, request.height) = (width, height)
        request.batchSize = batchSize
        request.deepFeatureInterval = reuseDeep
        if let initial {
            request.initial = try SafetensorsFile(path: initial).tensor(named: "latents")
            request.files["initial"] = try InputFile(initial)
        }
        return request
    }
}

/// A floating-point type by its name. It is no `ElementType` itself, because the help shows the raw values of those,
/// which are libtorch's numbers.
struct Precision: ExpressibleByArgument {
    let type: ElementType

    init(_ type: ElementType) { self.type = type }

    init?(argument: String) {
        guard let type = ElementType(name: argument), type.isFloatingPoint else { return nil }
        self.type = type
    }

    /// What the help shows.
    var defaultValueDescription: String { type.name }
    /// What can be given.
    static let allValueStrings = ["float32", "float64", "bfloat16", "float16"]
}

/// How a model is read: shared by the commands that make pictures.
struct ReadingOptions: ParsableArguments {
    @Option(
        help:
            "What the network predicts, whatever the model says: noise, data, v, flow, or diffusers' names (epsilon, v_prediction …); what the model says where not given."
    )
    var prediction: NetworkPrediction?

    @Flag(
        help:
            "For one file: refuse tensors outside the model's parts, which are counted and passed over otherwise."
    )
    var strict = false
}

/// What a network of diffusers predicts, by this program's word or by diffusers' name.
struct NetworkPrediction: ExpressibleByArgument {
    let prediction: Prediction

    init?(argument: String) {
        guard let found = Prediction(word: argument) ?? Prediction(rawValue: argument), found != .score else {
            return nil
        }
        prediction = found
    }

    static var allValueStrings: [String] { ["noise", "data", "v", "flow"] }
}

extension Method: ExpressibleByArgument {}

extension NoiseGenerator: ExpressibleByArgument {
    /// The generator of a word.
    public init?(argument: String) { self.init(word: argument) }
    /// What the help shows.
    public var defaultValueDescription: String { word }
    /// What can be given.
    public static var allValueStrings: [String] { all.map(\.word) }
}

extension Grid: ExpressibleByArgument {}

/// A seed: 0 to 2⁶⁴ − 1, or −1 for one drawn now.
struct Seed: CustomStringConvertible {
    let value: UInt64
    /// Whether nobody chose it, so that it has to be said.
    let isDrawn: Bool

    @Sendable init(argument: String) throws {
        isDrawn = argument == "-1"
        guard let value = isDrawn ? UInt64(UInt32.random(in: 0...UInt32.max)) : UInt64(argument) else {
            throw ValidationError("give a whole number from 0 to \(UInt64.max), or -1 for one that is drawn")
        }
        self.value = value
    }

    init(_ value: UInt64) { (self.value, isDrawn) = (value, false) }

    /// What the help shows.
    var description: String { String(value) }
}

/// A class by number, or all of them.
struct ClassChoice {
    let classes: Request.Classes

    @Sendable init(argument: String) throws {
        if argument == "all" {
            classes = .all
        } else {
            guard let number = Int(argument) else {
                throw ValidationError("give the number of a class, or 'all'")
            }
            classes = .one(number)
        }
    }
}

/// Throws where a further picture would take the place of what `-o` names, or the other way round.
func checkApart(_ option: String, _ path: String, from output: OutputNames) throws {
    guard output.include(path) else { return }
    throw PipelineError("\(option) and -o are one file, \(path): give one of them another name")
}
