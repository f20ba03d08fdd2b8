import Checkpoints
import Foundation
import Storage
import TestSupport
import Testing

/// What is wrong with any part of a model, or of the model after it, is said before the first step.
@Suite struct EarlyCheckTests {
    /// SDXL's base and refiner, with so many steps that a run would not end.
    private struct Models {
        let folder: TemporaryFolder
        let fixture: Fixture

        init() throws {
            (folder, fixture) = (try TemporaryFolder(), try Fixture("pipelines/hand-over"))
            try fixture.write("model", to: folder("base"))
            try fixture.write("refiner", to: folder("refiner"))
        }

        /// Half of a weights file, nothing in its place, what Git LFS leaves there, or the weights of another part.
        func spoil(_ path: String, _ how: String) throws {
            let names = ["diffusion_pytorch_model.safetensors", "model.safetensors"]
            let file = try #require(
                names.map { folder("\(path)/\($0)") }.first(where: FileManager.default.fileExists))
            switch how {
            case "cut":
                try Data(contentsOf: URL(fileURLWithPath: file)).prefix(2000).write(
                    to: URL(fileURLWithPath: file))
            case "missing": try FileManager.default.removeItem(atPath: file)
            case "pointer":
                let text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 334643276\n"
                try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            default:
                try FileManager.default.removeItem(atPath: file)
                try SafetensorsWriter([("other", .zeros([2]))]).write(to: file)
            }
        }

        func expectRefused(
            _ words: String, _ options: String..., sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            try Program.expectRefused(
                [
                    "generate", "a cat", "--model", folder("base"), "--steps", "900", "--count", "500",
                    "-o", folder("out-%d.png"),
                ] + options, words, sourceLocation: sourceLocation)
            #expect(!FileManager.default.fileExists(atPath: folder("out-0.png")))
        }
    }

    @Test(arguments: ["cut", "missing", "pointer", "other"])
    func anAutoencoderIsLookedAtBeforeTheFirstStep(how: String) throws {
        let models = try Models()
        try models.spoil("base/vae", how)
        try models.expectRefused("vae")
        // Latents need none.
        let outcome = try Program.run(
            "generate", "a cat", "--model", models.folder("base"), "--steps", "2", "-o",
            models.folder("out.safetensors"))
        #expect(outcome.code == 0, "\(outcome.messages)")
    }

    @Test(arguments: ["unet", "text_encoder_2", "vae"], ["cut", "pointer"])
    func aRefinersPartsAreLookedAtBeforeTheFirstModelRuns(part: String, how: String) throws {
        let models = try Models()
        try models.spoil("refiner/\(part)", how)
        try models.expectRefused(part, "--refiner", models.folder("refiner"))
    }

    @Test func aRefinersTokenizerIsLookedAtBeforeTheFirstModelRuns() throws {
        let models = try Models()
        try FileManager.default.removeItem(atPath: models.folder("refiner/tokenizer_2"))
        try models.expectRefused("tokenizer_2", "--refiner", models.folder("refiner"))
    }

    @Test func aRefinerWithoutAStepIsRefusedBeforeTheFirstModelRuns() throws {
        let models = try Models()
        try models.expectRefused(
            "no step of 900 is left", "--refiner", models.folder("refiner"), "--denoising-end", "0.99999")
    }

    @Test func aRefinerForOtherPromptsIsRefusedBeforeTheFirstModelRuns() throws {
        let models = try Models()
        var unet = try ModelFolder(models.folder("refiner/unet")).configuration()
        unet["projection_class_embeddings_input_dim"] = 4096
        try ModelFolder(models.folder("refiner/unet")).write(unet)
        try models.expectRefused(
            "projection_class_embeddings_input_dim", "--refiner", models.folder("refiner"))
    }

    /// Its pipeline leaves a learned variance aside, so that a method that needs one never has it.
    @Test func aVarianceThatNothingGivesIsRefusedBeforeTheFirstStep() throws {
        let folder = try TemporaryFolder()
        try Fixture("pipelines/dit").write("model", to: folder("model"))
        let scheduler: JSONObject = ["_class_name": "DDPMScheduler", "variance_type": "learned_range"]
        try ModelFolder(folder("model/scheduler")).write(scheduler, to: "scheduler_config.json")
        try Program.expectRefused(
            ["sample", folder("model"), "--steps", "2", "--class", "0", "-o", folder("out.safetensors")],
            "variance_type is 'learned_range'")
    }
}
