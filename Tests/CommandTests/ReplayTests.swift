import Checkpoints
import Foundation
import Pictures
import Tensors
import TestSupport
import Testing

/// `generate --replay`: pictures that are made again from their receipts.
@Suite struct ReplayTests {
    private struct Case: CustomTestStringConvertible {
        let testDescription: String
        let options: [String]
        var name = "picture.png"

        init(_ name: String, _ options: String..., file: String = "picture.png") {
            (testDescription, self.options, self.name) = (name, options, file)
        }
    }

    private static let cases = [
        Case("plain"), Case("another solver", "--solver", "euler-a", "--grid", "karras", "--rng", "nv"),
        Case("eta", "--eta", "0.5", "--guidance", "3", "--negative-prompt", "a dog", "--clip-skip", "1"),
        Case("no guidance", "--guidance", "1", "--dtype", "bfloat16"),
        Case("several", "--count", "3", "--batch-size", "2"), Case("a JPEG", file: "picture.jpg"),
        Case("a WebP", "--prediction", "v", file: "picture.webp"),
    ]

    /// Each picture is made again, bit for bit, whatever was set.
    @Test(arguments: cases)
    private func picturesAreMadeAgain(_ each: Case) throws {
        let tiny = try TinyCheckpoint()
        let picture = tiny.folder(each.name)
        let made = try Program.run(
            TinyCheckpoint.request(tiny.path, picture, "a cat, \"quoted\"") + each.options)
        try #require(made.code == 0, "\(made.messages)")
        let again = tiny.folder("again.png")
        let outcome = try Program.run(
            "generate", "--replay", picture, "--model", tiny.path, "-o", again, "--json")
        try #require(outcome.code == 0, "\(outcome.messages)")
        #expect(try outcome.json()["difference"] as? Int == 0)
        let (old, new) = (
            try Picture(contentsOf: URL(filePath: picture)), try Picture(contentsOf: URL(filePath: again))
        )
        #expect(old == new)
    }

    /// A picture from a picture: files are looked for under their names, and must be the same.
    @Test func filesHaveTheirPart() throws {
        let tiny = try TinyCheckpoint()
        let (first, second) = (tiny.folder("first.png"), tiny.folder("second.png"))
        #expect(try Program.run(TinyCheckpoint.request(tiny.path, first)).code == 0)
        #expect(
            try Program.run(
                TinyCheckpoint.request(tiny.path, second) + ["--image", first, "--strength", "0.7"]
            ).code == 0)
        let replay = ["generate", "--replay", second, "--model", tiny.path, "--json"]
        let outcome = try Program.run(replay + ["--image", first])
        try #require(outcome.code == 0, "\(outcome.messages)")
        #expect(try outcome.json()["difference"] as? Int == 0)
        try Program.expectRefused(replay, "say where it is by --image")
        try Program.expectRefused(replay + ["--image", second], "the file of --image")
        try Program.expectRefused(replay + ["--image", first, "--mask", first], "had no part")
    }

    /// Samples of all classes in a sheet, and one picture of several.
    @Test func samplesAreMadeAgain() throws {
        let tiny = try TinyModel(classes: true)
        let sheet = tiny.folder("sheet.png")
        let call = ["sample", tiny.run, "--class", "all", "--count", "20", "--steps", "2", "-o"]
        #expect(try Program.run(call + [sheet]).code == 0)
        #expect(try Program.run(call + [tiny.folder("one-%d.png")]).code == 0)
        for picture in [sheet, tiny.folder("one-13.png")] {
            let outcome = try Program.run("generate", "--replay", picture, "--model", tiny.run, "--json")
            try #require(outcome.code == 0, "\(outcome.messages)")
            #expect(try outcome.json()["difference"] as? Int == 0, "\(picture)")
        }
    }

    /// Another model is refused, unless any will do; then the difference is said.
    @Test func anotherModelIsRefused() throws {
        let tiny = try TinyCheckpoint()
        let picture = tiny.folder("picture.png")
        #expect(try Program.run(TinyCheckpoint.request(tiny.path, picture)).code == 0)
        let other = try tiny.copy("other")
        let weights = "\(other)/unet/diffusion_pytorch_model.safetensors"
        let file = try SafetensorsFile(path: weights, storage: .copied)
        let changed = try file.names.map { ($0, try file.tensor(named: $0) * 1.5) }
        try SafetensorsWriter(changed, metadata: ["format": "pt"]).write(to: weights)
        let replay = ["generate", "--replay", picture, "--model", other]
        let out = tiny.folder("never.png")
        try Program.expectRefused(replay + ["-o", out], "add --any-model")
        #expect(!FileManager.default.fileExists(atPath: out))
        let outcome = try Program.run(replay + ["--any-model", "--json"])
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(try outcome.json()["difference"] as? Int ?? 0 > 0)
    }

    @Test func whatCannotBeReplayedIsRefused() throws {
        let folder = try TemporaryFolder()
        let plain = folder("plain.png")
        try Picture(width: 8, height: 8, colour: [1, 2, 3]).write(to: plain)
        try Program.expectRefused(["generate", "--replay", plain], "holds no receipt")
        let foreign = fixturePath("picture-texts/00.png")
        try Program.expectRefused(["generate", "--replay", foreign], "was made by AUTOMATIC1111")
        try Program.expectRefused(["generate", "a cat", "--replay", plain], "leave out PROMPT")
        try Program.expectRefused(["generate", "--replay", plain, "--steps", "3"], "holds no receipt")
        try Program.expectRefused(["generate", "a cat", "-o", plain, "--any-model"], "goes with --replay")
        try Program.expectRefused(["generate", "a cat"], "--output")
    }

    /// Receipts hold names, never places.
    @Test func receiptsHoldNoPaths() throws {
        let tiny = try TinyCheckpoint()
        let picture = tiny.folder("picture.png")
        #expect(
            try Program.run(
                TinyCheckpoint.request(try tiny.file(), picture) + ["--config", tiny.path]
            ).code == 0)
        for text in try Picture.texts(of: URL(filePath: picture)) {
            #expect(!text.text.contains(tiny.folder.path), "\(text.keyword)")
        }
    }
}
