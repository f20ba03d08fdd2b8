import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// Bits through the program: a recipe of the binomial process is trained and sampled, and nothing else is done with it.
@Suite struct BinomialCommandTests {
    @Test func aRecipeOfBitsIsTrainedAndSampled() throws {
        let folder = try TemporaryFolder()
        let short = [
            "training.steps=3", "training.batch_size=8", "training.threads=1", "training.checkpoint_every=2",
            "training.sample_every=2", "training.log_every=1", "model.block_out_channels=[8, 8]",
            "model.norm_num_groups=4", "model.attention_head_dim=4", "evaluation.steps=3",
            "evaluation.count=10",
        ]
        let set = short.flatMap { ["--set", $0] }
        let run = folder("run")
        try folder.made(["train", "recipes/binomial.yaml", "--out", run] + set)
        let metrics = try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8)
        #expect(metrics.contains("\"loss\"") && metrics.contains("\"validation_loss\""))

        func samples(_ more: [String], _ name: String) throws -> [Float] {
            try folder.made(["sample", run, "--seed", "5", "--threads", "1", "-o", folder(name)] + more)
            return try SafetensorsFile(path: folder(name), storage: .copied).tensor(named: "samples").array()
        }
        let ten = try samples(["--count", "10", "--class", "all", "--steps", "4"], "ten.safetensors")
        #expect(Set(ten) == [-1, 1])
        // A picture of a batch is the picture alone.
        let last = try samples(
            ["--count", "10", "--class", "all", "--steps", "4", "--batch-size", "1"], "each.safetensors")
        #expect(ten == last)

        let refused: [([String], String)] = [
            (["sample", run, "--solver", "ddim", "-o", folder("x.png")], "--solver"),
            (["sample", run, "--steps", "1001", "-o", folder("x.png")], "--steps"),
            (["likelihood", run], "flips bits"),
            (
                [
                    "train", "recipes/binomial.yaml", "--out", folder("y"), "--set",
                    "objective.kind=denoising",
                ], "binomial"
            ),
            (
                ["train", "recipes/digits.yaml", "--out", folder("y"), "--set", "objective.kind=binomial"],
                "diffusion.process"
            ),
            (
                ["train", "recipes/binomial.yaml", "--out", folder("y"), "--set", "evaluation.solver=ddim"],
                "evaluation"
            ),
        ]
        for (arguments, words) in refused {
            let outcome = try Program.run(arguments)
            #expect(outcome.code == 2, "\(arguments)")
            #expect(outcome.messages.contains(words), "\(arguments): \(outcome.messages)")
        }
        #expect(!FileManager.default.fileExists(atPath: folder("y")))
        let explained = try Program.run("explain", run)
        #expect(explained.code == 0 && explained.output.contains("binomial"))
    }
}
