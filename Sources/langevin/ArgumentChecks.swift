import ArgumentParser
import Foundation
import Pipelines

/// What can be wrong with a command line whatever its words mean.
enum ArgumentChecks {
    /// Throws where an argument is not UTF-8: a file's name of other bytes would be changed on its way here.
    static func checkText() throws {
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let bytes = CommandLine.unsafeArgv[index], String(validatingCString: bytes) == nil else {
                continue
            }
            throw PipelineError(
                "argument \(index), '\(String(cString: bytes))', is not UTF-8: give the file another name")
        }
    }

    /// Arguments in which an option that ends with "=" is followed by its empty value, such as an empty prompt.
    static func separated(_ arguments: some Sequence<String>) -> [String] {
        var isOption = true
        return arguments.flatMap { word -> [String] in
            if word == "--" { isOption = false }
            let isEmpty = isOption && word.hasPrefix("--") && word.hasSuffix("=")
            return isEmpty ? [String(word.dropLast()), ""] : [word]
        }
    }

    /// Throws where an option stands twice of which one value alone would count.
    static func checkRepetition(_ arguments: some Sequence<String>, of command: any ParsableCommand.Type)
        throws
    {
        let words = arguments.prefix { $0 != "--" }.filter { $0.hasPrefix("-") }
            .map { String($0.prefix { $0 != "=" }) }
        guard words.count > 1 else { return }
        let help = try JSONDecoder().decode(Help.self, from: Data(command._dumpHelp().utf8))
        for option in help.command.arguments where !option.isRepeating {
            let names = (option.names ?? []).map { ($0.kind == "long" ? "--" : "-") + $0.name }
            if let second = words.filter(names.contains).dropFirst().first {
                throw PipelineError("\(second) is given twice: leave one out")
            }
        }
    }

    /// The part that is read of what a command says of itself.
    private struct Help: Decodable {
        struct Command: Decodable { var arguments: [Option] }
        struct Option: Decodable {
            var isRepeating: Bool
            var names: [Name]?
        }
        struct Name: Decodable { var kind, name: String }
        var command: Command
    }
}
