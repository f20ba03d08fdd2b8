import ArgumentParser
import Checkpoints
import Foundation
import Pictures
import Pipelines
import Tensors

/// Networks that control what a model draws, each with what follows it.
struct ControlOptions: ParsableArguments {
    @Option(
        help:
            "A control network (ControlNet) that was made for the model, a folder with its config.json or org/name of the hub, none by default; repeatable. --control, --control-scale, --control-start and --control-end behind it belong to it.",
        transform: pathArgument)
    var controlnet: [String] = []

    @Option(
        help:
            "Behind --controlnet: the picture that it is given, as 'langevin control' makes some, or .safetensors with the tensor 'control' [channels, height, width]; there is none by default. Without --width and --height pictures have its size.",
        transform: pathArgument)
    var control: String?

    @Option(help: "Behind --controlnet: what its control is multiplied with; by default 1.")
    var controlScale: Double?

    @Option(
        help: "Behind --controlnet: the share of the steps before which it adds nothing; by default 0.")
    var controlStart: Double?

    @Option(help: "Behind --controlnet: the share of the steps after which it adds nothing; by default 1.")
    var controlEnd: Double?

    @Flag(
        help:
            "Let pictures of --control say what is wanted, whatever the prompt is: control acts on the conditional branch alone, and the less the higher the resolution."
    )
    var guessMode = false

    /// What stands behind a `--controlnet`, as `CommandWords` hands it on.
    @Option(
        name: .customLong(ControlOption.name), help: .private, transform: ControlOption.init(argument:))
    var controlOptions: [ControlOption] = []

    func validate() throws {
        let early = [
            ("--control", control != nil), ("--control-scale", controlScale != nil),
            ("--control-start", controlStart != nil), ("--control-end", controlEnd != nil),
        ]
        if let name = early.first(where: \.1)?.0 {
            throw ValidationError("\(name) belongs to a --controlnet: write it behind one")
        }
    }

    /// What is given behind a `--controlnet`.
    func value(_ option: String, of index: Int) -> String? {
        controlOptions.first { $0.number == index && $0.option == option }?.value
    }

    /// - Parameter options: how the model is opened.
    func set(_ request: inout Request, _ options: ModelOptions) throws {
        request.guessMode = guessMode
        request.controls = try controlnet.enumerated().map { index, path in
            guard let file = value("--control", of: index) else {
                throw PipelineError(
                    "--controlnet \(path) is given no picture: write --control FILE behind it")
            }
            func number(_ option: String, _ usual: Double) throws -> Double {
                guard let text = value(option, of: index) else { return usual }
                guard let number = Double(text) else {
                    throw PipelineError("\(option) behind --controlnet is '\(text)': give a number")
                }
                return number
            }
            let input: Request.Control.Input =
                file.lowercased().hasSuffix(".safetensors")
                ? .numbers(try SafetensorsFile(path: file).tensor(named: "control"))
                : .picture(try Picture(contentsOf: URL(file: file), limit: Picture.requestLimit))
            var control = Request.Control(try ControlModel(path, options), input)
            control.scale = try number("--control-scale", 1)
            (control.start, control.end) = try (number("--control-start", 0), number("--control-end", 1))
            control.file = try InputFile(file)
            return control
        }
    }
}

/// An option that stands behind a `--controlnet` and belongs to it.
struct ControlOption: FollowingOption {
    static let name = "control-option"
    static let leader = "--controlnet"
    private static let options: Set = ["--control", "--control-scale", "--control-start", "--control-end"]

    /// The number of the `--controlnet`.
    let number: Int
    let option: String
    let value: String

    static func takesValue(_ option: String) -> Bool? { options.contains(option) ? true : nil }

    @Sendable init(argument: String) throws { (number, option, value) = try Self.parts(of: argument) }
}
