import Checkpoints
import Foundation
import Layers
import Networks
import Pictures
import Tensors
import TestSupport
import Testing
import Training

/// Autoencoders through the program: trained, judged, looked into, and refused where a recipe cannot be meant.
@Suite struct AutoencoderCommandTests {
    private static let network = [
        "model.block_out_channels=[8, 8]", "model.down_block_types=[DownEncoderBlock2D, DownEncoderBlock2D]",
        "model.up_block_types=[UpDecoderBlock2D, UpDecoderBlock2D]", "model.norm_num_groups=4",
        "model.mid_block_add_attention=false",
    ]
    private static let short = [
        "training.steps=3", "training.batch_size=8", "training.threads=1", "training.log_every=1",
    ]
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func train(_ name: String, _ settings: [String]) throws -> Program.Outcome {
        let recipe = try folder.write("\(name).yaml", "data: {kind: digits}".utf8)
        return try Program.run(
            ["train", recipe, "--out", folder(name)]
                + (Self.short + Self.network + settings).flatMap { ["--set", $0] })
    }

    @Test(arguments: [
        ("autoencoder-kl", ["objective.kl_weight=1.0e-3"], "AutoencoderKL"),
        ("autoencoder-kl", ["objective.kind=autoencoder", "objective.noise=0.2"], "AutoencoderKL"),
        ("vq-model", ["model.num_vq_embeddings=32", "objective.codebook=gradient"], "VQModel"),
        ("fsq-model", ["model.levels=[4, 3]"], "FSQModel"),
    ])
    func theyAreTrainedJudgedAndSeenThrough(kind: String, settings: [String], className: String) throws {
        let outcome = try train("run", ["model.kind=\(kind)"] + settings)
        #expect(outcome.code == 0, "\(outcome.messages)")
        let run = folder("run")
        for file in ["samples/step-3.png", "model/config.json", "model/diffusion_pytorch_model.safetensors"] {
            #expect(FileManager.default.fileExists(atPath: "\(run)/\(file)"), "\(file)")
        }
        let again = try Program.run("train", run + "/recipe.yaml", "--out", run, "--resume")
        #expect(again.code == 0 && again.messages.contains("is complete"), "\(again.messages)")

        let judged = try Program.run("evaluate", run, "--count", "40", "--threads", "1", "--json")
        #expect(judged.code == 0, "\(judged.messages)")
        let figures = try judged.json()
        for key in ["psnr", "ssim", "frechet_distance", "frechet_distance_of_halves", "compression"] {
            #expect((figures[key] as? Double)?.isFinite == true, "\(key)")
        }
        #expect(figures["pictures"] as? Int == 40)
        let codes = ["vq-model": 32, "fsq-model": 12][kind]
        #expect(figures["codes"] as? Int == codes)
        #expect((figures["perplexity"] is Double) == (codes != nil))
        #expect((figures["codebook_use"] is Double) == (codes != nil))
        let text = try Program.run("evaluate", run + "/model", "--count", "40", "--threads", "1")
        #expect(text.output.contains("peak signal-to-noise ratio") && text.output.contains("40 pictures"))

        let seen = try Program.run("inspect", run)
        #expect(seen.code == 0 && seen.output.contains(className), "\(seen.output) \(seen.messages)")
        try Program.expectRefused(["sample", run, "-o", folder("x.png")], className)
        try Program.expectRefused(["evaluate", run, "--steps", "3"], "--steps")
    }

    /// The recipes that come with the project, on data in their form: three steps, and a fourth of a run that goes on.
    @Test(arguments: ["autoencoder-kl", "vq", "fsq", "autoencoder-emoji"])
    func everyRecipeTakesStepsAndGoesOn(name: String) throws {
        let data = try name == "autoencoder-emoji" ? emoji() : clothes()
        var settings = Self.short + ["training.checkpoint_every=2", "data.path=\(data)"]
        if name == "autoencoder-emoji" { settings += ["data.kind=folder", "objective.adversarial_start=2"] }
        let (run, recipe) = (folder(name), "recipes/\(name).yaml")
        let outcome = try Program.run(
            ["train", recipe, "--out", run] + settings.flatMap { ["--set", $0] })
        #expect(outcome.code == 0 && outcome.messages.contains("trained 3 steps"), "\(outcome.messages)")
        settings[0] = "training.steps=4"
        let more = try Program.run(
            ["train", recipe, "--out", run, "--resume"] + settings.flatMap { ["--set", $0] })
        #expect(more.code == 0 && more.messages.contains("trained 1 steps"), "\(more.messages)")
        let lines = try MetricsLog.read(run + "/metrics.jsonl").map(\.values)
        #expect(lines.count == 4 && lines.allSatisfy { $0["loss"]?.isFinite == true })
        #expect(lines.last?["validation_loss"] != nil)
        #expect((lines.last?["discriminator_loss"] != nil) == (name == "autoencoder-emoji"))
        #expect((lines.last?["perplexity"] != nil) == ["vq", "fsq"].contains(name))
        let sheet = try Picture(contentsOf: URL(fileURLWithPath: run + "/samples/step-4.png"))
        #expect(sheet.channels == (name == "autoencoder-emoji" ? 3 : 1))
    }

