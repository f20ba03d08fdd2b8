import ArgumentParser
import Checkpoints
import Datasets
import Diffusion
import Evaluation
import Foundation
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
            Train.self, Sample.self, Generate.self, Inspect.self, Convert.self, Evaluate.self, Order.self,
            Bench.self, New.self,
        ])
}

@main
enum Program {
    static func main() {
        do {
            // A file that may not grow is an error with a sentence, not the end of the program.
            signal(SIGXFSZ, SIG_IGN)
            try ArgumentChecks.checkText()
            try checkCommand(CommandLine.arguments.dropFirst())
            var command = try Langevin.parseAsRoot(
                ArgumentChecks.separated(CommandLine.arguments.dropFirst()))
            try command.run()
            // Every stream, standard output among them.
            guard fflush(nil) == 0 else { throw FileError(action: "writing", path: "standard output") }
        } catch {
            end(error)
        }
    }

    /// A wrong command is named before its options are looked at.
    private static func checkCommand(_ arguments: ArraySlice<String>) throws {
        guard let name = arguments.first, !name.hasPrefix("-"), name != "help" else { return }
        let commands = Langevin.configuration.subcommands
        if let command = commands.first(where: { $0._commandName == name }) {
            return try ArgumentChecks.checkRepetition(arguments.dropFirst(), of: command)
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
            say("error: \(error)")
            exit(2)
        }
        switch Langevin.exitCode(for: error) {
        case .success:
            print(Langevin.fullMessage(for: error))
            exit(0)
        case .validationFailure:
            // One sentence; the usage is what --help is for.
            say("error: \(oneSentence(Langevin.message(for: error)))")
            exit(2)
        default:
            say("error: \(error)")
            exit(1)
        }
    }

    /// A message that lists what can be given, one a line, as a sentence.
    private static func oneSentence(_ message: String) -> String {
        let lines = message.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        let words = lines.dropFirst().map { $0.hasPrefix("- ") ? String($0.dropFirst(2)) : $0 }
        return words.isEmpty ? message : lines[0] + " " + words.joined(separator: ", ")
    }

    private static func isAboutInput(_ error: any Error) -> Bool {
        switch error {
        case is RecipeError, is RunError, is PipelineError, is CheckpointError, is LoadError, is NetworkError,
            is DiffusionError, is DatasetError, is TokenizerError, is PictureError, is EvaluationError,
            is FileError:
            true
        case let error as TensorError: error.kind == .unavailable
        default: false
        }
    }
}

/// A command that ended because it was asked to.
struct Interrupted: Error {
    let interruption: Interruption
}

/// A line on standard error, where messages go.
func say(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
}

/// One JSON object on standard output, where results go.
func printJSON(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}
