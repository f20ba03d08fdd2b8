import Checkpoints
import Foundation
import Layers
import Pictures
import Pipelines
import Tensors
import TestSupport
import Testing
import Training

/// Whole runs of a network of a few hundred parameters.
@Suite struct TrainerTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func recipe(_ changes: [String] = []) throws -> Recipe {
        let yaml = """
            data: {kind: digits, path: \(fixturePath("../../data/digits/digits.csv.gz")), split: all}
            model:
              \(smallUNet)
            diffusion: {train_steps: 50}
            training:
              {steps: 10, batch_size: 8, warmup_steps: 3, checkpoint_every: 0, sample_every: 0, log_every: 3,
               threads: 1}
            evaluation: {steps: 2, count: 10}
            """
        return try Recipe(yaml: yaml, changes: changes)
    }

    private func files(_ run: String, step: Int) throws -> [String: [UInt8]] {
        let path = "\(folder.path)/\(run)/checkpoints/step-\(step)"
        let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        return try Dictionary(
            uniqueKeysWithValues: names.map { name in
                (name, [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)"))))
            })
    }

    @Test(arguments: [
        ["training.gradient_accumulation=1"],
        ["training.gradient_accumulation=2", "training.precision=bfloat16"],
        ["training.ema_decay=0", "data.flip=true"],
        ["training.prefetch=3", "training.gradient_accumulation=3"],
        ["training.checkpoint_activations=true", "training.memory_format=channels_last"],
    ])
    func fiveAndFiveStepsEqualTenBitForBit(changes: [String]) throws {
        let recipe = try recipe(changes)
        let run = changes.joined().filter(\.isLetter)
        let whole = try Trainer(recipe: recipe, folder: "\(folder.path)/\(run)-whole", resume: false)
        #expect(try whole.train() == .complete)
        // Interrupted after every fifth step, and gone on with by a new trainer each time.
        let first = try Trainer(recipe: recipe, folder: "\(folder.path)/\(run)-parts", resume: false)
        var steps = 0
        #expect(try first.train(isInterrupted: { steps == 5 }, report: { _ in steps += 1 }) == .interrupted)
        _ = consume first
        let second = try Trainer(recipe: recipe, folder: "\(folder.path)/\(run)-parts", resume: true)
        #expect(second.step == 5)
        #expect(try second.train() == .complete)
        let (one, two) = (try files("\(run)-whole", step: 10), try files("\(run)-parts", step: 10))
        #expect(one.keys.sorted() == two.keys.sorted() && one.count >= 5)
        for (name, bytes) in one { #expect(two[name] == bytes, "\(name) differs") }
        func losses(_ name: String) throws -> [[String: Double]] {
            try MetricsLog.read("\(folder.path)/\(run)-\(name)/metrics.jsonl").map(\.values)
        }
        #expect(try losses("whole") == losses("parts"))
    }

    @Test func aCompleteRunEndsAtOnceAndTheModelOpens() throws {
        let path = "\(folder.path)/complete"
        #expect(try Trainer(recipe: recipe(), folder: path, resume: true).train() == .complete)
        var steps = 0
        #expect(
            try Trainer(recipe: recipe(), folder: path, resume: true).train(report: { _ in steps += 1 })
                == .complete)
        #expect(steps == 0)
        for name in [
            "loss.png", "samples/step-10.png", "model/model_index.json", "recipe.yaml", "metrics.jsonl",
        ] {
            #expect(FileManager.default.fileExists(atPath: "\(path)/\(name)"), "\(name)")
        }
        let file = try SafetensorsFile(path: "\(path)/model/unet/diffusion_pytorch_model.safetensors")
        #expect(file.metadata["config"]?.contains("UNet2DModel") == true)
    }

    /// Each sheet is what the averaged weights of its step draw, not the trained ones and not those of the
    /// sheet before.
    @Test func sheetsComeFromTheAveragedWeights() throws {
        let path = "\(folder.path)/sheets"
        let changes = [
            "training.sample_every=5", "training.learning_rate=0.01", "training.warmup_steps=0",
        ]
        let trainer = try Trainer(recipe: recipe(changes), folder: path, resume: false)
        #expect(try trainer.train() == .complete)
        let layout = ModelLayout("\(path)/model")
        let averaged = try PixelAssembly(layout)
        let trained = PixelAssembly(
            name: "trained", configuration: averaged.configuration, process: averaged.process,
            card: averaged.card,
            network: try ParameterStore(.loaded(trainer.state.store.source))
                .build(averaged.configuration.network))
        func sheet(_ model: PixelAssembly) throws -> Picture {
            var request = Request()
            (request.count, request.seed, request.classes) = (10, UInt64(trainer.recipe.seed), .all)
            return try Picture.sheet(of: Model(model).run(request).pictures())
        }
        func kept(_ step: Int) throws -> Picture {
            try Picture(contentsOf: URL(fileURLWithPath: "\(path)/samples/step-\(step).png"))
        }
        #expect(try kept(10) == sheet(averaged))
        #expect(try kept(10) != sheet(trained))
        #expect(try kept(5) != kept(10))
    }

    @Test func aDamagedNewestCheckpointIsNamedAndTheOneBeforeUsed() throws {
        let path = "\(folder.path)/damaged"
        let changes = ["training.checkpoint_every=4"]
        #expect(try Trainer(recipe: recipe(changes), folder: path, resume: false).train() == .complete)
        let victim = URL(fileURLWithPath: "\(path)/checkpoints/step-10/optimizer.safetensors")
        var bytes = try Data(contentsOf: victim)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: victim)
        var warnings: [String] = []
        let trainer = try Trainer(recipe: recipe(changes), folder: path, resume: true) { warnings.append($0) }
        #expect(trainer.step == 8)
        #expect(warnings.count == 1 && warnings[0].contains("optimizer.safetensors"))
    }

    /// H5
    @Test func aResumeThatDoesNotFitSaysWhatDiffers() throws {
        let path = "\(folder.path)/misfit"
        #expect(try Trainer(recipe: recipe(), folder: path, resume: false).train() == .complete)
        #expect {
            try Trainer(recipe: recipe(["training.batch_size=16"]), folder: path, resume: true)
        } throws: {
            "\($0)".contains("training.batch_size") && "\($0)".contains("8") && "\($0)".contains("16")
        }
        #expect { try Trainer(recipe: recipe(), folder: path, resume: false) } throws: {
            "\($0)".contains("resume it")
        }
    }

    @Test func aRecipeThatDoesNotFitItsDataLeavesNoFolder() throws {
        let path = "\(folder.path)/never"
        for change in ["model.in_channels=3", "data.size=9", "data.path=/nowhere", "training.device=mps"] {
            #expect(throws: (any Error).self) {
                try Trainer(recipe: recipe([change]), folder: path, resume: false)
            }
            #expect(!FileManager.default.fileExists(atPath: path), "\(change)")
        }
    }

    @Test func gradientsThatAreNotFiniteNeverReachTheWeights() throws {
        let path = "\(folder.path)/infinite"
        let trainer = try Trainer(recipe: recipe(["training.steps=40"]), folder: path, resume: false)
        let poisoned = try #require(trainer.state.store["conv_out.bias"])
        let before = try trainer.state.store.parameters.dropLast().map { $0.detached().copied() }
        try poisoned.assign(Double.infinity)
        #expect { try trainer.train() } throws: { "\($0)".contains("not finite for 10 steps in a row") }
        #expect(trainer.step == 9)
        for (parameter, old) in zip(trainer.state.store.parameters, before) {
            #expect(try parameter.detached().isIdentical(to: old))
        }
    }
}