    /// Pictures of 28×28 in idx files, as Fashion-MNIST has them.
    private func clothes() throws -> String {
        try folder.makeFolder("clothes")
        for (part, count) in [("train", 60), ("t10k", 20)] {
            let head: (UInt8, [UInt8]) -> [UInt8] = { rank, sizes in
                [0, 0, 8, rank] + sizes.flatMap { [0, 0, 0, $0] }
            }
            let pixels = (0..<count * 784).map { UInt8($0 * $0 % 251) }
            try folder.write(
                "clothes/\(part)-images-idx3-ubyte", head(3, [UInt8(count), 28, 28]) + pixels)
            try folder.write(
                "clothes/\(part)-labels-idx1-ubyte",
                head(1, [UInt8(count)]) + (0..<count).map { UInt8($0 % 10) })
        }
        return folder("clothes")
    }

    /// Coloured pictures in a folder.
    private func emoji() throws -> String {
        try folder.makeFolder("emoji")
        for index in 0..<40 {
            let picture = Picture(
                width: 32, height: 32, colour: [UInt8(6 * index), 200, UInt8(240 - 6 * index)])
            try folder.write("emoji/\(index).png", picture.encoded(as: .png))
        }
        return folder("emoji")
    }

    /// Training goes on from an earlier autoencoder; one of another shape is refused before anything is made.
    @Test func trainingBeginsFromAnEarlierOne() throws {
        let kind = "model.kind=vq-model"
        #expect(try train("first", [kind]).code == 0)
        // At a rate of nothing the weights stay what they were.
        let still = [
            "training.warmup_steps=1000000", "training.ema_decay=0", "training.learning_rate=1.0e-12",
            "seed=5",
            "objective.codebook=gradient", "objective.revive_below=0",
        ]
        let outcome = try train("second", [kind, "model.from=\(folder("first"))"] + still)
        #expect(outcome.code == 0, "\(outcome.messages)")
        let (first, second) = (
            try VQModel.load(ModelFolder(folder("first") + "/model")).store,
            try VQModel.load(ModelFolder(folder("second") + "/model")).store
        )
        for (name, parameter) in first.named {
            expectClose(try #require(second[name]), parameter, absolute: 1e-6, name)
        }
        let wider = try train("never", [kind, "model.from=\(folder("first"))", "model.num_vq_embeddings=5"])
        try Program.expectRefusal(wider, of: "never", "model.from")
        #expect(!FileManager.default.fileExists(atPath: folder("never")))
    }

    @Test(arguments: [
        (["model.kind=autoencoder-kl", "diffusion.process=flow"], "diffusion"),
        (["model.kind=autoencoder-kl", "objective.commitment=0.5"], "objective.commitment"),
        (
            ["model.kind=autoencoder-kl", "objective.kind=autoencoder", "objective.kl_weight=0.5"],
            "objective.kl_weight"
        ),
        (["model.kind=vq-model", "objective.kind=variational"], "objective.kind"),
        (["model.kind=autoencoder-kl", "model.scaling_factor=0.5"], "model.scaling_factor"),
        (["model.kind=autoencoder-kl", "model.shift_factor=0.5"], "model.shift_factor"),
        (["model.kind=autoencoder-kl", "model.conditioning=class"], "model.conditioning"),
        (["model.kind=autoencoder-kl", "model.in_channels=3"], "model.in_channels"),
        (["model.kind=fsq-model", "model.levels=[1]"], "model.levels"),
        (["model.kind=fsq-model", "objective.adversarial_start=5"], "objective.adversarial_start is 5"),
        (
            ["model.kind=fsq-model", "objective.perceptual=lpips.safetensors"],
            "objective.perceptual_weight is 0"
        ),
        (
            [
                "model.kind=fsq-model", "objective.perceptual_weight=1",
                "objective.perceptual=none.safetensors",
            ],
            "objective.perceptual"
        ),
        (["model.kind=fsq-model", "objective.adversarial_weight=1"], "objective.discriminator_layers is 3"),
        (["model.kind=fsq-model", "data.size=9"], "multiples of 2"),
        (
            ["model.kind=fsq-model", "data.kind=points", "data.path=data/points/spirals.npz"],
            "model.kind is fsq-model"
        ),
        (["model.kind=fsq-model", "model.from=data"], "model.from"),
        (["model.kind=fsq-model", "objective.reconstruction=l3"], "objective.reconstruction"),
    ])
    func whatCannotBeMeantIsRefusedEarly(settings: [String], words: String) throws {
        let outcome = try train("never", settings)
        try Program.expectRefusal(outcome, of: "never", words)
        #expect(!FileManager.default.fileExists(atPath: folder("never")))
    }

    /// Features of the data's classes need classes.
    @Test func featuresAreLearntFromClasses() throws {
        try folder.makeFolder("pictures")
        for index in 0..<12 {
            let picture = Picture(width: 8, height: 8, colour: [UInt8(20 * index)])
            try folder.write("pictures/\(index).png", picture.encoded(as: .png))
        }
        let data = ["data.kind=folder", "data.path=\(folder("pictures"))", "data.size=8", "data.channels=1"]
        let outcome = try train(
            "never", ["model.kind=fsq-model", "objective.perceptual_weight=1"] + data)
        try Program.expectRefusal(outcome, of: "never", "objective.perceptual is trained")
        // Such a folder has no distance of classes, and all else.
        #expect(try train("run", ["model.kind=fsq-model"] + data).code == 0)
        let judged = try Program.run(
            "evaluate", folder("run"), "--against", folder("pictures"), "--threads", "1", "--json")
        #expect(judged.code == 0, "\(judged.messages)")
        #expect(try judged.json()["frechet_distance"] == nil && judged.json()["psnr"] is Double)
    }
}
