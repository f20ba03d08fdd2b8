import Testing

/// What the help shows for defaults.
@Suite struct HelpTests {
    @Test func typesHaveTheirNames() throws {
        for command in ["sample", "generate", "evaluate", "bench"] {
            let help = try Program.run(command, "--help").output
            let words = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            let expected = "(values: float32, float64, bfloat16, float16; default: float32)"
            #expect(words.contains(expected), "\(command): \(help)")
        }
    }

    /// Options that do nothing unless they are given, so that they have no default.
    private static let additions: Set = [
        "set", "trajectory", "pairs", "initial", "negative-prompt", "image", "mask", "background",
        "denoising-start",
        "denoising-end", "refiner", "preview", "preview-model", "config", "variant", "entry", "output",
        "weights", "inputs", "attention-slicing", "guide", "classifier", "noisy-clip", "interpolate",
        "prompts",
        "clip", "plot", "sweep",
    ]
    /// Options of which the help says what they are about and not yet what holds without them.
    /// Every option that need not be given has a default in its help that a person can read, or a sentence about what
    /// holds without it.
    @Test func everyOptionSaysItsDefault() throws {
        let help = try Program.run("--experimental-dump-help").json()
        let root = try #require(help["command"] as? [String: Any])
        let commands = try #require(root["subcommands"] as? [[String: Any]])
        var seen: Set<String> = []
        for command in commands where command["commandName"] as? String != "help" {
            let arguments = try #require(command["arguments"] as? [[String: Any]])
            for option in arguments where option["kind"] as? String == "option" {
                guard option["isOptional"] as? Bool == true, option["shouldDisplay"] as? Bool == true
                else { continue }
                let names = try #require(option["names"] as? [[String: String]])
                let name = try #require(names.first { $0["kind"] == "long" }?["name"])
                let place = "\(command["commandName"] ?? "") --\(name)"
                let sentence = option["abstract"] as? String ?? ""
                seen.insert(name)
                if let standard = option["defaultValue"] as? String {
                    #expect(
                        Self.isReadable(standard, option["allValues"] as? [String]), "\(place): \(standard)")
                } else if !Self.additions.contains(name) {
                    let says = ["where none", "where not given", "default"].contains { sentence.contains($0) }
                    #expect(says, "\(place) does not say what holds without it: \(sentence)")
                }
            }
        }
        #expect(seen.count > 40 && seen.isSuperset(of: Self.additions))
    }

    /// A word of those that can be given, a number where there are no words, or a plain word; nothing of Swift's.
    private static func isReadable(_ text: String, _ words: [String]?) -> Bool {
        if let words { return words.contains(text) }
        return !text.isEmpty && text.allSatisfy { $0.isLetter || $0.isNumber || "-.:/".contains($0) }
    }
}
