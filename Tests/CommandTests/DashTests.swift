import Foundation
import TestSupport
import Testing

/// Row H10 of the reliability plan: values that begin with a dash.
@Suite struct DashTests {
    /// A run with classes that no test changes.
    private static let tiny = Result { try TinyModel(classes: true) }

    private struct Help: Decodable {
        struct Command: Decodable {
            var commandName: String
            var arguments: [Argument]?
            var subcommands: [Command]?
        }
        struct Argument: Decodable {
            struct Name: Decodable { var kind, name: String }
            var kind: String
            var names: [Name]?
            var longName: String? { names?.first { $0.kind == "long" }.map { "--" + $0.name } }
        }
        var command: Command
    }

    /// The commands and their options that take values, as the program declares them.
    private static let options = Result {
        let commands =
            try JSONDecoder().decode(
                Help.self, from: Data(Program.run("--experimental-dump-help").output.utf8)
            ).command.subcommands ?? []
        return try commands.filter { $0.commandName != "help" }.flatMap { command in
            let help = try Program.run(command.commandName, "--experimental-dump-help").output
            return try JSONDecoder().decode(Help.self, from: Data(help.utf8)).command.arguments?
                .filter { $0.kind == "option" }.compactMap(\.longName).map { (command.commandName, $0) } ?? []
        }
    }

    /// H10. Every option of every command takes a value that begins with a dash, and none takes the name of another
    /// option for one.
    @Test func everyOption() throws {
        let options = try Self.options.get()
        #expect(options.count > 50 && options.contains { $0 == ("generate", "--negative-prompt") })
        for (command, option) in options {
            let value = try Program.run(command, option, "-7")
            #expect(value.code == 2, "\(command) \(option): \(value.messages)")
            #expect(
                !value.messages.contains("Missing value") && !value.messages.contains("Unknown option"),
                "\(command) \(option): \(value.messages)")
            // The next option is none of its value.
            let forgotten = try Program.run(command, option, "--help")
            #expect(
                forgotten.code == 2 && forgotten.messages.contains("Missing value for '\(option)"),
                "\(command) \(option): \(forgotten.messages)")
        }
    }

    /// H10. What the values then mean.
    @Test func numbersBelowZero() throws {
        let (tiny, folder) = (try Self.tiny.get(), try TemporaryFolder())
        let call = ["sample", tiny.run, "--class", "1", "--steps", "2", "-o", folder("x.png")]
        let drawn = try Program.run(call + ["--seed", "-1", "--json"])
        let seed = try #require(drawn.json()["seed"] as? Int)
        #expect(drawn.code == 0 && drawn.messages.contains("seed \(seed)\n"), "\(drawn.messages)")
        let away = try Program.run(call + ["--guidance", "-3", "--json"])
        let settings = try #require(away.json()["settings"] as? [String: Any])
        #expect(settings["guidance"] as? Double == -3, "\(away.messages)")
        for (words, refusal) in [
            (["--eta", "-0.1"], "--eta is -0.1"), (["--eta", "-.5"], "--eta is -0.5"),
            (["--eta", "-inf"], "--eta is -inf"), (["--reuse-deep", "-1"], "--reuse-deep is -1"),
            (["--count", "-9223372036854775808"], "--count"), (["--width", "-8"], "--width is -8"),
            (["--height=-8"], "--height is -8"), (["--batch-size", "-1"], "--batch-size is -1"),
            (["--threads", "-2"], "--threads is -2"), (["--seed", "-2"], "'-2' is invalid for '--seed"),
            (["--eta", "-1", "--eta", "-1"], "--eta is given twice"),
        ] { try Program.expectRefused(call + words, refusal) }
        try Program.expectRefused(
            ["sample", tiny.run, "--class", "-4", "-o", folder("y.png")], "--class is -4")
        try Program.expectRefused(
            ["sample", tiny.run, "--class", "1", "--steps", "-3", "-o", folder("y.png")], "--steps is -3")
        try Program.expectRefused(
            ["train", tiny.folder("recipe.yaml"), "--set", "-x", "--out", folder("run")], "--set -x")
        try Program.expectRefused(["inspect", "-nothing"], "-nothing")
        try Program.expectRefused(["inspect", tiny.run, "--depth", "-1"], "--depth is -1")
        #expect(try folder.names() == ["x.png"])
    }

    /// H10. Texts; the model has no weights, which is all that is wrong with these calls.
    @Test(arguments: [
        ["-a cat"], ["-blurry"], ["-5"], ["--a cat"], ["--", "--weird"], ["--", "-o"],
        ["x", "--negative-prompt", "-blurry"], ["x", "--negative-prompt", "-- ugly, --bad"],
        ["x", "--negative-prompt=--blurry"], ["-x y", "--negative-prompt", "-o y"],
        ["x", "--negative-prompt="], ["x", "--negative-prompt", ""], [""],
    ])
    func texts(words: [String]) throws {
        let model = try LatentModel()
        let call = ["generate", "--model", model.path, "-o", model.folder("x.png")] + words
        try Program.expectRefused(call, "text_encoder")
    }

    /// H10. Slips are called what they are.
    @Test(arguments: [
        (["--wat"], "Unknown option '--wat'"), (["--wat", "-3"], "Unknown option '--wat'"),
        (["-x"], "Unknown option '-x'"), (["-steps", "3"], "Unknown option '-steps'"),
        (["--steps", "--seed", "3"], "Missing value for '--steps"),
        (["--seed", "-h"], "Missing value for '--seed"),
        (["--eta", "--"], "Missing value for '--eta"), (["--eta"], "Missing value for '--eta"),
        (["--initial", "--wat"], "--initial=--wat"), (["--steps", "-seed"], "there is no option -seed"),
        (["other"], "other"),
    ])
    func slips(words: [String], refusal: String) throws {
        try Program.expectRefused(["sample", "m", "--output", "x.png"] + words, refusal)
    }
}
