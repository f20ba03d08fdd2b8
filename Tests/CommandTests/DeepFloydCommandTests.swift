import Checkpoints
import Foundation
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

/// DeepFloyd IF through the program: a cascade by `--then`, an upscaler by `--image`, and what is refused.
@Suite struct DeepFloydCommandTests {
    private let folder: TemporaryFolder
    private let fixture: Fixture

    init() throws {
        (folder, fixture) = (try TemporaryFolder(), try Fixture("deepfloyd/if-cascade-3"))
        for name in ["model", "then-1", "then-2"] { try fixture.write(name, to: folder(name)) }
    }

    /// The stages as `--then` has them, each with its own options behind it.
    private func stages() throws -> [String] {
        try fixture.case.required("then", as: [JSONObject].self).enumerated().flatMap { index, stage in
            let numbers: [(String, Double?)] = try [
                ("--steps", stage.optional("steps")), ("--guidance", stage.optional("guidance")),
                ("--noise-level", stage.optional("noise_level")),
            ]
            let words = numbers.flatMap { name, value in
                value.map { [name, name == "--guidance" ? "\($0)" : "\(Int($0))"] } ?? []
            }
            return ["--then", folder("then-\(index + 1)")] + words
        }
    }

    private func options() throws -> [String] {
        let asked = try fixture.case.required("request", as: JSONObject.self)
        var words = ["--steps", "\(try asked.required("steps", as: Int.self))"]
        words += ["--seed", "\(try asked.required("seed", as: Int.self))"]
        words += ["--count", "\(try asked.required("count", as: Int.self))"]
        if let guidance = try asked.optional("guidance", as: Double.self) {
            words += ["--guidance", "\(guidance)"]
        }
        if let negative = try asked.optional("negative", as: String.self) {
            words += ["--negative-prompt", negative]
        }
        return words
    }

