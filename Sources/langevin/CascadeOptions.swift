import ArgumentParser
import Pipelines

/// The further stages of a cascade, each with the numbers that follow it: shared by the commands that sample.
struct CascadeOptions: ParsableArguments {
    @Option(
        help:
            "The next stage of a cascade, a model that enlarges the pictures of the one before it, none by default; repeatable. --steps, --guidance, --noise-level, --temperature, --original-strength (above 0 to 1: it begins with --image itself, noised for this share of its steps) and --truncated behind it belong to it; all other options are of all stages.",
        transform: pathArgument)
    var then: [String] = []

    @Flag(
        help:
            "Behind --then: the stage before stops where the noise of --noise-level is left, in place of noise that is laid on its pictures."
    )
    var truncated = false

    /// What stands behind a `--then`, as `CommandWords` hands it on.
    @Option(name: .customLong(StageOption.name), help: .private, transform: StageOption.init(argument:))
    var stageOptions: [StageOption] = []

    func validate() throws {
        guard !truncated else {
            throw ValidationError(
                "--truncated is about the stage of a --then and the one before it: write it behind --then")
        }
    }

    /// - Parameter options: how the first model is opened.
    func set(_ request: inout Request, _ options: ModelOptions) throws {
        var plain = ModelOptions()
        (plain.elementType, plain.device) = (options.elementType, options.device)
        (plain.memory, plain.variant) = (options.memory, options.variant)
        request.following = try then.enumerated().map { index, path in
            var stage = Request.FollowingStage(try Model(path, plain))
            for option in stageOptions where option.stage == index { try option.set(&stage) }
            return stage
        }
    }
}

/// An option that stands behind a `--then` and belongs to its model.
struct StageOption: FollowingOption {
    static let name = "stage-option"
    static let leader = "--then"
    /// The options that belong to a stage, and how each is set; whether the value can be read.
    private static let rows: [String: @Sendable (inout Request.FollowingStage, String) -> Bool] = [
        "--steps": { stage, value in
            stage.steps = Int(value)
            return stage.steps != nil
        },
        "--guidance": { stage, value in
            stage.guidance = Double(value)
            return stage.guidance != nil
        },
        "--noise-level": { stage, value in
            stage.noiseLevel = Int(value)
            return stage.noiseLevel != nil
        },
        "--original-strength": { stage, value in
            stage.originalStrength = Double(value)
            return stage.originalStrength != nil
        },
        "--temperature": { stage, value in
            stage.temperature = Double(value)
            return stage.temperature != nil
        },
        "--truncated": { stage, _ in
            stage.truncates = true
            return true
        },
    ]

    /// The number of the `--then`.
    let stage: Int
    private let option: String
    private let value: String

    static func takesValue(_ option: String) -> Bool? {
        rows[option].map { _ in option != "--truncated" }
    }

    @Sendable init(argument: String) throws { (stage, option, value) = try Self.parts(of: argument) }

    func set(_ stage: inout Request.FollowingStage) throws {
        guard let set = Self.rows[option], set(&stage, value) else {
            throw PipelineError("\(option) behind --then is '\(value)': give a number")
        }
    }
}
