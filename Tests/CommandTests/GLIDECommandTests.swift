import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// GLIDE through the program: a base and its upsampler trained by recipes, sampled one behind the other.
@Suite struct GLIDECommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let recipe = """
        data: {kind: digits, captions: class-names}
        model:
          kind: glide
          conditioning: text
          text_width: 16
          text_layers: 1
          block_out_channels: [8, 8]
          layers_per_block: 1
          attention_head_dim: 4
          norm_num_groups: 4
        diffusion: {schedule: squaredcos_cap_v2, prediction: noise, condition_dropout: 0.1}
        training: {steps: 2, batch_size: 8, threads: 1}
        evaluation: {solver: ddim, steps: 2, guidance: 2, count: 4}
        """

    private func trained(_ name: String, _ changes: [String]) throws -> String {
        try Self.recipe.write(toFile: folder("recipe.yaml"), atomically: true, encoding: .utf8)
        try folder.made(
            ["train", folder("recipe.yaml"), "--out", folder(name)] + changes.flatMap { ["--set", $0] })
        return folder(name)
    }

    private func samples(_ arguments: [String]) throws -> Tensor {
        let path = folder("x.safetensors")
        try folder.made(["generate"] + arguments + ["--seed", "4", "-o", path])
        return try SafetensorsFile(path: path, storage: .copied).tensor(named: "samples")
    }

    @Test func aBaseAndAnUpsamplerOfRecipes() throws {
        let base = try trained("base", ["data.downscale=2"])
        let second = try trained("second", ["model.low_resolution_factor=2", "model.text_layers=2"])
        let both = try samples(["three", "--model", base, "--count", "2", "--then", second])
        #expect(both.shape == [2, 1, 8, 8])
        #expect(
            try samples(["three", "--model", base, "--then", second]).isIdentical(
                to: both.slice(0..<1, of: 0)))
        #expect(
            try !samples(["four", "--model", base, "--count", "2", "--then", second]).isIdentical(to: both))
        #expect(
            try !samples(["three", "--model", base, "--count", "2", "--then", second, "--temperature", "0.5"])
                .isIdentical(to: both))

        // One file holds the tokenizer, too.
        let plain = try samples(["three", "--model", base])
        try folder.made(["convert", base, folder("base.safetensors")])
        #expect(try samples(["three", "--model", folder("base.safetensors")]).isIdentical(to: plain))

        let long = try Program.run(
            "generate", Array(repeating: "three", count: 40).joined(separator: " "), "--model", base, "-o",
            folder("x.png"))
        #expect(long.code == 0 && long.messages.contains("fit; this was cut off"), "\(long.messages)")

        let inspected = try Program.run("inspect", base, "--json")
        #expect(inspected.code == 0 && inspected.output.contains("GLIDEUNet2D"), "\(inspected.messages)")
        try whatDoesNotFitIsASentence(base, second)
    }

    private func whatDoesNotFitIsASentence(_ base: String, _ second: String) throws {
        func refused(_ arguments: [String], _ words: String) throws {
            try Program.expectRefused(["generate", "three"] + arguments + ["-o", folder("none.png")], words)
            #expect(!FileManager.default.fileExists(atPath: folder("none.png")))
        }
        try refused(["--model", second], "second enlarges pictures: give --image")
        try refused(["--model", base, "--then", base], "enlarges no pictures, it draws its own")
        try refused(["--model", base, "--then", second, "--then", second], "the stage before makes 8×8")
        try refused(["--model", base, "--temperature", "-1"], "--temperature is -1")
        try refused(["--model", base, "--grid", "fast27", "--steps", "5"], "has 27")
        try refused(["--model", base, "--guidance-method", "clip"], "--noisy-clip is not given")
        try refused(["--model", base, "--noisy-clip", base], "--noisy-clip is 'base'")
        let plain = folder("plain")
        try FileManager.default.createDirectory(atPath: plain, withIntermediateDirectories: true)
        try #"{"architectures": ["CLIPModel"], "model_type": "clip"}"#.write(
            toFile: plain + "/config.json", atomically: true, encoding: .utf8)
        for (method, option) in [("clip", "--noisy-clip"), ("classifier", "--classifier")] {
            try refused(
                ["--model", base, "--guidance-method", method, option, plain],
                "is a CLIPModel, which was trained on pictures without noise")
        }
        try refused(
            ["--model", base, "--guidance-method", "clip", "--noisy-clip", base],
            "--noisy-clip: base is no CLIP that knows noise")
    }

    @Test(arguments: [
        ("model.conditioning=none", "reads a text (text_ctx)"),
        ("model.text_encoder=somewhere", "encodes texts itself"),
        ("model.inpaints=true", "recipes hide no part of pictures"),
        ("diffusion.augmentation=0.5", "draws them"),
        ("model.xf_heads=5", "xf_heads"),
    ])
    func recipesThatDescribeNoRunAreRefused(change: String, words: String) throws {
        let recipe = Self.recipe.replacing("  text_width: 16\n  text_layers: 1\n", with: "")
        try recipe.write(toFile: folder("recipe.yaml"), atomically: true, encoding: .utf8)
        try Program.expectRefused(
            ["train", folder("recipe.yaml"), "--out", folder("run"), "--set", change], words)
    }
}
