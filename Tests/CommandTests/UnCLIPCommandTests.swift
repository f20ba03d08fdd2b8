import Foundation
import TestSupport
import Testing

/// unCLIP's folders as a person meets them.
@Suite struct UnCLIPCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func model(_ name: String) throws -> String {
        let path = folder(name)
        try Fixture("unclip-pipelines/\(name)").write("model", to: path)
        return path
    }

    @Test func `a text becomes a picture by four networks`() throws {
        let outcome = try Program.run(
            "generate", "a red cat", "--model", model("karlo"), "--steps", "2", "--prior-steps", "2",
            "--prior-guidance", "2", "--upscale-steps", "2", "--seed", "3", "--json", "-o", folder("cat.png"))
        #expect(outcome.code == 0, "\(outcome.messages)")
        let settings = try #require(try outcome.json()["settings"] as? [String: Any])
        #expect(settings["prior_steps"] as? Int == 2 && settings["upscale_steps"] as? Int == 2)
        #expect(settings["prior_guidance"] as? Double == 2 && settings["steps"] as? Int == 2)
        #expect(FileManager.default.fileExists(atPath: folder("cat.png")))
    }

    @Test func `a picture becomes variations of it`() throws {
        let path = try model("karlo-variations")
        let made = try Program.run(
            "generate", "a red cat", "--model", model("karlo"), "--steps", "2", "--prior-steps", "2",
            "--upscale-steps", "2", "-o", folder("cat.png"))
        #expect(made.code == 0, "\(made.messages)")
        let outcome = try Program.run(
            "sample", path, "--image", folder("cat.png"), "--steps", "2", "--upscale-steps", "2",
            "--count", "2", "-o", folder("other-%d.png"))
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(FileManager.default.fileExists(atPath: folder("other-1.png")))
        let prompted = try Program.run("generate", "a cat", "--model", path, "-o", folder("no.png"))
        #expect(prompted.code == 2 && prompted.messages.contains("langevin sample"))
    }

    @Test(arguments: [
        ("karlo", ["--negative-prompt", "fog"], "--negative-prompt"),
        ("karlo", ["--width", "64"], "--width"),
        ("karlo", ["--upscale-steps", "1"], "--upscale-steps"),
        ("stable-unclip", ["--image", "cat.png", "--strength", "0.5"], "cat.png"),
        ("stable-unclip", ["--prior-steps", "0"], "--prior-steps"),
        ("stable-unclip", ["--noise-level", "-1"], "--noise-level"),
    ])
    func `what has no part is refused in one sentence`(name: String, options: [String], said: String) throws {
        let outcome = try Program.run(
            ["generate", "a cat", "--model", model(name), "-o", folder("no.png")] + options)
        #expect(outcome.code == 2, "\(outcome.messages)")
        #expect(outcome.messages.contains(said))
        #expect(outcome.messages.split(separator: "\n").count == 1)
        #expect(!FileManager.default.fileExists(atPath: folder("no.png")))
    }

    @Test func `a part that is missing is named`() throws {
        let path = try model("karlo")
        try FileManager.default.removeItem(atPath: path + "/super_res_last")
        let outcome = try Program.run("generate", "a cat", "--model", path, "-o", folder("no.png"))
        #expect(outcome.code == 2 && outcome.messages.contains("super_res_last"), "\(outcome.messages)")
    }
}
