import Checkpoints
import Datasets
import Diffusion
import Foundation
import Layers
import Tensors
import TestSupport
import Testing
import Training

/// A task of two phases that share a loss: who moves what, when, and what a checkpoint keeps.
@Suite struct TrainingTaskTests {
    /// Two numbers in a game: `seeker` makes (seeker − hider)² small, `hider` makes it large from the third step on, and a
    /// constant follows `seeker` without a gradient.
    private final class Game: TrainingTask {
        let store: ParameterStore
        private let (seeker, hider, follower): (Tensor, Tensor, Tensor)
        private var calls: [Int] = []

        init(_ recipe: Recipe) throws {
            store = try ParameterStore(trainedBy: recipe)
            (seeker, hider, follower) = try store.build { weights in
                (
                    weights["seeker"].parameter("place", [1], .constant(1)),
                    weights["hider"].parameter("place", [1], .zeros),
                    weights.constant("follower", [1], .zeros)
                )
            }
        }

        let phases = [
            TrainingPhase { $0.hasPrefix("seeker") },
            TrainingPhase("hider", firstStep: 3) { $0.hasPrefix("hider") },
        ]

        func losses(_ batch: Batch, phase: Int, step: Int, _ generator: RandomGenerator) throws -> Losses {
            calls.append(phase)
            let distance = (batch.data.sum([1]) * 0 + (seeker - hider)).squared()
            let noise = generator.normal([batch.data.shape[0]]) * 0.01
            let losses = (phase == 0 ? distance : -distance) * (1 + noise)
            return Losses(losses, parts: [("distance", distance)])
        }

        func heldOutLoss(_ batch: Batch, _ generator: RandomGenerator) throws -> Double {
            try Double(seeker.item(Float.self))
        }

        func finish(step: Int, _ generator: RandomGenerator) throws { try follower.assign(seeker.detached()) }
        func savedMemory() throws -> Data { try JSONEncoder().encode(calls) }
        func restoreMemory(_ saved: Data) throws { calls = try JSONDecoder().decode([Int].self, from: saved) }
    }

    private func parts(steps: Int) throws -> TrainingParts {
        var recipe = Recipe()
        (recipe.training.steps, recipe.training.batchSize, recipe.training.warmupSteps) = (steps, 4, 0)
        (recipe.training.learningRate, recipe.training.schedule) = (0.05, .constant)
        (recipe.training.logEvery, recipe.training.gradientAccumulation) = (1, 2)
        recipe.training.weightDecay = 0
        let points = RandomGenerator(seed: 4).normal([20, 2])
        return TrainingParts(
            recipe: recipe, data: try TensorDataset(["data": points], part: .train), task: try Game(recipe))
    }

    private func trained(_ path: String, steps: Int, stop: Int? = nil) throws -> Trainer {
        let trainer = try Trainer(parts(steps: steps), into: RunFolder(path, resume: true))
        _ = try trainer.train(isInterrupted: { trainer.step == stop })
        return trainer
    }

    @Test func phasesMoveTheirOwnParametersFromTheirFirstStep() throws {
        let folder = try TemporaryFolder()
        func hider(after steps: Int) throws -> Float {
            let trainer = try trained(folder("run-\(steps)"), steps: steps)
            let store = trainer.parts.task.store
            #expect(try store["follower"]!.item(Float.self) == store["seeker.place"]!.item(Float.self))
            return try store["hider.place"]!.item(Float.self)
        }
        #expect(try hider(after: 2) == 0)
        // Adam's first step has the length of the learning rate; the hider flees from the seeker, which is above it.
        expectClose(Tensor([try hider(after: 3)]), Tensor([-0.05] as [Float]), absolute: 1e-4)
        let metrics = try MetricsLog.read(folder("run-3") + "/metrics.jsonl").map(\.values)
        #expect(metrics.map { $0["hider_loss"] != nil } == [false, false, true])
        #expect(metrics[2]["hider_distance"] != nil && metrics[0]["distance"] != nil)
        #expect(metrics.allSatisfy { $0["loss"]! > 0 } && metrics[2]["hider_loss"]! < 0)
    }

    @Test func aRunOfPhasesGoesOnBitForBit() throws {
        let folder = try TemporaryFolder()
        _ = try trained(folder("whole"), steps: 12)
        for stop in [2, 7] { _ = try trained(folder("parts"), steps: 12, stop: stop) }
        #expect(try trained(folder("parts"), steps: 12).step == 12)
        for name in [
            "model.safetensors", "optimizer.safetensors", "objective.json", "generators.safetensors",
        ] {
            let files = try ["whole", "parts"].map {
                try Data(contentsOf: URL(fileURLWithPath: folder($0) + "/checkpoints/step-12/\(name)"))
            }
            #expect(files[0] == files[1], "\(name)")
        }
        let optimizer = try SafetensorsFile(
            path: folder("whole") + "/checkpoints/step-12/optimizer.safetensors")
        #expect(try optimizer.tensor(named: "step").item(Int.self) == 12)
        #expect(try optimizer.tensor(named: "hider_step").item(Int.self) == 10)
    }
}
