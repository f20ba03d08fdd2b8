import Checkpoints
import Foundation
import Pictures
import TestSupport
import Testing

/// `langevin explain` through the program.
@Suite struct ExplainCommandTests {
    private func checks(_ said: [String: Any]) throws -> [[String: Any]] {
        try #require(said["checks"] as? [[String: Any]])
    }

    @Test func aRunIsExplained() throws {
        let tiny = try TinyModel(classes: true)
        let outcome = try tiny.folder.made(["explain", tiny.run])
        for words in [
            "Parts", "the U-Net of DDPM", "Layers of unet", "conv_in", "[1, 8, 8, 8]", "Noise schedule",
            "50 steps", "DDIM with η = 1", "Bayes",
        ] {
            #expect(outcome.output.contains(words), "\(words): \(outcome.output)")
        }
        #expect(!outcome.output.contains("DIFFERS"), "\(outcome.output)")
        let plots = tiny.folder("plots")
        let said = try tiny.folder.made(["explain", tiny.run, "-o", plots, "--json"]).json()
        let counted = try Program.run("inspect", tiny.run, "--json").json()
        #expect(said["parameters"] as? Int == counted["parameters"] as? Int)
        let layers = try #require(said["layers"] as? [String: Any])
        let unet = try #require(layers["unet"] as? [String: Any])
        #expect(unet["parameters"] as? Int == said["parameters"] as? Int)
        let derived = try checks(said)
        #expect(derived.count == 13 && derived.allSatisfy { $0["holds"] as? Bool == true })
        #expect(try folderNames(plots) == ["alpha-sigma.png", "log-snr.png", "noise-ratio.png"])
        #expect(try Picture(contentsOf: URL(fileURLWithPath: plots + "/log-snr.png")).width == 960)
    }

    /// A folder of several parts, a single file, an exact model, and one network's folder.
    @Test func everyFormOfModelIsExplained() throws {
        let tiny = try TinyCheckpoint()
        let outcome = try tiny.folder.made(["explain", tiny.path])
        for words in ["text_encoder", "encodes prompts", "between pictures and latents", "turns prompts"] {
            #expect(outcome.output.contains(words), "\(words)")
        }
        let decoder = try tiny.folder.made(["explain", tiny.path, "--part", "vae", "--depth", "2"])
        #expect(decoder.output.contains("Layers of vae, to depth 2"))
        let network = try tiny.folder.made(["explain", tiny.path + "/unet", "--json"]).json()
        #expect(network["schedule"] == nil && (network["layers"] as? [String: Any])?["network"] != nil)
        let file = try tiny.folder.made(["explain", tiny.file(), "--json"]).json()
        let derived = try checks(file)
        #expect(file["family"] as? String == "sd" && derived.count == 13)
        try tiny.folder.write(
            "m.json",
            #"""
            {"kind": "gaussian-mixture", "weights": [1], "means": [[0, 1]], "covariances": [[[1, 0], [0, 2]]],
             "schedule": {"kind": "edm"}, "prediction": "data"}
            """#)
        let exact = try tiny.folder.made(["explain", "analytic:" + tiny.folder("m.json")])
        #expect(
            exact.output.contains("known exactly") && !exact.output.contains("DIFFERS"), "\(exact.output)")
    }

    @Test func whatIsNoModelIsRefused() throws {
        let tiny = try TinyModel()
        let picture = tiny.folder("p.png")
        try Picture(width: 2, height: 2, colour: [1]).write(to: URL(fileURLWithPath: picture))
        try Program.expectRefused(["explain", picture], "no model")
        try Program.expectRefused(["explain", tiny.folder("nothing")], "there is no")
        try Program.expectRefused(["explain", tiny.run, "--part", "vae"], "no layers of a part 'vae'")
        try Program.expectRefused(["explain", tiny.run, "--depth", "0"], "--depth is 0")
        let unet = tiny.model + "/unet"
        try Program.expectRefused(["explain", unet, "-o", tiny.folder("plots")], "no noise schedule")
        #expect(!FileManager.default.fileExists(atPath: tiny.folder("plots")))
    }
}
