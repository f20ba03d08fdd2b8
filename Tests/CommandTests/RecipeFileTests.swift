import Checkpoints
import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing
import Training

/// The recipes that come with the project, and what is trained by combining their keys, through the program.
@Suite struct RecipeFileTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    static let names = [
        "binomial", "bound", "brightness", "cascade-digits-4", "cascade-digits-8", "classifier-digits",
        "digits", "dit", "edm", "flow", "hybrid",
        "min-snr",
        "mmdit-text", "ot-flow", "points",
        "reflow",
        "score-matching", "unet-text", "ve", "vp-sde",
    ]

    /// Settings that make any run short.
    private static let short = [
        "training.steps=3", "training.batch_size=8", "training.threads=1", "training.checkpoint_every=2",
        "training.sample_every=0", "training.log_every=1", "evaluation.steps=2", "evaluation.count=10",
    ]

    private func train(_ recipe: String, _ run: String, _ changes: [String] = []) throws -> [[String: Any]] {
        let all = (Self.short + changes).flatMap { ["--set", $0] }
        let outcome = try Program.run(["train", recipe, "--out", run] + all)
        #expect(outcome.code == 0, "\(recipe) \(changes): \(outcome.messages)")
        #expect(outcome.messages.contains("trained 3 steps"))
        let lines = try String(contentsOfFile: "\(run)/metrics.jsonl", encoding: .utf8).split(separator: "\n")
        return try lines.map {
            try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    @Test func theFolderHoldsTheseRecipes() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Program.root + "/recipes")
        let names = files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }
        // Those whose data do not come with the project have tests of their own.
        let others = [
            "fashion-annotated", "autoencoder-kl", "autoencoder-emoji", "vq", "fsq", "clip-emoji",
            "cascade-8", "cascade-16", "cascade-32", "clip-fashion", "emoji", "emoji-unet",
            "small-clip", "prior", "prior-autoregressive", "unclip-decoder", "imagen-16", "imagen-32",
            "glide-16", "glide-32",
        ]
        #expect(Set(names) == Set(Self.names + LatentRecipeTests.names + others))
    }

    @Test(arguments: names) func everyRecipeTakesThreeSteps(name: String) throws {
        var changes: [String] = []
        if name == "reflow" {
            // What sample --pairs writes.
            let data = Tensor((0..<1280).map { Float($0 % 7) / 4 }, shape: [20, 1, 8, 8])
            let pairs = folder("pairs.safetensors")
            let labels = Tensor((0..<20).map { Int64($0 % 10) }, shape: [20])
            try SafetensorsWriter([("noise", -data), ("data", data), ("labels", labels)]).write(to: pairs)
            changes = ["data.path=\(pairs)"]
        }
        let metrics = try train("recipes/\(name).yaml", folder(name), changes)
        #expect(metrics.count == 3)
        for line in metrics {
            let loss = try #require(line["loss"] as? Double, "\(name)")
            #expect(loss.isFinite)
        }
        let recipe = try String(contentsOfFile: folder(name) + "/recipe.yaml", encoding: .utf8)
        #expect((metrics.last?["validation_loss"] is Double) == recipe.contains("split: train"))
        if name == "hybrid" { #expect(metrics.allSatisfy { $0.count > 6 }) }
        // A complete run ends at once, and its resolved recipe is the same run.
        let again = try Program.run("train", folder(name) + "/recipe.yaml", "--out", folder(name), "--resume")
        #expect(again.code == 0 && again.messages.contains("is complete"), "\(again.messages)")
    }

    @Test(arguments: [
        ("betas", "edm", "unet2d"), ("edm", "edm", "dit"), ("edm", "noise", "mlp"),
        ("vp-sde", "score", "unet2d"),
        ("sub-vp-sde", "v", "dit"), ("ve", "edm", "mlp"), ("ve", "data", "unet2d"), ("flow", "data", "dit"),
        ("flow", "v", "mlp"), ("cosine", "noise", "unet2d"), ("cosine", "flow", "mlp"),
    ])
    func combinationsTrainResumeAndSample(process: String, prediction: String, network: String) throws {
        let isPoints = network == "mlp"
        let base = isPoints ? "recipes/points.yaml" : "recipes/\(network == "dit" ? "dit" : "vp-sde").yaml"
        let text = try String(contentsOfFile: Program.root + "/" + base, encoding: .utf8)
        // The process's section anew.
        let kept = text.components(separatedBy: "\ndiffusion:")[0]
        let recipe = try folder.write(
            "recipe.yaml",
            (kept
                + "\ndiffusion: {process: \(process), prediction: \(prediction)}\nevaluation: {count: 10, steps: 2}\n")
                .utf8)
        let run = folder("run")
        _ = try train(recipe, run, ["evaluation.solver=\(process == "flow" ? "flow-euler" : "ddim")"])
        for solver in process == "flow" ? ["flow-euler", "flow-heun", "euler"] : ["euler", "ddim", "heun"] {
            let path = folder("\(solver).safetensors")
            let outcome = try Program.run(
                "sample", run, "-o", path, "--class", isPoints ? "1" : "3", "--count", "2", "--steps", "3",
                "--solver", solver,
                "--guidance", "2")
            #expect(outcome.code == 0, "\(process) \(solver): \(outcome.messages)")
            let samples = try SafetensorsFile(path: path).tensor(named: "samples")
            #expect(try samples.isFinite().all().item(Bool.self))
            #expect(samples.shape == (isPoints ? [2, 2] : [2, 1, 8, 8]))
        }
        let more = try Program.run(
            ["train", recipe, "--out", run, "--resume"]
                + (Self.short.dropFirst() + ["training.steps=4", "evaluation.solver=euler"]).flatMap {
                    ["--set", $0]
                })
        #expect(more.code == 0 && more.messages.contains("trained 1 steps"), "\(more.messages)")
    }

    @Test func pairsAreWhatReflowReads() throws {
        let (run, pairs) = (folder("flow"), folder("pairs.safetensors"))
        _ = try train("recipes/flow.yaml", run)
        let outcome = try Program.run(
            "sample", run, "--class", "all", "--count", "20", "--steps", "3", "--pairs", pairs, "-o",
            folder("s.safetensors"))
        #expect(outcome.code == 0, "\(outcome.messages)")
        let file = try SafetensorsFile(path: pairs)
        let samples = try SafetensorsFile(path: folder("s.safetensors")).tensor(named: "samples")
        #expect(try file.tensor(named: "data").isIdentical(to: samples))
        #expect(try file.tensor(named: "noise").shape == [20, 1, 8, 8])
        #expect(try file.tensor(named: "labels").array(of: Int.self) == (0..<20).map { $0 / 2 })
        // The pairs lead from the noise to the data again.
        let again = try Program.run(
            "sample", run, "--class", "all", "--count", "20", "--steps", "3", "--initial", try initial(file),
            "-o", folder("again.safetensors"))
        #expect(again.code == 0, "\(again.messages)")
        expectClose(
            try SafetensorsFile(path: folder("again.safetensors")).tensor(named: "samples"), samples,
            absolute: 1e-5)
        _ = try train("recipes/reflow.yaml", folder("reflow"), ["data.path=\(pairs)"])
        try Program.expectRefused(
            ["sample", run, "--pairs", folder("p.png"), "-o", folder("x.png")], ".safetensors")
    }

    private func initial(_ pairs: SafetensorsFile) throws -> String {
        let path = folder("initial.safetensors")
        try SafetensorsWriter([("latents", pairs.tensor(named: "noise"))]).write(to: path)
        return path
    }

    @Test(arguments: ["unet-text", "mmdit-text"]) func aTextModelIsGivenPrompts(name: String) throws {
        let run = folder(name)
        _ = try train("recipes/\(name).yaml", run)
        for (index, prompt) in ["3", "7"].enumerated() {
            let outcome = try Program.run(
                "generate", prompt, "--model", run, "--guidance", "3", "--steps", "2", "-o",
                folder("\(index).safetensors"),
                "--json")
            #expect(outcome.code == 0, "\(outcome.messages)")
            let settings = try #require(try outcome.json()["settings"] as? [String: Any])
            #expect(settings["prompt"] as? String == prompt)
        }
        let pictures = try (0...1).map {
            try SafetensorsFile(path: folder("\($0).safetensors")).tensor(named: "samples")
        }
        #expect(pictures[0].shape == [1, 1, 8, 8])
        #expect(try !pictures[0].isIdentical(to: pictures[1]))
        let plain = try Program.run("sample", run, "--steps", "2", "-o", folder("plain.png"))
        #expect(plain.code == 0, "\(plain.messages)")
        try Program.expectRefused(
            ["generate", "3", "--model", run, "--strength", "0.5", "-o", folder("x.png")], "--strength")
    }

    /// The encoder of another run stays as it is, and is kept with the model.
    @Test func aTextEncoderFromAFolderStaysAsItIs() throws {
        let (first, second) = (folder("first"), folder("second"))
        _ = try train("recipes/unet-text.yaml", first)
        let changes = [
            "model.text_encoder=\(first)/model", "model.text_width=null", "model.text_layers=null",
        ]
        _ = try train("recipes/mmdit-text.yaml", second, changes)
        let files = try [first, second].map {
            try SafetensorsFile(path: $0 + "/model/text_encoder/model.safetensors")
        }
        for name in files[0].names {
            #expect(try files[0].tensor(named: name).isIdentical(to: files[1].tensor(named: name)), "\(name)")
        }
        let kept = try SafetensorsFile(path: second + "/checkpoints/step-3/model.safetensors").names
        #expect(!kept.contains { $0.hasPrefix("text_encoder.") })
        let outcome = try Program.run(
            "generate", "5", "--model", second, "--steps", "2", "-o", folder("5.png"))
        #expect(outcome.code == 0, "\(outcome.messages)")
        let recipe = try folder.write("x.yaml", "model: {text_width: 64}".utf8)
        try Program.expectRefused(["train", recipe, "--out", folder("never")], "model.text_encoder")
    }

    /// A run on every path and latent noise is sampled on the same one, which its folder keeps.
    @Test(arguments: [
        ("trigonometric", "none"), ("variance-preserving", "sine-squared"),
        ("conditional-transport", "constant"),
        ("straight", "bridge"),
    ])
    func interpolantsAreTrainedAndSampled(interpolant: String, latent: String) throws {
        let run = folder("run")
        _ = try train(
            "recipes/ot-flow.yaml", run,
            ["objective.interpolant=\(interpolant)", "objective.latent=\(latent)"])
        let kept = try String(
            contentsOfFile: run + "/model/scheduler/scheduler_config.json", encoding: .utf8)
        #expect(kept.contains("\"kind\": \"\(interpolant)\"") == (interpolant != "straight"), "\(kept)")
        #expect(kept.contains("\"kind\": \"\(latent)\"") == (latent != "none"), "\(kept)")
        for solver in ["flow-euler", "heun", "ddim"] {
            let path = folder("\(solver).safetensors")
            let outcome = try Program.run(
                "sample", run, "-o", path, "--class", "3", "--count", "2", "--steps", "3", "--solver", solver)
            #expect(outcome.code == 0, "\(solver): \(outcome.messages)")
            let samples = try SafetensorsFile(path: path).tensor(named: "samples")
            #expect(try samples.isFinite().all().item(Bool.self))
        }
        let again = try Program.run("train", run + "/recipe.yaml", "--out", run, "--resume")
        #expect(again.code == 0 && again.messages.contains("is complete"), "\(again.messages)")
    }

    /// Runs of earlier versions name the straight path beside every process, which means the process's own.
    @Test func aRunThatNamesTheStraightPathGoesOn() throws {
        let run = folder("run")
        let recipe = try folder.write(
            "vp.yaml",
            """
            model: {kind: unet2d, block_out_channels: [8, 8], norm_num_groups: 2,
                    down_block_types: [DownBlock2D, DownBlock2D], up_block_types: [UpBlock2D, UpBlock2D]}
            diffusion: {process: vp-sde, prediction: v}
            objective: {kind: flow-matching}
            """.utf8)
        _ = try train(recipe, run)
        let kept = try String(contentsOfFile: run + "/recipe.yaml", encoding: .utf8)
        let earlier = kept.replacing("  interpolant: null\n", with: "  interpolant: straight\n")
        #expect(earlier != kept)
        try earlier.write(toFile: run + "/recipe.yaml", atomically: true, encoding: .utf8)
        // Nobody who writes a recipe today means nothing by it.
        try Program.expectRefused(
            ["train", run + "/recipe.yaml", "--out", folder("never")],
            "diffusion.process vp-sde nothing reads")
        let changes = (Self.short + ["training.steps=4"]).flatMap { ["--set", $0] }
        let outcome = try Program.run(["train", recipe, "--out", run, "--resume"] + changes)
        #expect(outcome.code == 0 && outcome.messages.contains("trained 1 steps"), "\(outcome.messages)")
    }

    /// One file: a checkpoint under the network's own names, with a text encoder that is trained along.
    @Test func trainingBeginsFromACheckpointOfItsOwn() throws {
        let first = folder("first")
        _ = try train("recipes/unet-text.yaml", first, ["training.ema_decay=0"])
        let file = first + "/checkpoints/step-3/model.safetensors"
        let changes = [
            "model.from=\(file)", "training.warmup_steps=1000000", "training.ema_decay=0",
            "training.learning_rate=1.0e-12", "seed=5",
        ]
        _ = try train("recipes/unet-text.yaml", folder("second"), changes)
        let (own, other) = (
            try SafetensorsFile(path: folder("second") + "/checkpoints/step-3/model.safetensors"),
            try SafetensorsFile(path: file)
        )
        #expect(own.names.contains { $0.hasPrefix("text_encoder.") })
        for name in own.names {
            expectClose(try own.tensor(named: name), try other.tensor(named: name), absolute: 1e-6, name)
        }
        let wider = ["--set", "model.from=\(file)", "--set", "model.text_width=32"]
        try Program.expectRefused(
            ["train", "recipes/unet-text.yaml", "--out", folder("never")] + wider, "model.from")
    }

    /// One file in the original layout of its family: the network's weights are taken from it, and a file of another
    /// network is refused before anything is made.
    @Test func trainingBeginsFromAFileInItsOriginalLayout() throws {
        let checkpoint = try TinyCheckpoint()
        let file = try checkpoint.file()
        let configuration = try UNet2DCondition.configuration(
            ModelFolder(checkpoint.path + "/unet").configuration())
        func weights(_ channels: [Int]) throws -> ParameterStore {
            var configuration = configuration
            configuration.blockOutChannels = channels
            let shapes = ParameterStore(.shapesOnly)
            _ = try shapes.build { try UNet2DCondition(configuration, $0) }
            let initial = try InitialWeights(
                file, for: UNet2DCondition.self, parameters: shapes.named.map { ($0, $1.shape) },
                predicting: .velocity)
            let store = ParameterStore(.initialized(RandomGenerator(seed: 9)), purpose: .training)
            _ = try store.build { try UNet2DCondition(configuration, $0) }
            try initial.assign(to: store)
            return store
        }
        let folder = try SafetensorsFile(path: checkpoint.path + "/unet/diffusion_pytorch_model.safetensors")
        for (name, parameter) in try weights([8, 16]).named {
            expectClose(parameter, try folder.tensor(named: name), absolute: 0, name)
        }
        #expect {
            try weights([8, 24])
        } throws: {
            "\($0)".contains("model.from is \"\(file)\"") && "\($0)".contains("of shape [24")
        }
    }

    @Test func trainingBeginsFromAModel() throws {
        let first = folder("first")
        _ = try train("recipes/flow.yaml", first)
        // At a rate of nothing the weights stay what they were.
        let changes = ["model.from=\(first)", "training.warmup_steps=1000000", "training.ema_decay=0"]
        _ = try train(
            "recipes/flow.yaml", folder("second"), changes + ["training.learning_rate=1.0e-12", "seed=5"])
        func weights(_ run: String) throws -> SafetensorsFile {
            try SafetensorsFile(path: folder(run) + "/model/unet/diffusion_pytorch_model.safetensors")
        }
        let name = "conv_in.weight"
        expectClose(
            try weights("second").tensor(named: name), try weights("first").tensor(named: name),
            absolute: 1e-6)
        let recipe = try folder.write(
            "other.yaml", "model: {from: \(first), block_out_channels: [16, 16]}".utf8)
        try Program.expectRefused(
            ["train", recipe, "--out", folder("never"), "--set", "model.norm_num_groups=4"]
                + ["down_block_types=[DownBlock2D, DownBlock2D]", "up_block_types=[UpBlock2D, UpBlock2D]"]
                .flatMap { ["--set", "model.\($0)"] }, "model.from")
        #expect(!FileManager.default.fileExists(atPath: folder("never")))
    }
}
