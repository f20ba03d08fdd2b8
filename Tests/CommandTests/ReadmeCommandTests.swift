import Foundation
import Pictures
import TestSupport
import Testing

/// The commands that the README shows.
@Suite struct ReadmeCommandTests {
    /// Those on a run of digits work; those on models that are not here fail because of the model.
    @Test func theCommandsWork() throws {
        let folder = try TemporaryFolder()
        let trained = try Program.run(
            "train", "recipes/digits.yaml", "--out", folder("run"), "--set", "training.steps=1", "--set",
            "training.batch_size=2", "--set", "model.block_out_channels=[8, 8]", "--set",
            "model.attention_head_dim=4",
            "--set", "training.sample_every=0")
        try #require(trained.code == 0, "\(trained.messages)")
        let made = [
            "run", "sevens.png", "sheet.png", "exported", "three.png", "spots.png", "order.png", "terms.png",
            "clean.png", "large.png", "plots", "prompts.png", "apple.png", "apples.png", "blue.png",
            "apple-edges.png",
            "mask.png",
            "both.png",
            "cats.png", "noise.safetensors", "mine.safetensors",
        ]
        try folder.write("mask.png", Picture(width: 64, height: 64, colour: [255]).encoded(as: .png))
        var counts = (here: 0, elsewhere: 0)
        // Models of the hub are not fetched here.
        let environment = ["HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": folder("hub")]
        for words in try commands() where !["train", "evaluate"].contains(words[0]) {
            let arguments = words.map { made.contains($0) ? folder($0) : $0 }
            let outcome = try Program.run(arguments, environment: environment)
            let call = words.joined(separator: " ")
            if words.contains(where: made.contains) || words == ["models"] {
                #expect(outcome.code == 0, "\(call): \(outcome.messages)")
                counts.here += 1
            } else {
                #expect(outcome.code == 2, "\(call): \(outcome.messages)")
                #expect(outcome.messages.hasPrefix("error: there is no"), "\(call): \(outcome.messages)")
                counts.elsewhere += 1
            }
        }
        #expect(counts.here >= 16 && counts.elsewhere >= 9)
    }

    /// The words of every command that stands in the README by itself, without "langevin".
    private func commands() throws -> [[String]] {
        let text = try String(contentsOfFile: Program.root + "/README.md", encoding: .utf8)
        return text.split(separator: "\n").filter { $0.hasPrefix("    langevin ") }.map { line in
            // Every second part stands in quotation marks.
            let parts = line.prefix { $0 != "#" }.split(separator: "\"", omittingEmptySubsequences: false)
            let words = parts.enumerated().flatMap { index, part in
                index % 2 == 1 ? [String(part)] : part.split(separator: " ").map(String.init)
            }
            return Array(words.dropFirst())
        }
    }
}
