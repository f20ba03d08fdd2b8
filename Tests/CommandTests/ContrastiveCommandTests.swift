import Checkpoints
import Foundation
import Pictures
import TestSupport
import Testing

/// CLIP through the program: trained, continued, judged.
@Suite struct ContrastiveCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let colours: [(name: String, colour: [UInt8])] = [
        ("red", [220, 30, 30]), ("green", [30, 200, 40]), ("blue", [40, 40, 220]), ("grey", [128, 128, 128]),
    ]

    /// Ten pictures of each colour, a folder a class; with captions, a row of metadata for each.
    private func pictures(captions: Bool = false) throws -> String {
        let path = try folder.makeFolder("colours")
        var rows = ""
        for (name, colour) in Self.colours {
            try folder.makeFolder("colours/\(name)")
            for index in 0..<10 {
                let shade = colour.map { UInt8(clamping: Int($0) + 3 * index - 15) }
                let picture = Picture(width: 8, height: 8, colour: shade)
                try folder.write("colours/\(name)/\(index).png", picture.encoded(as: .png))
                rows +=
                    #"{"file_name": "\#(name)/\#(index).png", "label": "\#(name)", "text": "a \#(name) square"}"#
                rows += "\n"
            }
        }
        if captions { try folder.write("colours/metadata.jsonl", rows) }
        return path
    }

    private func recipe(_ data: String, captions: String, _ more: String = "") throws -> String {
        try folder.write(
            "recipe.yaml",
            """
            data: {kind: folder, path: \(data), size: 8, captions: \(captions)}
            model:
              kind: clip
              vision_hidden_size: 16
              vision_num_hidden_layers: 1
              vision_num_attention_heads: 2
              text_hidden_size: 16
              text_num_hidden_layers: 1
              text_num_attention_heads: 2
              projection_dim: 8
              patch_size: 4
            training:
              {steps: 6, batch_size: 8, learning_rate: 0.01, warmup_steps: 2, ema_decay: 0, threads: 1,
               checkpoint_every: 3, log_every: 1, sample_every: 0}
            \(more)
            """)
    }

    @Test func aRunGoesOnBitForBitAndIsJudged() throws {
        let recipe = try recipe(pictures(captions: true), captions: "file")
        try folder.made(["train", recipe, "--out", folder("whole")])
        try folder.made(["train", recipe, "--out", folder("parts"), "--set", "training.steps=3"])
        try folder.made(["train", recipe, "--out", folder("parts"), "--resume"])
        #expect(
            folder.bytes("whole/model/model.safetensors") == folder.bytes("parts/model/model.safetensors"))
        let metrics = try String(contentsOfFile: folder("whole") + "/metrics.jsonl", encoding: .utf8)
        for name in ["text_loss", "picture_loss", "logit_scale", "validation_loss"] {
            #expect(metrics.contains("\"\(name)\""), "\(name)")
        }
        let names = try folder.names(of: "whole/model")
        #expect(names.contains("vocab.json") && names.contains("preprocessor_config.json"))
        let report = try Program.run(
            "evaluate", folder("whole"), "--against", folder("colours"), "--threads", "1", "--json")
        let figures = try report.json()
        #expect(figures["pictures"] as? Int == 4 && figures["texts"] as? Int == 4)
        #expect(figures["classes"] as? Int == 4 && figures["zero_shot_accuracy"] is Double)
        for way in ["text_to_picture", "picture_to_text"] {
            let found = try #require(figures[way] as? [String: Double])
            #expect(Set(found.keys) == ["recall_at_1", "recall_at_5", "recall_at_10", "median_rank"])
        }
        let text = try Program.run("evaluate", folder("whole"), "--against", folder("colours"))
        #expect(
            text.code == 0 && text.output.contains("recall at 1")
                && text.output.contains("by guessing 25.0 %"))
        let seen = try Program.run("inspect", folder("whole"), "--json").json()
        #expect(seen["family"] as? String == "CLIPModel")
    }

    /// Colours that were never shown are known by the names of the classes.
    @Test func classesAreKnownByTheirNames() throws {
        let recipe = try recipe(pictures(), captions: "class-names")
        try folder.made(["train", recipe, "--out", folder("run"), "--set", "training.steps=60"])
        let report = try Program.run(
            "evaluate", folder("run"), "--against", folder("colours"), "--threads", "1", "--json")
        #expect(try report.json()["zero_shot_accuracy"] as? Double == 1)
        let found = try #require(try report.json()["picture_to_text"] as? [String: Double])
        #expect(found["recall_at_1"] == 1 && found["median_rank"] == 1)
    }

    /// The recipes take their steps and go on with them, on data that are here: the names of the digits' classes, and
    /// pictures with captions.
    @Test(arguments: ["clip-fashion", "clip-emoji"]) func theRecipesTakeTheirSteps(name: String) throws {
        let isEmoji = name == "clip-emoji"
        let data =
            isEmoji
            ? ["data.kind=folder", "data.path=\(try pictures(captions: true))", "data.size=8"]
            : ["data.kind=digits", "data.path=null"]
        let short =
            data + [
                "training.batch_size=8", "training.threads=1", "training.checkpoint_every=1",
                "training.warmup_steps=1", "training.log_every=1", "model.patch_size=2",
            ]
        let run = folder("run")
        for steps in 2...3 {
            let set = (short + ["training.steps=\(steps)"]).flatMap { ["--set", $0] }
            try folder.made(["train", "recipes/\(name).yaml", "--out", run, "--resume"] + set)
        }
        let again = try Program.run("train", run + "/recipe.yaml", "--out", run, "--resume")
        #expect(again.code == 0 && again.messages.contains("is complete"), "\(again.messages)")
        let against = isEmoji ? ["--against", folder("colours")] : []
        let report = try Program.run(
            ["evaluate", run, "--threads", "1", "--json", "--count", "50"] + against)
        #expect(try report.json()["pictures"] as? Int == (isEmoji ? 4 : 50))
        #expect(try report.json()["classes"] as? Int == (isEmoji ? 4 : 10))
    }

    @Test func whatHasNoMeaningIsRefusedEarly() throws {
        let data = try pictures()
        for (change, words) in [
            ("data.captions=none", "data.captions is none"),
            ("training.batch_size=1", "training.batch_size is 1"),
            ("model.from=\(data)", "model.from"), ("model.image_size=16", "model.image_size"),
            ("model.patch_size=9", "model.patch_size"), ("objective.kind=denoising", "objective.kind"),
            ("objective.largest_scale=0", "objective.largest_scale"), ("diffusion.process=edm", "diffusion"),
            ("model.vision_num_attention_heads=3", "model.vision_num_attention_heads"),
            ("data.captions=file", "has a caption"), ("data.buckets=4", "data.buckets"),
            ("model.conditioning=class", "model.conditioning"),
        ] {
            let recipe = try recipe(data, captions: "class-names")
            try Program.expectRefused(
                ["train", recipe, "--out", folder("never"), "--set", change], words)
        }
        #expect(!FileManager.default.fileExists(atPath: folder("never")))
        let run = folder("run")
        try folder.made(
            ["train", try recipe(data, captions: "class-names"), "--out", run, "--set", "training.steps=1"])
        try Program.expectRefused(["sample", run, "-o", folder("x.png")], "draws no samples")
        try Program.expectRefused(["evaluate", run, "--against", data, "--steps", "3"], "--steps")
        try Program.expectRefused(["evaluate", run, "--against", data, "--count", "0"], "--count is 0")
    }
}

extension TemporaryFolder {
    /// The names in a folder of the folder, sorted.
    fileprivate func names(of inner: String) throws -> [String] { try folderNames(self(inner)) }
}
