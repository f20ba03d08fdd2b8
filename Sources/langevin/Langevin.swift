import ArgumentParser
import Checkpoints
import Datasets
import Diffusion
import Evaluation
import Foundation
import Hub
import Layers
import Networks
import Pictures
import Pipelines
import Storage
import Tensors
import Tokenizers
import Training

/// The program: its subcommands, and how it ends.
struct Langevin: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "langevin",
        abstract: "Diffusion models: train, sample, evaluate.",
        version: "langevin \(Receipt.version) (libtorch \(Machine.torchVersion))",
        subcommands: [
            Train.self, Sample.self, Generate.self, Inspect.self, Convert.self, Evaluate.self, Encode.self,
            Likelihood.self, Denoise.self, Upscale.self, Control.self, Explain.self, Order.self, Bench.self,
            New.self,
            Models.self,
        ])
}

@main
enum Program {
    static func main() {
        do {
            Streams.prepare()
            try Streams.prepareOpenFiles()
            try ArgumentChecks.checkText()
            var command = try Langevin.parseAsRoot(checked(CommandLine.arguments.dropFirst()))
            try command.run()
        } catch {
            end(error)
        }
    }

    /// The arguments as the parser takes them. A wrong command is named before its options are looked at.
    private static func checked(_ arguments: ArraySlice<String>) throws -> [String] {
        guard let name = arguments.first, !name.hasPrefix("-"), name != "help" else {
            return Array(arguments)
        }
        let commands = Langevin.configuration.subcommands
        if let command = commands.first(where: { $0._commandName == name }) {
            let line = try CommandWords(arguments.dropFirst(), of: command)
            try line.checkRepetition()
            return [name] + line.arguments
        }
        let known = commands.map { $0._commandName } + ["help"]
        let advice = nearest(to: name, in: known).map { "; did you mean '\($0)'?" }
        throw PipelineError(
            "there is no command '\(name)'" + (advice ?? ": there are \(known.joined(separator: ", "))"))
    }

    /// Says what went wrong in a sentence on standard error and ends: 2 where the input was wrong, 1 for
    /// anything else.
    private static func end(_ error: any Error) -> Never {
        if let interruption = (error as? Interrupted)?.interruption { exit(interruption.exitCode) }
        if isAboutInput(error) {
            say("error: \(spelled(error))")
            exit(2)
        }
        switch Langevin.exitCode(for: error) {
        case .success:
            do {
                try printResult(Langevin.fullMessage(for: error))
                exit(0)
            } catch {
                end(error)
            }
        case .validationFailure:
            // One sentence; the usage is what --help is for.
            say("error: \(oneSentence(Langevin.message(for: error)))")
            exit(2)
        default:
            say("error: \(sentence(error))")
            exit(1)
        }
    }

    /// An error about the input; a field of a run is spelled as its option.
    private static func spelled(_ error: any Error) -> String {
        if let error = error as? PipelineError { return FieldSpelling.text(error.sentence) }
        guard let error = error as? DiffusionError, let field = error.field else { return "\(error)" }
        return "--\(field.replacingOccurrences(of: "_", with: "-")) \(error.problem)"
    }

    /// The sentence for an error that is not about the input.
    private static func sentence(_ error: any Error) -> String {
        switch error {
        case let error as TensorError where error.kind == .outOfMemory: "\(error)"
        case let error as TensorError: "libtorch could not compute this: \(error)"
        case let error as any CustomNSError: error.localizedDescription
        case is EncodingError: "the result cannot be printed as JSON: a number in it is not finite"
        case let error as DecodingError: "what was read is not what was written: \(error)"
        default: "\(error)"
        }
    }

    /// A message that lists what can be given, one a line, as a sentence.
    private static func oneSentence(_ message: String) -> String {
        let parts = message.split(separator: "following:\n", maxSplits: 1)
        guard parts.count == 2 else { return message }
        let words = parts[1].split(separator: "\n").map { line in
            line.trimmingCharacters(in: [" ", "-"])
        }
        return "\(parts[0])following: \(words.joined(separator: ", "))"
    }

    private static func isAboutInput(_ error: any Error) -> Bool {
        switch error {
        case is RecipeError, is PipelineError, is CheckpointError, is LoadError, is NetworkError,
            is DiffusionError, is DatasetError, is TokenizerError, is PictureError, is EvaluationError:
            true
        case let error as FileError: !error.isOfMachine
        case let error as HubError: error.isOfInput
        case let error as RunError: !error.isOfMachine
        case let error as TensorError: error.kind == .unavailable
        default: false
        }
    }
}

/// A command that ended on request.
struct Interrupted: Error {
    let interruption: Interruption
}
