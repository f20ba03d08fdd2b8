import ArgumentParser
import Foundation
import Pipelines

/// The words of a command line as the command's own declarations tell them apart: options with their values, flags, and
/// words that stand alone.
///
/// The parser takes no word that begins with a dash for a value. But values do: numbers below zero, prompts, names of
/// files. Here such a word is a value wherever it is not the name of an option and does not look like one.
struct CommandWords {
    private let declarations: CommandDeclarations
    /// Options, their values and flags, in the form in which the parser takes them.
    private var options: [String] = []
    /// Words that stand alone, and those of them that follow "--".
    private var alone: [String] = []
    private var afterTerminator: [String] = []
    /// Every name of an option in the line, and which option it is.
    private var named: [(name: String, option: CommandDeclarations.Option)] = []
    /// How many times each option that others follow has stood so far, and what stood behind the last one.
    private var leaders: [String: (count: Int, followers: Set<String>)] = [:]
    /// The last of them.
    private var lastLeader: String?

    /// - Throws: `PipelineError` where an option is followed by neither a value nor an option.
    init(_ line: some Sequence<String>, of command: any ParsableCommand.Type) throws {
        declarations = try CommandDeclarations(of: command)
        var rest = Array(line)[...]
        var takesMore = false
        while let word = rest.popFirst() {
            if word == "--" {
                afterTerminator = Array(rest)
                return
            }
            guard word.hasPrefix("-"), word != "-" else {
                if takesMore { options.append(word) } else { alone.append(word) }
                continue
            }
            let name = String(word.prefix { $0 != "=" })
            if try addFollower(name, word, &rest) { continue }
            if let option = declarations[name] {
                named.append((name, option))
                takesMore = option.takesMany
                options += try words(of: option, called: name, word, &rest)
            } else if declarations.takesWords && !declarations.isLikeOption(name) && !isOneLetter(name) {
                alone.append(word)
            } else {
                // The parser knows how to say that there is no such option.
                options.append(word)
            }
        }
    }

    /// Takes an option that stands behind another one and belongs to it, whether the command itself has it or not.
    /// - Returns: whether it is one.
    private mutating func addFollower(_ name: String, _ word: String, _ rest: inout ArraySlice<String>) throws
        -> Bool
    {
        let types = followingOptions.filter { declarations[$0.leader] != nil }
        if types.contains(where: { $0.leader == name }) {
            leaders[name] = ((leaders[name]?.count ?? 0) + 1, [])
            lastLeader = name
        }
        // Where an option may follow several, it belongs to the last one.
        let last = types.filter { $0.leader == lastLeader }
        for type in last + types.filter({ $0.leader != lastLeader }) {
            guard let leader = leaders[type.leader], let takesValue = type.takesValue(name) else { continue }
            guard leaders[type.leader]?.followers.insert(name).inserted == true || type.isRepeating else {
                throw PipelineError("\(name) is given twice behind one \(type.leader): leave one out")
            }
            var value = word == name ? nil : String(word.dropFirst(name.count + 1))
            if takesValue, value == nil { value = rest.popFirst() }
            guard (value != nil) == takesValue else {
                throw PipelineError(
                    "\(name) behind \(type.leader) \(takesValue ? "has no value" : "takes no value")")
            }
            options.append(type.word(leader.count - 1, name, value ?? ""))
            return true
        }
        return false
    }

    /// The words as the parser takes them.
    var arguments: [String] {
        if alone.contains(where: { $0.hasPrefix("-") && $0 != "-" }) {
            return options + ["--"] + alone + afterTerminator
        }
        return alone + options + (afterTerminator.isEmpty ? [] : ["--"] + afterTerminator)
    }

    /// Throws where an option stands twice of which one value alone would count.
    func checkRepetition() throws {
        for (position, (name, option)) in named.enumerated() where !option.isRepeating {
            if named[..<position].contains(where: { $0.option == option }) {
                throw PipelineError("\(name) is given twice: leave one out")
            }
        }
    }

    /// An option and its value, which may be the next word.
    private func words(
        of option: CommandDeclarations.Option, called name: String, _ word: String,
        _ rest: inout ArraySlice<String>
    ) throws -> [String] {
        guard option.takesValue else { return [word] }
        // The parser takes an empty value only as a word of its own.
        guard word == name else { return word == name + "=" ? [name, ""] : [word] }
        guard let next = rest.first, next.hasPrefix("-"), next != "-" else {
            return rest.popFirst().map { [name, $0] } ?? [name]
        }
        let nextName = String(next.prefix { $0 != "=" })
        // The value was forgotten, which the parser knows how to say.
        if next == "--" || declarations[nextName] != nil { return [name] }
        guard !declarations.isLikeOption(nextName) else {
            throw PipelineError(
                "\(name) has no value, and there is no option \(nextName): where that is the value, write \(option.longName)=\(next)"
            )
        }
        rest.removeFirst()
        return ["\(option.longName)=\(next)"]
    }

    private func isOneLetter(_ name: String) -> Bool {
        name.count == 2 && name.dropFirst().first?.isLetter == true
    }
}

/// The options and words that a command declares.
struct CommandDeclarations {
    /// An option or a flag.
    struct Option: Equatable {
        let names: [String]
        let takesValue: Bool
        /// Whether all words up to the next option are its values.
        let takesMany: Bool
        let isRepeating: Bool

        /// The name that can be joined to a value.
        var longName: String { names.first { $0.hasPrefix("--") } ?? names[0] }
    }

    /// Whether words can stand alone.
    let takesWords: Bool
    private let options: [String: Option]

    init(of command: any ParsableCommand.Type) throws {
        let help = try JSONDecoder().decode(Help.self, from: Data(command._dumpHelp().utf8))
        var options: [String: Option] = [:]
        for argument in help.command.arguments where argument.kind != "positional" {
            let option = Option(
                names: (argument.names ?? []).map { ($0.kind == "long" ? "--" : "-") + $0.name },
                takesValue: argument.kind == "option",
                takesMany: argument.parsingStrategy == "upToNextOption", isRepeating: argument.isRepeating)
            for name in option.names { options[name] = option }
        }
        self.options = options
        takesWords = help.command.arguments.contains { $0.kind == "positional" }
    }

    /// The option of a name.
    subscript(name: String) -> Option? { options[name] }

    /// Whether a word that is no option's name must be a slip of one: it is written as their names are, or lacks only
    /// a dash.
    func isLikeOption(_ name: String) -> Bool {
        guard name.hasPrefix("--") else { return options["-" + name] != nil }
        return name.dropFirst(2).first?.isLetter == true
            && name.dropFirst(2).allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
    }

    /// The part that is read of a command's own description.
    private struct Help: Decodable {
        struct Command: Decodable { var arguments: [Argument] }
        struct Argument: Decodable {
            var kind: String
            var parsingStrategy: String
            var isRepeating: Bool
            var names: [Name]?
        }
        struct Name: Decodable { var kind, name: String }
        var command: Command
    }
}
