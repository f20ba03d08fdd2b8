import Foundation
import TestSupport
import Testing

/// What files say reaches the terminal quoted: no escape sequence, and no line of its own.
@Suite struct QuotingTests {
    private let forged = #"\u001b[2J\nerror: forged\u0085\u202e"#

    private func expectQuoted(_ arguments: [String], _ words: String) throws {
        let outcome = try Program.run(arguments)
        try Program.expectRefusal(outcome, of: words, words)
        let controls = outcome.messages.dropLast().unicodeScalars.filter {
            [.control, .format].contains($0.properties.generalCategory)
        }
        #expect(controls.isEmpty, "\(words): \(outcome.messages)")
        #expect(outcome.messages.utf8.count < 1200, "\(outcome.messages)")
    }

    @Test(arguments: [
        ("\"FORGED\": 1", "there is no key \"\\u{1b}[2J"),
        ("training: {\"FORGED\": 1}", "there is no key training.\"\\u{1b}"),
        ("{seed: 1, \"FORGED\": 1, \"FORGED\": 2}", "stands twice"),
        ("training: {steps: \"FORGED\"}", "training.steps is \"\\u{1b}"),
        ("model: {act_fn: \"FORGED\"}", "model.act_fn is \"\\u{1b}"),
        ("model: {kind: \"FORGED\"}", "model.kind is \"\\u{1b}"),
        ("evaluation: {solver: \"FORGED\"}", "evaluation.solver is \"\\u{1b}"),
        ("training: {device: \"FORGED\"}", "training.device is \"\\u{1b}"),
    ])
    func recipes(yaml: String, words: String) throws {
        let folder = try TemporaryFolder()
        // YAML knows the same escapes as JSON.
        let recipe = try folder.write("r.yaml", yaml.replacing("FORGED", with: forged).utf8)
        try expectQuoted(["train", recipe, "--out", folder("run")], words)
    }

    @Test func changesOfTheCommandLine() throws {
        let folder = try TemporaryFolder()
        let recipe = try folder.write("r.yaml", "seed: 1".utf8)
        try expectQuoted(
            ["train", recipe, "--out", folder("run"), "--set", "a.\u{1B}[2J\nerror: x=1"], "there is no key a"
        )
    }

    @Test(arguments: [
        ("model_index.json", #""_class_name": "FORGED""#),
        ("model_index.json", #""unet": ["diffusers", "FORGED"]"#),
        ("unet/config.json", #""_class_name": "FORGED""#), ("unet/config.json", #""act_fn": "FORGED""#),
        ("unet/config.json", #""down_block_types": ["FORGED"]"#),
        ("vae/config.json", #""_class_name": "FORGED""#),
        ("text_encoder/config.json", #""hidden_act": "FORGED""#),
        ("text_encoder/config.json", #""model_type": "FORGED""#),
        ("scheduler/scheduler_config.json", #""_class_name": "FORGED""#),
        ("scheduler/scheduler_config.json", #""beta_schedule": "FORGED""#),
        ("scheduler/scheduler_config.json", #""beta_strt": "FORGED""#),
        ("tokenizer/tokenizer_config.json", #""pad_token": "FORGED""#),
    ])
    func models(file: String, member: String) throws {
        let model = try LatentModel()
        try model.replace(member.replacing("FORGED", with: forged), in: file)
        for arguments in [
            ["generate", "x", "--model", model.path, "-o", model.folder("x.png")], ["inspect", model.path],
        ] {
            let outcome = try Program.run(arguments)
            let text = outcome.messages + outcome.output
            let controls = text.unicodeScalars.filter {
                $0 != "\n" && [.control, .format].contains($0.properties.generalCategory)
            }
            #expect(controls.isEmpty, "\(file) \(member): \(text)")
            #expect(!text.contains("\nerror: forged"), "\(file) \(member): \(text)")
            #expect(outcome.messages.utf8.count < 1500, "\(outcome.messages)")
        }
    }

    @Test func tensorsAndRows() throws {
        let folder = try TemporaryFolder()
        let names = (0..<40).map {
            #""\#(forged)\#(String(repeating: "x", count: 200))\#($0)":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#
        }
        let header = "{" + names.joined(separator: ",") + "}"
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init)
        let path = try folder.write("x.safetensors", length + header.utf8)
        try expectQuoted(
            ["generate", "x", "--model", path, "-o", folder("x.png")], "family of this checkpoint")
        var rows = (0..<1797).map { _ in repeatElement("1", count: 65).joined(separator: ",") }
        rows[0] = "\u{1B}[2J" + rows[0].dropFirst()
        let digits = try folder.write("digits.csv", rows.joined(separator: "\n").utf8)
        let recipe = try folder.write("r.yaml", "data: {kind: digits, path: '\(digits)'}".utf8)
        try expectQuoted(["train", recipe, "--out", folder("run")], "line 1 has")
    }

    /// Names of files are found, not typed.
    @Test func namesOfFiles() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder("set"), withIntermediateDirectories: true)
        for index in 0..<2 { try folder.write("set/a\u{1B}[2J\nerror: \(index).png", "<svg/>".utf8) }
        let recipe = try folder.write(
            "r.yaml", "data: {kind: folder, path: '\(folder("set"))', size: 8}".utf8)
        try expectQuoted(["train", recipe, "--out", folder("run")], "cannot be read")
    }

    /// A JSON object for another program has the same names as the file, and a terminal is safe from it.
    @Test func objectsOfJSON() throws {
        let folder = try TemporaryFolder()
        let name = "a\u{7F}\u{9B}2J\u{85}\u{202E}\u{2028}\u{E0001}é"
        let header =
            #"{"__metadata__":{"\#(name)":"\#(name)"},"\#(name)":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init)
        let path = try folder.write("x.safetensors", length + header.utf8)
        let outcome = try Program.run(["inspect", path, "--json"])
        #expect(outcome.code == 0)
        let controls = outcome.output.dropLast().unicodeScalars.filter {
            [.control, .format, .lineSeparator].contains($0.properties.generalCategory)
        }
        #expect(controls.isEmpty && outcome.output.contains("é"), "\(outcome.output)")
        let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
        #expect(object?["metadata"] as? [String: String] == [name: name])
        #expect((object?["tensors"] as? [[String: Any]])?.first?["name"] as? String == name)
    }
}
