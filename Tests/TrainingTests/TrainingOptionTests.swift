import Checkpoints
import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing
import Training

/// Options that decide how fast a run is and what memory it takes, and not what it computes.
@Suite struct TrainingOptionTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let annotated = """
        kind: annotated
          dim: 8
          channels: 1
          dim_mults: [1, 2]
        """

    /// A trainer of six steps that has run, its folder and its metrics.
    private func run(
        _ changes: [String], model: String = smallUNet, readsEveryStep: Bool = true
    ) throws -> (trainer: Trainer, path: String, metrics: [[String: Double]]) {
        let yaml = """
            data: {kind: digits, path: \(fixturePath("../../data/digits/digits.csv.gz")), split: all, flip: true}
            model:
              \(model)
            diffusion: {train_steps: 50}
            training:
              {steps: 6, batch_size: 8, warmup_steps: 0, checkpoint_every: 0, sample_every: 0, log_every: 1,
               threads: 1}
            evaluation: {steps: 2, count: 10}
            """
        let path = "\(folder.path)/\(changes.joined(separator: "-"))-\(model.count)-\(readsEveryStep)"
        let trainer = try Trainer(recipe: Recipe(yaml: yaml, changes: changes), folder: path, resume: false)
        trainer.readsEveryStep = readsEveryStep
        #expect(try trainer.train() == .complete)
        return (trainer, path, try MetricsLog.read("\(path)/metrics.jsonl").map(\.values))
    }

    private func expectClose(
        _ some: [[String: Double]], _ others: [[String: Double]], _ tolerance: Double
    ) throws {
        #expect(some.count == 6 && others.count == 6)
        for (one, two) in zip(some, others) {
            for name in ["loss", "gradient_norm"] {
                let (one, two) = (try #require(one[name]), try #require(two[name]))
                #expect(abs(one - two) <= tolerance * one, "\(name)")
            }
        }
    }

    private func expectSame(_ one: Trainer, _ two: Trainer) throws {
        for (name, parameter) in one.state.store.named {
            let other = try #require(two.state.store[name])
            #expect(try parameter.detached().isIdentical(to: other.detached()), "\(name)")
        }
    }

    @Test func batchesMadeAheadChangeNothing() throws {
        let (plain, _, metrics) = try run(["training.prefetch=0"])
        let (ahead, _, others) = try run(["training.prefetch=4"])
        #expect(metrics == others)
        try expectSame(plain, ahead)
    }

    @Test(arguments: [smallUNet, annotated], ["float32", "bfloat16"])
    func activationsComputedAgainChangeTheLastBitsAtMost(model: String, precision: String) throws {
        let changes = ["training.precision=\(precision)", "training.gradient_accumulation=2"]
        let metrics = try run(changes, model: model).metrics
        let others = try run(changes + ["training.checkpoint_activations=true"], model: model).metrics
        try expectClose(metrics, others, precision == "float32" ? 1e-5 : 1e-2)
    }

    @Test func channelsLastChangesTheLastBitsAtMost() throws {
        let (plain, _, metrics) = try run(["training.memory_format=contiguous"])
        let (last, path, others) = try run(["training.memory_format=channels_last"])
        try expectClose(metrics, others, 1e-4)
        let weight = try #require(last.state.store["down_blocks.0.resnets.0.conv1.weight"])
        #expect(!weight.isContiguous)
        TestSupport.expectClose(
            weight.detached(),
            try #require(plain.state.store["down_blocks.0.resnets.0.conv1.weight"]).detached(), absolute: 1e-4
        )
        // What is written does not depend on how it lay in memory.
        let file = try SafetensorsFile(path: "\(path)/checkpoints/step-6/model.safetensors")
        TestSupport.expectClose(
            try file.tensor(named: "down_blocks.0.resnets.0.conv1.weight"), weight.detached(), absolute: 0)
    }

    /// As on a device that nobody waits for.
    @Test func lookingAtStepsLaterChangesNothing() throws {
        let changes = ["training.log_every=4", "training.checkpoint_every=3"]
        let (now, _, metrics) = try run(changes)
        let (later, _, others) = try run(changes, readsEveryStep: false)
        #expect(metrics == others && metrics.count == 2)
        try expectSame(now, later)
    }

    /// T4
    @Test func tenBadStepsEndARunThatLooksLater() throws {
        // The first trainer goes, and with it its lock on the folder.
        func begun() throws -> (path: String, recipe: Recipe) {
            let run = try run(["training.keep_checkpoints=9"])
            return (run.path, run.trainer.recipe)
        }
        let (path, first) = try begun()
        var recipe = first
        (recipe.training.steps, recipe.training.logEvery) = (60, 50)
        var warnings: [String] = []
        let trainer = try Trainer(recipe: recipe, folder: path, resume: true) { warnings.append($0) }
        trainer.readsEveryStep = false
        try #require(trainer.state.store["conv_out.bias"]).assign(Double.nan)
        let before = trainer.state.store.parameters.dropLast().map { $0.detached().copied() }
        #expect { try trainer.train() } throws: { "\($0)".contains("10 steps in a row, up to step 16:") }
        #expect(warnings.count == 10 && warnings[0].hasPrefix("step 7:"))
        for (parameter, old) in zip(trainer.state.store.parameters, before) {
            #expect(try parameter.detached().isIdentical(to: old))
        }
    }
}
