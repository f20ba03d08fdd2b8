import Checkpoints
import Datasets
import Diffusion
import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing
import Training

/// A run made of own parts: own data, an own network, an own loss.
@Suite struct TrainingPartsTests {
    /// x ↦ w·x + b, whatever the time.
    private struct Line: NoiseNetwork {
        let slope: Tensor
        let offset: Tensor

        init(_ weights: Weights) {
            slope = weights.parameter("slope", [1], .zeros)
            offset = weights.parameter("offset", [1], .zeros)
        }

        func callAsFunction(_ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?)
            -> Tensor
        {
            x * slope + offset
        }
    }

    /// ‖F(x₀) − (3·x₀ + 1)‖², whose minimum is known; it counts the steps that it has seen.
    private struct Regression: Objective {
        struct Memory: Codable, Sendable { var steps = 0 }

        var initialMemory: Memory { Memory() }

        func losses(_ example: Example, _ roles: Roles, _ memory: inout Memory, _ generator: RandomGenerator)
            throws
            -> Losses
        {
            memory.steps += 1
            return try losses(example, roles, atShare: 0, generator)
        }

        func losses(_ example: Example, _ roles: Roles, atShare share: Double, _ generator: RandomGenerator)
            throws
            -> Losses
        {
            let time = Tensor.zeros([example.count])
            let error = (roles.student(example.data, time) - (example.data * 3 + 1)).squared()
            return Losses(
                error.flattened(from: 1).mean([1]), parts: [("own", error.flattened(from: 1).mean([1]))])
        }
    }

    private func parts(steps: Int) throws -> TrainingParts {
        var recipe = Recipe()
        (recipe.training.steps, recipe.training.batchSize, recipe.training.warmupSteps) = (steps, 16, 0)
        (recipe.training.learningRate, recipe.training.schedule, recipe.training.logEvery) = (
            0.05, .constant, 10
        )
        recipe.training.emaDecay = 0
        let points = RandomGenerator(seed: 4).normal([100, 2])
        var parts = try TrainingParts(
            recipe: recipe, data: TensorDataset(["data": points], part: .train), objective: Regression()
        ) { Line($0) }
        parts.heldOut = try TensorDataset(["data": points], part: .evaluation)
        return parts
    }

    @Test func ownPartsLearnWhatTheyAreMadeFor() throws {
        let folder = try TemporaryFolder()
        let path = folder("run")
        let trainer = try Trainer(parts(steps: 400), into: RunFolder(path, resume: false))
        #expect(try trainer.train() == .complete)
        let file = try SafetensorsFile(path: path + "/model/model.safetensors")
        expectClose(try file.tensor(named: "slope"), Tensor([3] as [Float]), absolute: 1e-3)
        expectClose(try file.tensor(named: "offset"), Tensor([1] as [Float]), absolute: 1e-3)
        let metrics = try MetricsLog.read(path + "/metrics.jsonl").map(\.values)
        #expect(metrics.allSatisfy { $0["own"] == $0["loss"] })
        let held = metrics.compactMap { $0["validation_loss"] }
        #expect(held.count == 4 && (held.last ?? 1) < 1e-5)
        let memory = try Data(contentsOf: URL(fileURLWithPath: path + "/checkpoints/step-400/objective.json"))
        #expect(String(decoding: memory, as: UTF8.self) == #"{"steps":400}"#)
    }

    @Test func anOwnRunGoesOnBitForBit() throws {
        let folder = try TemporaryFolder()
        let whole = try Trainer(parts(steps: 30), into: RunFolder(folder("whole"), resume: false))
        _ = try whole.train()
        func interrupted() throws {
            let first = try Trainer(parts(steps: 30), into: RunFolder(folder("parts"), resume: false))
            var steps = 0
            #expect(
                try first.train(isInterrupted: { steps == 13 }, report: { _ in steps += 1 }) == .interrupted)
        }
        try interrupted()
        let second = try Trainer(parts(steps: 30), into: RunFolder(folder("parts"), resume: true))
        #expect(second.step == 13)
        _ = try second.train()
        for name in ["model.safetensors", "optimizer.safetensors", "objective.json", "state.json"] {
            let files = try ["whole", "parts"].map {
                try Data(contentsOf: URL(fileURLWithPath: folder($0) + "/checkpoints/step-30/\(name)"))
            }
            #expect(files[0] == files[1], "\(name)")
        }
    }
}
