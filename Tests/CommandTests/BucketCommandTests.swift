import Foundation
import Pictures
import TestSupport
import Testing

/// Runs on pictures that keep about their shapes, and networks that are conditioned on sizes.
@Suite struct BucketCommandTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.makeFolder("data")
        for number in 0..<30 {
            let (width, height) = [(16, 16), (24, 12), (12, 25)][number % 3]
            let picture = Picture(width: width, height: height, colour: [UInt8(number * 8)])
            try picture.write(to: URL(fileURLWithPath: folder("data/\(10 + number).png")))
            try folder.write("data/\(10 + number).txt", "shade \(number)")
        }
    }

    private func train(_ run: String, _ changes: String...) throws -> Program.Outcome {
        try train(run, changes)
    }

    private func train(_ run: String, _ changes: [String], _ words: String...) throws -> Program.Outcome {
        let recipe = try folder.write(
            "recipe.yaml",
            """
            data: {kind: folder, path: "\(folder("data"))", size: 16, channels: 1, captions: file, buckets: 4}
            model: {kind: unet2d-condition, conditioning: text, text_encoder: trained, text_width: 8, text_layers: 1,
                    block_out_channels: [8, 8], layers_per_block: 1, norm_num_groups: 4, attention_head_dim: 2,
                    addition_embed_type: text_time, addition_time_embed_dim: 4,
                    projection_class_embeddings_input_dim: 32,
                    down_block_types: [CrossAttnDownBlock2D, DownBlock2D],
                    up_block_types: [UpBlock2D, CrossAttnUpBlock2D]}
            diffusion: {train_steps: 50}
            training: {steps: 4, batch_size: 3, checkpoint_every: 0, sample_every: 0, log_every: 1, threads: 1}
            evaluation: {steps: 2, count: 4}
            """)
        return try Program.run(
            ["train", recipe, "--out", folder(run)] + words + changes.flatMap { ["--set", $0] })
    }

    /// What shards give is bit for bit what a run gives that stopped in between.
    @Test func picturesOfShardsKeepTheirShapes() throws {
        var archive = TarArchive()
        for number in 0..<30 {
            archive.add("\(10 + number).png", folder.bytes("data/\(10 + number).png"))
            archive.add("\(10 + number).txt", "shade \(number)".utf8)
        }
        try folder.write("a.tar", archive.closed)
        let changes = ["data.kind=webdataset", "data.path=\(folder("a.tar"))", "training.schedule=constant"]
        let whole = try train("whole", changes + ["data.shuffle_buffer=7"])
        #expect(whole.code == 0, "\(whole.messages)")
        let first = try train("halves", changes + ["data.shuffle_buffer=7", "training.steps=2"])
        #expect(first.code == 0, "\(first.messages)")
        let second = try train("halves", changes + ["data.shuffle_buffer=7"], "--resume")
        #expect(second.code == 0, "\(second.messages)")
        #expect(
            folder.bytes("halves/checkpoints/step-4/model.safetensors")
                == folder.bytes("whole/checkpoints/step-4/model.safetensors"))
    }

    @Test func aNetworkLearnsFromPicturesOfManyShapesAndTheirSizes() throws {
        let outcome = try train("run")
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(folder.bytes("run/samples/step-4.png").starts(with: [0x89, 0x50]))
        let sample = try Program.run(
            "sample", folder("run"), "--count", "2", "--steps", "2", "-o", folder("x.safetensors"))
        #expect(sample.code == 0, "\(sample.messages)")
        // Halves of a run are the run.
        let first = try train("halves", "training.steps=2", "training.schedule=constant")
        #expect(first.code == 0, "\(first.messages)")
        let second = try Program.run(
            "train", folder("recipe.yaml"), "--out", folder("halves"), "--resume", "--set",
            "training.schedule=constant")
        #expect(second.code == 0, "\(second.messages)")
        #expect(try train("whole", "training.schedule=constant").code == 0)
        #expect(
            folder.bytes("halves/checkpoints/step-4/model.safetensors")
                == folder.bytes("whole/checkpoints/step-4/model.safetensors"))
    }

    /// The loss of other data is measured on the way; where there is only what is learnt from, it is that of all of them.
    @Test func theLossOfOtherDataIsMeasured() throws {
        try folder.makeFolder("others")
        for number in 0..<3 {
            try folder.write("others/\(number).png", folder.bytes("data/\(10 + 3 * number).png"))
            try folder.write("others/\(number).txt", "shade \(3 * number)")
        }
        let all = ["data.split=all", "data.buckets=null", "data.bucket_ratio=null"]
        func loss(_ run: String, _ path: String) throws -> Double {
            let outcome = try train(run, all + ["data.validation_path=\(folder(path))"])
            #expect(outcome.code == 0, "\(outcome.messages)")
            let last = try #require(
                folder.bytes("\(run)/metrics.jsonl").split(separator: UInt8(ascii: "\n")).last)
            let object = try JSONSerialization.jsonObject(with: Data(last)) as? [String: Any]
            return try #require(object?["validation_loss"] as? Double)
        }
        let (one, other) = (try loss("one", "others"), try loss("other", "data"))
        #expect(one.isFinite && other.isFinite && one != other)
        for (path, words) in [("nothing", "data.validation_path"), ("run.yaml", "data.validation_path")] {
            try Program.expectRefusal(
                train("never", all + ["data.validation_path=\(folder(path))"]), of: path, words)
        }
        try Program.expectRefusal(
            train("never", ["data.kind=digits", "data.path=null", "data.validation_path=x"]), of: "digits",
            "data")
        #expect(try !folder.names().contains("never"))
    }

    @Test func whatDoesNotFitIsRefused() throws {
        for (change, words) in [
            ("data.buckets=32", "data.buckets"), ("data.bucket_ratio=0.5", "data.bucket_ratio"),
            (
                "model.projection_class_embeddings_input_dim=33",
                "six sizes of 4 features and a text of 8 are 32"
            ),
            ("data.kind=idx", "data"), ("data.buckets=null", "data.bucket_ratio"),
        ] {
            let ratio = change == "data.buckets=null" ? "data.bucket_ratio=2" : "data.workers=1"
            try Program.expectRefusal(train("never", change, ratio), of: change, words)
        }
        #expect(try !folder.names().contains("never"))
    }

    /// Every bucket must pass through the network.
    @Test(arguments: [
        (
            "unet2d, block_out_channels: [8, 8], norm_num_groups: 4, "
                + "down_block_types: [DownBlock2D, DownBlock2D], up_block_types: [UpBlock2D, UpBlock2D]", 5,
            "data.buckets is 5: the network halves"
        ),
        (
            "dit, num_attention_heads: 2, attention_head_dim: 4, num_layers: 1", 4,
            "a dit network keeps places"
        ),
    ])
    func bucketsThatDoNotPassAreRefused(model: String, step: Int, words: String) throws {
        let recipe = try folder.write(
            "other.yaml",
            """
            data: {kind: folder, path: "\(folder("data"))", size: 16, channels: 1, buckets: \(step)}
            model: {kind: \(model)}
            """)
        try Program.expectRefused(["train", recipe, "--out", folder("never")], words)
        #expect(try !folder.names().contains("never"))
    }
}
