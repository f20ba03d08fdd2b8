import Checkpoints
import Foundation
import Tensors
import TestSupport
import Testing

/// A cascade through the program: stages trained by recipes, sampled one behind the other, judged.
@Suite struct CascadeCommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func trained(_ recipe: String, _ name: String, _ changes: [String] = []) throws -> String {
        let short = [
            "training.steps=2", "training.batch_size=8", "training.threads=1",
            "model.block_out_channels=[8, 8]",
            "model.norm_num_groups=4", "model.attention_head_dim=4", "evaluation.count=10",
            "evaluation.steps=2",
        ]
        let set = (short + changes).flatMap { ["--set", $0] }
        try folder.made(["train", "recipes/\(recipe).yaml", "--out", folder(name)] + set)
        return folder(name)
    }

    private func samples(_ arguments: [String]) throws -> Tensor {
        let path = folder("x.safetensors")
        try folder.made(["sample"] + arguments + ["--class", "3", "--seed", "4", "-o", path])
        return try SafetensorsFile(path: path, storage: .copied).tensor(named: "samples")
    }

    @Test func stagesOfRecipesMakeACascade() throws {
        let base = try trained("cascade-digits-4", "base")
        let second = try trained("cascade-digits-8", "second")
        let plain = try trained("cascade-digits-8", "plain", ["diffusion.augmentation=0"])
        let third = try trained(
            "cascade-digits-8", "third", ["data.size=16", "diffusion.augmentation_blur=0.6"])

        let both = try samples([base, "--count", "2", "--steps", "3", "--then", second, "--steps", "2"])
        #expect(both.shape == [2, 1, 8, 8])
        // A picture alone is that picture of a batch.
        #expect(
            try samples([base, "--steps", "3", "--then", second, "--steps", "2"])
                .isIdentical(to: both.slice(0..<1, of: 0)))
        #expect(
            try !samples([base, "--steps", "3", "--then", second, "--steps", "2", "--noise-level", "400"])
                .isIdentical(to: both.slice(0..<1, of: 0)))
        let all = try samples([
            base, "--steps", "3", "--then", plain, "--steps", "2", "--then", third, "--steps", "4",
            "--noise-level",
            "100", "--truncated",
        ])
        #expect(all.shape == [1, 1, 16, 16])

        let outcome = try folder.made([
            "sample", base, "--class", "3", "--steps", "3", "--then", second, "--steps", "2", "--guidance",
            "1.5",
            "--noise-level", "100", "-o", folder("x.png"), "--json",
        ])
        let found = try #require(outcome.json()["settings"] as? [String: Any])
        let then = try #require(found["then"] as? [[String: Any]], "\(found.keys)")
        #expect(then.count == 1 && then[0]["steps"] as? Int == 2 && then[0]["guidance"] as? Double == 1.5)
        #expect(then[0]["noise_level"] as? Int == 100 && found["steps"] as? Int == 3)

        // A picture is enlarged under the class that it shows.
        try folder.made(["sample", base, "--class", "3", "--steps", "3", "-o", folder("small.png")])
        func enlarged(_ command: [String], _ label: String) throws -> Tensor {
            let path = folder("large.safetensors")
            try folder.made(command + ["--class", label, "--steps", "2", "--seed", "1", "-o", path])
            return try SafetensorsFile(path: path, storage: .copied).tensor(named: "samples")
        }
        let upscale = ["upscale", folder("small.png"), "--model", second]
        let three = try enlarged(upscale, "3")
        #expect(three.shape == [1, 1, 8, 8])
        #expect(
            try enlarged(["sample", second, "--image", folder("small.png")], "3").isIdentical(to: three))
        #expect(try !enlarged(upscale, "4").isIdentical(to: three))
        try Program.expectRefused(
            ["upscale", folder("small.png"), "--model", "nearest", "--class", "3", "-o", folder("n.png")],
            "--class is for diffusion models")

        let judged = try Program.run(
            "evaluate", base, "--count", "100", "--steps", "2", "--then", second, "--steps", "2", "--threads",
            "1",
            "--json")
        #expect(try judged.json()["frechet_distance"] is Double, "\(judged.messages)")
    }

    /// Smaller pictures with faults of their own: a run that stops and goes on learns from the same ones.
    @Test func smallerPicturesAreDegraded() throws {
        func degraded(_ name: String, _ changes: [String] = []) throws -> String {
            try trained(
                "cascade-digits-8", name,
                [
                    "data.degradation=real-esrgan", "diffusion.augmentation=0", "training.steps=4",
                    "training.checkpoint_every=2",
                ] + changes)
        }
        let whole = try degraded("whole")
        let parts = try degraded("parts", ["training.steps=2"])
        try folder.made(["train", whole + "/recipe.yaml", "--out", parts, "--resume"])
        let weights = "/model/unet/diffusion_pytorch_model.safetensors"
        #expect(fileDigest(parts + weights) == fileDigest(whole + weights))
        let others = [
            try trained(
                "cascade-digits-8", "clean", ["diffusion.augmentation=0", "training.steps=4"]),
            try degraded("first", ["data.degradation=first-order"]),
        ]
        for other in others { #expect(fileDigest(other + weights) != fileDigest(whole + weights)) }
        for (changes, words) in [
            (["data.degradation=real-esrgan", "model.low_resolution_factor=null"], "data.degradation"),
            (["data.degradation=esrgan"], "real-esrgan"),
        ] {
            let outcome = try Program.run(
                ["train", "recipes/cascade-digits-8.yaml", "--out", folder("no")]
                    + (["diffusion.augmentation=0"] + changes).flatMap { ["--set", $0] })
            #expect(outcome.code == 2 && outcome.messages.contains(words), "\(changes): \(outcome.messages)")
        }
    }

    @Test func whatDoesNotFitIsASentence() throws {
        let base = try trained("cascade-digits-4", "base")
        let plain = try trained("cascade-digits-8", "plain", ["diffusion.augmentation=0"])
        func refused(_ arguments: [String], _ words: String) throws {
            let path = folder("none.png")
            let outcome = try Program.run(["sample"] + arguments + ["--class", "3", "-o", path])
            #expect(outcome.code == 2 && outcome.messages.contains(words), "\(outcome.messages)")
            #expect(
                outcome.messages.split(separator: "\n").count == 1
                    && !FileManager.default.fileExists(atPath: path))
        }
        try refused([base, "--then", base], "enlarges no pictures, it draws its own")
        try refused([base, "--then", plain, "--noise-level", "5"], "reads no noise level")
        try refused([base, "--then", plain, "--truncated"], "reads no noise level")
        try refused([base, "--then", plain, "--steps", "x"], "--steps behind --then is 'x'")
        try refused([base, "--then", plain, "--steps", "2", "--steps", "3"], "given twice")
        try refused([base, "--truncated", "--then", plain], "write it behind --then")
        try refused(
            [base, "--then", plain, "--trajectory", folder("t.png")], "--trajectory follows one network")
        try refused([plain], "plain enlarges pictures: give --image")

        for (change, words) in [
            (
                "model.low_resolution_factor=null",
                "diffusion.augmentation is of networks that enlarge pictures"
            ),
            ("model.noise_level_embedding=false", "noise_level_embedding"),
            ("model.low_resolution_factor=3", "does not divide pictures of 8×8"),
        ] {
            let outcome = try Program.run(
                "train", "recipes/cascade-digits-8.yaml", "--out", folder("no"), "--set", change)
            #expect(outcome.code == 2 && outcome.messages.contains(words), "\(change): \(outcome.messages)")
        }
    }
}
