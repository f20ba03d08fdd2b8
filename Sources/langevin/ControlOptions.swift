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
            "A control network (ControlNet) that was made for the model, a folder with its config.json, a .safetensors file in the original layout or org/name of the hub, none by default; repeatable. --control, --control-scale, --control-start and --control-end behind it belong to it.",
        transform: pathArgument)
    var controlnet: [String] = []

    @Option(
        help:
            "A T2I-Adapter that was made for the model, a folder with its config.json or org/name of the hub, none by default; repeatable. The same options behind it belong to it.",
        transform: pathArgument)
    var adapter: [String] = []

    @Option(
        help:
            "Behind --controlnet or --adapter: the picture that it is given, as 'langevin control' makes some, or .safetensors with the tensor 'control' [channels, height, width]; there is none by default. Without --width and --height pictures have its size.",
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
        name: .customLong(ControlNetOption.name), help: .private, transform: ControlNetOption.init(argument:))
    var controlnetOptions: [ControlNetOption] = []

    /// What stands behind an `--adapter`.
    @Option(
        name: .customLong(AdapterControlOption.name), help: .private,
        transform: AdapterControlOption.init(argument:))
    var adapterOptions: [AdapterControlOption] = []

    func validate() throws {
        let early = [
            ("--control", control != nil), ("--control-scale", controlScale != nil),
            ("--control-start", controlStart != nil), ("--control-end", controlEnd != nil),
        ]
        if let name = early.first(where: \.1)?.0 {
            throw ValidationError("\(name) belongs to a --controlnet or an --adapter: write it behind one")
        }
    }

    /// Each network with what follows it, control networks first.
    var groups: [ControlGroup] {
        func grouped(_ leader: String, _ paths: [String], _ options: [any ControlFollowing]) -> [ControlGroup]
        {
            paths.enumerated().map { index, path in
                let own = options.filter { $0.number == index }.map { ($0.option, $0.value) }
                return ControlGroup(
                    leader: leader, path: path,
                    values: Dictionary(own, uniquingKeysWith: { first, _ in first }))
            }
        }
        return grouped(ControlNetOption.leader, controlnet, controlnetOptions)
            + grouped(AdapterControlOption.leader, adapter, adapterOptions)
    }

    /// - Parameter options: how the model is opened.
    func set(_ request: inout Request, _ options: ModelOptions) throws {
        request.guessMode = guessMode
        request.controls = try groups.map { try $0.control(options) }
    }
}

/// A network that controls, with what follows it in the command line.
struct ControlGroup {
    let leader: String
    let path: String
    let values: [String: String]

    /// - Parameter options: how the model is opened.
    func control(_ options: ModelOptions) throws -> Request.Control {
        guard let file = values["--control"] else {
            throw PipelineError("\(leader) \(path) is given no picture: write --control FILE behind it")
        }
        func number(_ option: String, _ usual: Double) throws -> Double {
            guard let text = values[option] else { return usual }
            guard let number = Double(text) else {
                throw PipelineError("\(option) behind \(leader) is '\(text)': give a number")
            }
            return number
        }
        let input: Request.Control.Input =
            file.lowercased().hasSuffix(".safetensors")
            ? .numbers(try SafetensorsFile(path: file).tensor(named: "control"))
            : .picture(try Picture(contentsOf: URL(file: file), limit: Picture.requestLimit))
        let network = try ControlModel(path, options)
        guard network.isAdapter == (leader == AdapterControlOption.leader) else {
            throw PipelineError(
                network.isAdapter
                    ? "--controlnet: '\(path)' is a T2I-Adapter: give it by --adapter"
                    : "--adapter: '\(path)' is a ControlNet: give it by --controlnet")
        }
        var control = Request.Control(network, input)
        control.scale = try number("--control-scale", 1)
        (control.start, control.end) = try (number("--control-start", 0), number("--control-end", 1))
        control.file = try InputFile(file)
        return control
    }
}

/// An option that stands behind a network which controls.
protocol ControlFollowing: FollowingOption {
    /// The number of the network.
    var number: Int { get }
    var option: String { get }
    var value: String { get }
}

extension ControlFollowing {
    static func takesValue(_ option: String) -> Bool? {
        ["--control", "--control-scale", "--control-start", "--control-end"].contains(option) ? true : nil
    }
}

/// An option behind a `--controlnet`.
struct ControlNetOption: ControlFollowing {
    static let name = "control-option"
    static let leader = "--controlnet"
    let number: Int
    let option: String
    let value: String

    @Sendable init(argument: String) throws { (number, option, value) = try Self.parts(of: argument) }
}

/// An option behind an `--adapter`.
struct AdapterControlOption: ControlFollowing {
    static let name = "adapter-option"
    static let leader = "--adapter"
    let number: Int
    let option: String
    let value: String

    @Sendable init(argument: String) throws { (number, option, value) = try Self.parts(of: argument) }
}
