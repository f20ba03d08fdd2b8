import Checkpoints
import Foundation
import Layers
import Networks
import Pictures
import Tensors
import TestSupport
import Testing

/// `langevin encode` and what is made with it, through the program.
@Suite struct EncodeTests {
    private let folder: TemporaryFolder
    private let model: String

    init() throws {
        folder = try TemporaryFolder()
        model = try FixtureModel(of: "sd1", in: folder).path
    }

    private static let short = [
        "training.steps=3", "training.batch_size=8", "training.threads=1", "training.checkpoint_every=2",
        "training.sample_every=0", "training.log_every=1", "training.warmup_steps=0", "evaluation.steps=2",
        "evaluation.count=10",
    ]

    private func train(_ recipe: String, _ run: String, _ changes: [String] = []) throws -> [Double] {
        let all = (Self.short + changes).flatMap { ["--set", $0] }
        let outcome = try Program.run(["train", recipe, "--out", run] + all)
        #expect(outcome.code == 0, "\(recipe) \(changes): \(outcome.messages)")
        let lines = try String(contentsOfFile: "\(run)/metrics.jsonl", encoding: .utf8).split(separator: "\n")
        return try lines.map {
            let line = try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
            return try #require(line?["loss"] as? Double)
        }
    }

    /// The data of a recipe encoded, the same losses from them, and pictures of the class.
    @Test func aRecipesDataAreEncoded() throws {
        let recipe = try folder.write(
            "recipe.yaml",
            """
            data: {kind: digits, size: 16, flip: true}
            model: {kind: dit, conditioning: class, autoencoder: \(model), num_attention_heads: 2, attention_head_dim: 8, num_layers: 1}
            """)
        let latents = folder("latents")
        let outcome = try Program.run("encode", recipe, "-o", latents, "--threads", "1", "--json")
        #expect(outcome.code == 0, "\(outcome.messages)")
        let said = try #require(outcome.json()["manifest"] as? [String: Any])
        #expect(said["latent_shape"] as? [Int] == [4, 8, 8] && said["mirrored"] as? Bool == true)
        let online = try train(recipe, folder("online"))
        let encoded = try train(
            recipe, folder("encoded"), ["data.kind=latents", "data.path=\(latents)", "data.size=null"])
        #expect(online.count == 3 && zip(online, encoded).allSatisfy { abs($0 - $1) <= 1e-6 * $0 })
        let picture = folder("picture.png")
        let sampled = try Program.run("sample", folder("encoded"), "--class", "3", "-o", picture, "--json")
        #expect(sampled.code == 0, "\(sampled.messages)")
        #expect(try Picture(contentsOf: URL(fileURLWithPath: picture)).width == 16)
    }

    /// Six pictures of each of two colours, with one caption or two.
    private func captionedPictures() throws -> String {
        let path = try folder.makeFolder("pictures")
        var lines = ""
        for (colour, pixel) in [("red", [200, 20, 30]), ("blue", [10, 40, 220])] as [(String, [UInt8])] {
            for index in 0..<6 {
                let pixels = (0..<400).flatMap { $0 % 20 < 3 * index ? pixel : [255, 255, 255] }
                let name = "\(colour)-\(index).png"
                try Picture(width: 20, height: 20, channels: 3, pixels: pixels).write(
                    to: URL(fileURLWithPath: "\(path)/\(name)"))
                let texts =
                    index % 2 == 0 ? "\"\(colour)\"" : "[\"a \(colour) square\", \"\(colour)\"]"
                lines += "{\"file_name\": \"\(name)\", \"text\": \(texts)}\n"
            }
        }
        try folder.write("pictures/metadata.jsonl", lines)
        return path
    }

    /// A folder of captioned pictures, with the model's own text encoder.
    @Test func captionsOfAFolderAreEncoded() throws {
        let pictures = try captionedPictures()
        let outcome = try Program.run(
            "encode", pictures, "--model", model, "-o", folder("latents"), "--size", "16", "--captions",
            "file",
            "--split", "all", "--batch-size", "5", "--flip")
        #expect(outcome.code == 0 && outcome.messages.contains("encoded 12 pictures"), "\(outcome.messages)")
        let file = try SafetensorsFile(path: folder("latents/all-00001.safetensors"))
        #expect(file.shape(of: "mirrored.deviation") == [12, 4, 8, 8])
        #expect(file.shape(of: "text.context")?.extents.dropFirst() == [77, 24])
        let recipe = try folder.write(
            "recipe.yaml",
            """
            data: {kind: latents, path: \(folder("latents")), captions: file, split: all}
            model:
              {kind: unet2d-condition, conditioning: text, autoencoder: \(model), text_encoder: \(model),
               block_out_channels: [8, 8], layers_per_block: 1, norm_num_groups: 4, attention_head_dim: 2,
               down_block_types: [DownBlock2D, CrossAttnDownBlock2D], up_block_types: [CrossAttnUpBlock2D, UpBlock2D]}
            """)
        _ = try train(recipe, folder("run"))
        let made = try Program.run(
            "generate", "a red square", "--model", folder("run"), "-o", folder("made.png"), "--seed", "2")
        #expect(made.code == 0, "\(made.messages)")
    }

    @Test func badInputIsRefused() throws {
        let out = ["-o", folder("out")]
        let cases: [([String], String)] = [
            (["digits"], "--model is missing"), (["digits", "--model", folder("none")], "none"),
            (["digits", "--model", folder.path], "model_index.json"),
            ([folder("none"), "--model", model], "none"),
            (["digits", "--model", model, "--size", "15"], "multiple of 2"),
            (["digits", "--model", model, "--size", "0"], "--size"),
            (["digits", "--model", model, "--batch-size", "0"], "--batch-size"),
            (["digits", "--model", model, "--captions", "some"], "--captions"),
            (["digits", "--model", model, "--captions", "file"], "no file of captions"),
            (["digits", "--model", model, "--split", "half"], "--split"),
            (
                ["digits", "--model", model, "--captions", "class-names", "--text-encoder", folder("none")],
                "text_encoder"
            ),
        ]
        for (arguments, words) in cases {
            try Program.expectRefused(["encode"] + arguments + out, words)
            #expect(try folder.names() == ["sd1-model"], "\(arguments)")
        }
        try folder.write("taken", "x")
        try Program.expectRefused(
            ["encode", "digits", "--model", model, "-o", folder("taken")], "is there already")
    }
}
