import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// A classifier of noisy pictures through the program: trained, judged, and a guide of samples.
@Suite struct ClassifierCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func trained(_ name: String, _ changes: [String] = []) throws -> String {
        let short = [
            "training.steps=3", "training.batch_size=8", "training.threads=1", "training.checkpoint_every=2",
            "training.log_every=1", "model.block_out_channels=[8, 8]", "model.norm_num_groups=4",
            "model.attention_head_dim=4",
        ]
        let set = (short + changes).flatMap { ["--set", $0] }
        try folder.made(["train", "recipes/classifier-digits.yaml", "--out", folder(name)] + set)
        return folder(name)
    }

    @Test func aRunGoesOnBitForBitAndIsJudged() throws {
        let whole = try trained("whole", ["objective.times=importance"])
        _ = try trained("parts", ["objective.times=importance", "training.steps=2"])
        try folder.made(["train", whole + "/recipe.yaml", "--out", folder("parts"), "--resume"])
        let file = "model/classifier/diffusion_pytorch_model.safetensors"
        #expect(folder.bytes("whole/\(file)") == folder.bytes("parts/\(file)"))
        let metrics = try String(contentsOfFile: whole + "/metrics.jsonl", encoding: .utf8)
        #expect(metrics.contains("\"accuracy\"") && metrics.contains("\"validation_loss\""))
        let report = try Program.run("evaluate", whole, "--threads", "1", "--count", "40", "--json").json()
        let levels = try #require(report["levels"] as? [[String: Double]])
        #expect(levels.count == 8 && report["pictures"] as? Int == 40 && report["classes"] as? Int == 10)
        for level in levels {
            #expect(Set(level.keys) == ["share", "time", "log_snr", "accuracy", "cross_entropy"])
        }
        #expect(zip(levels, levels.dropFirst()).allSatisfy { $0["log_snr"]! > $1["log_snr"]! })
        let text = try Program.run("evaluate", whole, "--threads", "1", "--count", "40")
        #expect(text.output.contains("log-SNR") && text.output.contains("40 pictures at every level"))
        let seen = try Program.run("inspect", whole, "--json").json()
        #expect(seen["family"] as? String == "classifier")
        let parts = try #require(seen["components"] as? [String: [String: Any]])
        #expect(parts["classifier"]?["class"] as? String == "UNetClassifier")
    }

    /// On its own process and on others, a trained classifier guides a model without classes.
    @Test(arguments: ["betas", "edm", "vp-sde", "sub-vp-sde", "ve", "flow", "cosine"])
    func aTrainedClassifierGuides(process: String) throws {
        let changes = process == "betas" ? [] : ["diffusion.process=\(process)", "diffusion.schedule=null"]
        let classifier = try trained("classifier", changes)
        let tiny = try TinyModel()
        func samples(_ more: [String] = []) throws -> Tensor {
            let path = folder("x.safetensors")
            try folder.made(["sample", tiny.run, "--count", "2", "--steps", "4", "-o", path] + more)
            return try SafetensorsFile(path: path, storage: .copied).tensor(named: "samples")
        }
        func guided(_ scale: String) throws -> Tensor {
            try samples([
                "--guidance-method", "classifier", "--classifier", classifier, "--class", "3", "--guidance",
                scale,
            ])
        }
        let plain = try samples()
        expectClose(try guided("1e-9"), plain, absolute: 1e-4)
        let found = try guided("3")
        #expect(try !found.isIdentical(to: plain) && found.isFinite().all().item(Bool.self))
    }

    /// A model without classes is judged by the classes that a classifier guides it to.
    @Test func guidedSamplesAreJudged() throws {
        let (classifier, tiny) = (try trained("classifier"), try TinyModel())
        let call = ["evaluate", tiny.run, "--count", "70", "--steps", "2", "--threads", "1", "--json"]
        let guide = ["--guidance-method", "classifier", "--classifier", classifier, "--guidance", "2"]
        let report = try Program.run(call + guide)
        #expect(report.code == 0, "\(report.messages)")
        #expect(try report.json()["accuracy"] is Double && report.json()["diversity"] is Double)
        let plain = try Program.run(call)
        #expect(try plain.json()["accuracy"] == nil && plain.json()["diversity"] == nil)
    }

    @Test func whatHasNoMeaningIsRefusedEarly() throws {
        let classifier = try trained("classifier")
        let out = ["-o", folder("never.png")]
        try Program.expectRefused(["sample", classifier] + out, "is a classifier of noisy pictures")
        try Program.expectRefused(
            ["evaluate", classifier, "--solver", "ddim"], "--solver")
        for (change, words) in [
            ("model.num_classes=7", "model.num_classes"), ("model.sample_size=16", "model.sample_size"),
            ("model.pool=max", "model.pool"), ("model.from=\(classifier)", "model.from"),
            ("objective.weighting=edm", "objective.weighting"),
            ("objective.kind=denoising", "objective.kind"),
            ("data.kind=points", "data."), ("model.block_out_channels=[8, 8, 8, 8, 8]", "model."),
            ("data.size=9", "model."),
        ] {
            try Program.expectRefused(
                ["train", "recipes/classifier-digits.yaml", "--out", folder("never"), "--set", change], words)
        }
        #expect(!FileManager.default.fileExists(atPath: folder("never")))
    }
}