    @Test func aCascadeIsThatOfDiffusers() throws {
        let prompt: String = try fixture.case.required("request", as: JSONObject.self).required("prompt")
        let path = folder("out.safetensors")
        // What is said behind a stage is that stage's, and what is not said before it is every stage's.
        let outcome = try Program.run(
            ["generate", prompt, "--model", folder("model")] + options() + stages() + ["-o", path, "--json"])
        try #require(outcome.code == 0, "\(outcome.messages)")
        let file = try SafetensorsFile(path: path)
        expectClose(try file.tensor(named: "samples"), try fixture.tensor("latents"), ofLargest: 1e-4)
        let text = try #require(file.metadata["langevin"])
        let receipt = try #require(
            JSONObject(json: JSONValue(parsing: text.utf8, place: "the receipt")))
        let then = try receipt.required("then", as: [JSONObject].self)
        #expect(then.map { $0["model"] } == ["then-1", "then-2"])
    }

    @Test func picturesOfAnUpscalerAreWritten() throws {
        let small = folder("small.png")
        var outcome = try Program.run(
            ["generate", "a cat", "--model", folder("model"), "--steps", "3", "-o", small])
        try #require(outcome.code == 0, "\(outcome.messages)")
        outcome = try Program.run([
            "generate", "a cat", "--model", folder("then-1"), "--image", small, "--noise-level", "100",
            "--steps", "3", "-o", folder("large.png"),
        ])
        try #require(outcome.code == 0, "\(outcome.messages)")
        #expect(FileManager.default.fileExists(atPath: folder("large.png")))
    }

    /// A picture is changed, and the larger one begins with it: as diffusers' pipelines do, and as the receipt says.
    @Test func whatEnlargesBeginsWithTheOriginal() throws {
        for name in ["if-img2img-upscale", "if-inpaint-upscale"] {
            let fixture = try Fixture("deepfloyd/\(name)")
            try fixture.write("model", to: folder(name))
            let asked = try fixture.case.required("request", as: JSONObject.self)
            var words = [
                "--image", try picture(fixture, "image"), "--original", try picture(fixture, "original"),
            ]
            if fixture.file.names.contains("mask") { words += ["--mask", try picture(fixture, "mask")] }
            for (option, key) in [
                ("--steps", "steps"), ("--guidance", "guidance"), ("--strength", "strength"),
                ("--noise-level", "noise_level"), ("--seed", "seed"),
            ] {
                guard let value = try asked.optional(key, as: Double.self) else { continue }
                words += [option, value == value.rounded() ? "\(Int(value))" : "\(value)"]
            }
            if let solver = try asked.optional("solver", as: String.self) { words += ["--solver", solver] }
            if let negative = try asked.optional("negative", as: String.self) {
                words += ["--negative-prompt", negative]
            }
            let path = folder("\(name).safetensors")
            let prompt: String = try asked.required("prompt")
            let outcome = try Program.run(
                ["generate", "--model", folder(name), "-o", path] + words + ["--", prompt])
            try #require(outcome.code == 0, "\(outcome.messages)")
            let file = try SafetensorsFile(path: path)
            let first = try fixture.tensor("latents").slice(0..<1, of: 0)
            expectClose(try file.tensor(named: "samples"), first, ofLargest: 1e-4)
            let text = try #require(file.metadata["langevin"])
            let receipt = try #require(JSONObject(json: JSONValue(parsing: text.utf8, place: "the receipt")))
            #expect(
                try receipt.required("original", as: JSONObject.self)["name"]
                    == .string("\(name)-original.png"))
            // 'upscale' asks for the same.
            let again = folder("again.safetensors")
            let small = words.dropFirst(2)
            try folder.made(
                ["upscale", words[1], "--model", folder(name), "-o", again, "--prompt=\(prompt)"] + small)
            #expect(
                try SafetensorsFile(path: again).tensor(named: "samples")
                    .isIdentical(to: file.tensor(named: "samples")))
        }
    }

    /// A picture of a fixture as a file.
    private func picture(_ fixture: Fixture, _ name: String) throws -> String {
        let shape = try fixture.tensor(name).shape
        let path = folder("\(fixture.name.split(separator: "/").last!)-\(name).png")
        try Picture(
            width: shape[1], height: shape[0], channels: shape.count == 3 ? shape[2] : 1,
            pixels: fixture.array(name)
        ).write(to: path)
        return path
    }

    @Test(arguments: [
        (["--model", "then-1"], "enlarges pictures: give --image"),
        (["--model", "then-1", "--image", "picture", "--strength", "0.5"], "--strength has no part"),
        (["--model", "then-1", "--image", "picture", "--noise-level", "1000"], "0 to 999"),
        (["--model", "model", "--noise-level", "5"], "--noise-level has no part"),
        (["--model", "model", "--original", "picture"], "--original has no part"),
        (["--model", "then-1", "--image", "picture", "--mask", "picture"], "give one as --original"),
        (
            ["--model", "then-1", "--image", "picture", "--original", "picture", "--strength", "0"],
            "--strength is 0"
        ),
        (
            ["--model", "then-1", "--image", "picture", "--original", "picture", "--width", "16"],
            "--width has no part"
        ),
        (
            ["--model", "model", "--then", "then-1", "--original-strength", "0.5"],
            "--original-strength begins with the picture"
        ),
        (
            [
                "--model", "model", "--image", "picture", "--then", "then-1", "--original-strength", "2",
            ], "--strength is 2"
        ),
        (["--model", "model", "--class", "5"], "--class"),
        (["--model", "model", "--clip-skip", "1"], "--clip-skip has no part"),
        (["--model", "model", "--then", "model"], "enlarges no pictures"),
        (["--model", "model", "--then", "then-1", "--steps", "x"], "--steps"),
        (["--model", "model", "--then", "then-1", "--noise-level", "-1"], "--noise-level is -1"),
        (["--model", "model", "--then", "nowhere"], "nowhere"),
        (["--model", "model", "--width", "12345", "--then", "then-1"], "--width"),
    ])
    func whatDoesNotFitIsRefused(options: [String], words: String) throws {
        let names: Set = ["model", "then-1", "then-2", "nowhere"]
        let picture = folder("picture.png")
        try Picture(width: 8, height: 6, channels: 3, pixels: Array(repeating: 90, count: 144))
            .write(to: URL(fileURLWithPath: picture))
        let given = options.map { names.contains($0) ? folder($0) : $0 == "picture" ? picture : $0 }
        try Program.expectRefused(["generate", "a cat"] + given + ["-o", folder("out.png")], words)
        #expect(!FileManager.default.fileExists(atPath: folder("out.png")))
    }

    /// A stage's folder is looked through before the first stage begins.
    @Test(arguments: [
        ("then-1/unet/diffusion_pytorch_model.safetensors", "then-1"),
        ("then-2/image_noising_scheduler", "image_noising_scheduler"),
        ("then-2/text_encoder/model.safetensors", "text_encoder"), ("model/tokenizer", "tokenizer"),
    ])
    func aStageThatIsNotWholeIsNamed(part: String, words: String) throws {
        try FileManager.default.removeItem(atPath: folder(part))
        try Program.expectRefused(
            [
                "generate", "a cat", "--model", folder("model"), "--steps", "900", "--count", "500", "--then",
                folder("then-1"), "--then", folder("then-2"), "-o", folder("out-%d.png"),
            ], words)
        #expect(!FileManager.default.fileExists(atPath: folder("out-0.png")))
    }

    @Test func aStageOfOtherTextsIsRefused() throws {
        let path = folder("then-1/unet/config.json")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let changed = text.replacing(/"encoder_hid_dim" ?: ?\d+/, with: "\"encoder_hid_dim\": 40")
        try #require(changed != text)
        try changed.write(toFile: path, atomically: true, encoding: .utf8)
        try Program.expectRefused(
            [
                "generate", "a cat", "--model", folder("model"), "--then", folder("then-1"), "-o",
                folder("out.png"),
            ], "encoder_hid_dim")
    }

    @Test func foldersAreCounted() throws {
        let outcome = try Program.run(["inspect", folder("then-1"), "--json"])
        try #require(outcome.code == 0, "\(outcome.messages)")
        let facts = try #require(JSONObject(json: JSONValue(parsing: outcome.output.utf8, place: "inspect")))
        #expect(facts["family"] == "if")
    }
}
