import Checkpoints
import Foundation
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

/// unCLIP trained by recipes: a CLIP, priors and a decoder through the program, and what a person does with them.
@Suite(.serialized) struct EmbeddingCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let short = [
        "training.steps=2", "training.batch_size=4", "training.threads=1", "training.warmup_steps=1",
        "training.checkpoint_every=0", "evaluation.steps=2",
    ]

    /// Twelve small pictures with captions.
    private func pictures() throws -> String {
        let path = try folder.makeFolder("pictures")
        var rows = ""
        for index in 0..<24 {
            let name = ["red", "green", "blue"][index % 3]
            let colour = (0..<3).map { UInt8($0 == index % 3 ? 200 + index : 3 * index) }
            let picture = Picture(width: 8, height: 8, colour: colour)
            try folder.write("pictures/\(index).png", picture.encoded(as: .png))
            rows += #"{"file_name": "\#(index).png", "text": "a \#(name) square \#(index)"}"# + "\n"
        }
        try folder.write("pictures/metadata.jsonl", rows)
        return path
    }

    @discardableResult
    private func trained(_ name: String, _ recipe: String, _ changes: [String]) throws -> String {
        let data = folder("pictures")
        let set =
            Self.short + ["data.kind=folder", "data.path=\(data)", "data.size=8", "data.background=null"]
            + changes
        try folder.made(
            ["train", "recipes/\(recipe).yaml", "--out", folder(name)] + set.flatMap { ["--set", $0] })
        return folder(name)
    }

    private func clip(_ name: String = "clip", width: Int = 8, seed: Int = 0) throws -> String {
        try trained(
            name, "small-clip",
            [
                "seed=\(seed)", "model.patch_size=4", "model.vision_hidden_size=8",
                "model.vision_num_hidden_layers=1",
                "model.vision_num_attention_heads=2", "model.text_hidden_size=\(width)",
                "model.text_num_hidden_layers=1", "model.text_num_attention_heads=2",
                "model.projection_dim=\(width)",
            ])
    }

    private static let prior = [
        "model.num_attention_heads=2", "model.attention_head_dim=4", "model.num_layers=1",
    ]
    private static let components = prior + ["model.components=4", "model.buckets=8"]
    private static let decoder = [
        "model.block_out_channels=[8, 8]", "model.down_block_types=[DownBlock2D, CrossAttnDownBlock2D]",
        "model.up_block_types=[CrossAttnUpBlock2D, UpBlock2D]", "model.cross_attention_dim=8",
        "model.attention_head_dim=2", "model.norm_num_groups=4", "evaluation.count=4",
    ]

    private func samples(_ arguments: [String]) throws -> Tensor {
        let path = folder("x.safetensors")
        try folder.made(arguments + ["-o", path])
        return try SafetensorsFile(path: path, storage: .copied).tensor(named: "samples")
    }

    @Test func `a prior and a decoder make pictures of texts`() throws {
        _ = try pictures()
        let clip = try clip()
        let prior = try trained("prior", "prior", ["model.clip=\(clip)"] + Self.prior)
        let parts = try trained(
            "prior-ar", "prior-autoregressive", ["model.clip=\(clip)"] + Self.components)
        let decoder = try trained("decoder", "unclip-decoder", ["model.clip=\(clip)"] + Self.decoder)
        #expect(Files.exists("\(decoder)/samples/step-2.png"))
        // The recipe that a run keeps, with every key filled in, is the same run.
        for run in [prior, parts, decoder] {
            let again = try folder.made(["train", "\(run)/recipe.yaml", "--out", run, "--resume"])
            #expect(again.messages.contains("is complete"))
        }
        for part in [
            "decoder", "text_proj", "text_encoder", "image_encoder", "tokenizer", "decoder_scheduler",
            "feature_extractor",
        ] {
            #expect(Files.exists("\(decoder)/model/\(part)"), "\(part)")
        }

        let call = ["generate", "a red square 0", "--model", decoder, "--seed", "3", "--guidance", "2"]
        let ways = [
            [], ["--embedding", "none"], ["--prior", prior], ["--prior", prior, "--prior-candidates", "1"],
            ["--prior", prior, "--prior-steps", "1", "--prior-guidance", "3"], ["--prior", parts],
        ]
        let made = try ways.map { try samples(call + $0) }
        for (index, picture) in made.enumerated() {
            #expect(picture.shape == [1, 3, 8, 8])
            for other in made[..<index] { #expect(try !picture.isIdentical(to: other), "\(ways[index])") }
        }
        #expect(try samples(call + ["--embedding", "text"]).isIdentical(to: made[0]))
        // A picture of a call is what it is alone, and in batches of any size.
        for way in [ways[2], ways[5]] {
            let several = try samples(call + way + ["--count", "3", "--batch-size", "2"])
            let last = try samples(
                ["generate", "a red square 0", "--model", decoder, "--seed", "5", "--guidance", "2"] + way)
            expectClose(several.slice(2..<3, of: 0), last, absolute: 1e-4)
        }

        // Pictures go on to a model that enlarges them.
        let second = try trained(
            "second", "imagen-32",
            [
                "data.size=16", "model.text_encoder=\(clip)", "model.width=8", "model.multipliers=[1]",
                "model.residual_blocks=[1]", "model.attention=[false]", "model.pooling_heads=2",
                "model.norm_num_groups=4", "evaluation.count=4",
            ])
        let enlarged = try samples(call + ["--prior", prior, "--then", second, "--noise-level", "100"])
        #expect(enlarged.shape == [1, 3, 16, 16])

        // A prior by itself gives embeddings at the length √features.
        for model in [prior, parts] {
            let embeddings = try samples(["generate", "a red square 0", "--model", model, "--count", "3"])
            #expect(embeddings.shape == [3, 8])
        }

        let receipt = try folder.receipt(
            call + [
                "--prior", prior, "--prior-candidates", "3", "--embedding", "prior", "--threshold", "static",
            ])
        #expect(receipt["prior"] == "prior" && receipt["prior_candidates"] == 3)
        #expect(receipt["embedding"] == "prior" && receipt["threshold"] == "static:1.0")

        try changes(of: decoder)
        try comparison(of: decoder, prior)
        try refusals(clip, prior, decoder)
    }

    private func changes(of decoder: String) throws {
        let (red, blue) = (folder("pictures/0.png"), folder("pictures/2.png"))
        let call = ["sample", decoder, "--image", red, "--seed", "4"]
        let way = try samples(call + ["--image-to", blue, "--count", "3"])
        // The ends are the variations of both pictures from one noise.
        expectClose(way.slice(0..<1, of: 0), try samples(call), absolute: 1e-4)
        expectClose(
            way.slice(2..<3, of: 0), try samples(["sample", decoder, "--image", blue, "--seed", "4"]),
            absolute: 1e-4)
        let texts = ["--text-diff", "a red square 0", "a blue square 2"]
        let turned = try samples(call + texts + ["--count", "2", "--text-diff-share", "0.5"])
        expectClose(turned.slice(0..<1, of: 0), try samples(call), absolute: 1e-4)
        expectClose(
            turned.slice(1..<2, of: 0), try samples(call + texts + ["--text-diff-share", "0.5"]),
            absolute: 1e-4)
        #expect(try !turned.slice(0..<1, of: 0).isIdentical(to: turned.slice(1..<2, of: 0)))

        let receipt = try folder.receipt(call + texts + ["--text-diff-share", "0.25"])
        #expect(
            receipt["text_diff"]
                == ["from": "a red square 0", "to": "a blue square 2", "share": 0.25])
        let between = try folder.receipt(call + ["--image-to", blue, "--count", "2"])
        #expect(between["image_to"] != nil)

        let out = folder("none.png")
        for (options, said) in [
            (["--image-to", blue], "--count 2 or more"),
            (["--image-to", blue, "--count", "2"] + texts, "two ways to go"),
            (["--text-diff", "a", "a"], "one text twice"), (["--text-diff", "a"], "two texts"),
            (texts + ["--text-diff-share", "1.5"], "--text-diff-share is 1.5"),
            (["--text-diff-share", "0.5"], "give two texts"), (["--image-to", folder("none")], "none"),
        ] {
            try Program.expectRefused(call + options + ["-o", out], said)
        }
        try Program.expectRefused(
            ["sample", decoder, "--image-to", blue, "--count", "2", "-o", out], "--image")
    }

    private func comparison(of decoder: String, _ prior: String) throws {
        let outcome = try folder.made([
            "evaluate", decoder, "--prior", prior, "--against", folder("pictures"), "--count", "20",
            "--clip", folder("clip"), "--compare-embeddings", "--json", "--threads", "1",
        ])
        let found = try outcome.json()
        #expect(Set(found.keys) == ["none", "text", "prior"])
        for (name, value) in found {
            let figures = try #require(value as? [String: Any], "\(name)")
            #expect(figures["clip_score"] != nil && figures["clip_score_of_data"] != nil)
            #expect(figures["look"] != nil && figures["contrastive"] != nil)
        }
        let shown = try folder.made([
            "evaluate", decoder, "--against", folder("pictures"), "--count", "20", "--compare-embeddings",
            "--threads", "1",
        ])
        #expect(shown.output.contains("the text alone") && !shown.output.contains("the prior's embedding"))
    }

    private func refusals(_ clip: String, _ prior: String, _ decoder: String) throws {
        let (other, wide) = (
            try self.clip("other", seed: 5), try self.clip("wide", width: 12)
        )
        let foreign = try trained("foreign", "prior", ["model.clip=\(other)"] + Self.prior)
        let wider = try trained("wider", "prior", ["model.clip=\(wide)"] + Self.prior)
        let out = folder("none.png")
        let call = ["generate", "a red square 0", "--model", decoder, "-o", out]
        for (options, said) in [
            (["--prior", foreign], "another CLIP"), (["--prior", wider], "embeddings of 12 features"),
            (["--prior", decoder], "makes no embeddings of texts"),
            (["--embedding", "prior"], "none of its own: give --prior"),
            (["--prior", prior, "--prior-candidates", "0"], "--prior-candidates is 0"),
            (["--prior-steps", "3"], "--prior-steps"),
            (["--prior", prior, "--embedding", "text"], "--prior "),
            (["--threshold", "static:-1"], "--threshold"), (["--threshold", "static:1e99"], "--threshold"),
            (["--threshold", "dynamic:2"], "--threshold"),
            (["--width", "64"], "--width"), (["--initial", folder("none")], "none"),
        ] {
            try Program.expectRefused(call + options, said)
        }
        try Program.expectRefused(["sample", decoder, "-o", out], "variations of a picture")
        try Program.expectRefused(
            [
                "generate", "a cat", "--model", folder("prior-ar"), "--steps", "3", "-o",
                folder("e.safetensors"),
            ],
            "one component after the other")

        func refusedRecipe(_ recipe: String, _ changes: [String], _ said: String) throws {
            let set = (["data.kind=folder", "data.path=\(folder("pictures"))", "data.size=8"] + changes)
                .flatMap { ["--set", $0] }
            try Program.expectRefused(
                ["train", "recipes/\(recipe).yaml", "--out", folder("no")] + set, said)
        }
        let unequal = try trained(
            "unequal", "small-clip",
            [
                "model.patch_size=4", "model.vision_hidden_size=8", "model.vision_num_hidden_layers=1",
                "model.vision_num_attention_heads=2", "model.text_hidden_size=8",
                "model.text_num_hidden_layers=1", "model.text_num_attention_heads=2",
                "model.projection_dim=6",
            ])
        let own = ["model.clip=\(clip)"]
        for (recipe, changes, said) in [
            ("prior", ["model.clip=\(folder("nowhere"))"], "there is no config.json of a CLIP"),
            ("prior", ["model.clip=\(prior)"], "model.clip"), ("prior", ["model.clip=null"], "model.clip"),
            ("prior", ["model.clip=\(unequal)"], "one width for both"),
            ("prior", own + ["data.captions=none"], "pairs of texts and pictures"),
            ("prior", own + ["model.embedding_dim=12"], "model.embedding_dim is 12"),
            ("prior-autoregressive", own + ["model.components=40"], "model.components is 40"),
            ("prior-autoregressive", own + ["model.components=4", "model.buckets=1"], "model.buckets"),
            ("prior-autoregressive", own + ["diffusion.process=flow"], "leave the section diffusion out"),
            ("unclip-decoder", own + ["model.clip_embeddings_dim=12"], "leave them out"),
            ("unclip-decoder", own + ["model.text_dropout=2"], "model.text_dropout"),
            ("unclip-decoder", own + ["data.channels=1"], "set data.channels to 3"),
            (
                "digits", own + ["data.kind=digits", "data.path=null", "data.size=null"],
                "only unCLIP's priors"
            ),
            (
                "digits",
                ["model.text_dropout=0.5", "data.kind=digits", "data.path=null", "data.size=null"],
                "model.text_dropout"
            ),
        ] {
            try refusedRecipe(recipe, changes, said)
        }
        #expect(!FileManager.default.fileExists(atPath: folder("no")))
    }

    /// A run of an autoregressive prior goes on as if it had not stopped: its quantizer is saved with it.
    @Test func `an autoregressive prior goes on bit for bit`() throws {
        _ = try pictures()
        let own = try ["model.clip=\(clip())", "training.steps=4", "training.checkpoint_every=2"]
        try trained("whole", "prior-autoregressive", own + Self.components)
        try trained("parts", "prior-autoregressive", own + Self.components)
        try FileManager.default.removeItem(atPath: folder("parts/checkpoints/step-4"))
        let set =
            (Self.short + ["data.kind=folder", "data.path=\(folder("pictures"))", "data.size=8"]
            + ["data.background=null"] + own + Self.components).flatMap { ["--set", $0] }
        try folder.made(
            ["train", "recipes/prior-autoregressive.yaml", "--out", folder("parts"), "--resume"] + set)
        let files = try ["whole", "parts"].map {
            try Files.read(folder("\($0)/checkpoints/step-4/model.safetensors"))
        }
        #expect(files[0] == files[1])
    }

    /// A cascade in the manner of Imagen: a frozen text encoder, and pictures of the base enlarged by the second stage.
    @Test func `a text encoder that stays as it is serves a cascade`() throws {
        _ = try pictures()
        let clip = try clip()
        let small = [
            "model.text_encoder=\(clip)", "model.width=8", "model.multipliers=[1, 1]",
            "model.residual_blocks=[1, 1]", "model.attention=[false, true]", "model.attention_head_dim=4",
            "model.pooling_heads=2", "model.norm_num_groups=4", "evaluation.count=4",
        ]
        let base = try trained("base", "imagen-16", small + ["data.size=4"])
        let second = try trained("second", "imagen-32", small)
        let plain = try trained("plain", "imagen-32", small + ["diffusion.augmentation=0"])
        for (name, key) in [("no-pool", "context_pooling"), ("no-tokens", "context_attention")] {
            let run = try trained(name, "imagen-16", small + ["data.size=4", "model.\(key)=false"])
            #expect(try samples(["generate", "a red square 0", "--model", run]).shape == [1, 3, 4, 4])
        }
        let call = ["generate", "a red square 0", "--model", base, "--seed", "2"]
        let then = ["--then", second, "--steps", "2", "--noise-level"]
        let noisy = try samples(call + then + ["100"])
        #expect(noisy.shape == [1, 3, 8, 8])
        #expect(try !noisy.isIdentical(to: samples(call + then + ["0"])))
        #expect(try samples(call + ["--then", plain]).shape == [1, 3, 8, 8])
        try Program.expectRefused(
            call + ["--then", plain, "--noise-level", "5", "-o", folder("none.png")], "reads no noise level")
        let ranges = try [
            [], ["--threshold", "static"], ["--threshold", "dynamic"], ["--threshold", "dynamic:0.5"],
        ]
        .map { try samples(call + ["--guidance", "8"] + $0) }
        #expect(try ranges[1].magnitude().max().item(Double.self) <= 1)
        #expect(try !ranges[2].isIdentical(to: ranges[3]))
        for value in ["statik", "static:x", "static:1:2", "dynamic:0.9:5:6"] {
            try Program.expectRefused(
                call + ["--threshold", value, "-o", folder("none.png")], "--threshold")
        }
        try Program.expectRefused(
            [
                "train", "recipes/imagen-16.yaml", "--out", folder("no"), "--set",
                "model.context_pooling=false",
                "--set", "model.context_attention=false", "--set", "model.text_encoder=\(clip)", "--set",
                "data.kind=folder", "--set", "data.path=\(folder("pictures"))",
            ], "context_attention")
    }
}
