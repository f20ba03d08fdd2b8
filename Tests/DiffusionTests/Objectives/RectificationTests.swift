import Diffusion
import Foundation
import Layers
import Tensors
import TestSupport
import Testing

/// A small network on the plane, and its training: enough to see flows that no closed form gives.
private struct PlaneFlow {
    let store: ParameterStore
    let layers: [Linear]

    init(seed: UInt64, from source: PlaneFlow? = nil) throws {
        store = ParameterStore(
            source.map { .loaded($0.store.source) } ?? .initialized(RandomGenerator(seed: seed)),
            purpose: .training)
        layers = try store.build { weights in
            [
                Linear(inputs: 3, outputs: 64, weights["0"]), Linear(inputs: 64, outputs: 64, weights["1"]),
                Linear(inputs: 64, outputs: 2, weights["2"]),
            ]
        }
    }

    func callAsFunction(_ x: Tensor, _ times: Tensor) -> Tensor {
        let input = concatenated([x, times.unsqueezed(1)], along: 1)
        return layers[2](layers[1](layers[0](input).silu()).silu())
    }

    func train(_ steps: Int, _ loss: (_ network: @escaping Roles.Network) throws -> Tensor) throws {
        let optimizer = AdamW(store, AdamW.Configuration(weightDecay: 0))
        for step in 0..<steps {
            try loss { self($0, $1) }.mean().backward()
            try optimizer.step(learningRate: 4e-3 * (1 - Double(step) / Double(steps)))
            try optimizer.clearGradients()
        }
    }

    func run(_ noise: Tensor, steps: Int = 20) -> FlowTrajectory {
        inference { FlowTrajectory(from: noise, steps: steps) { self($0, $1) } }
    }
}

@Suite struct RectificationTests {
    /// Four blobs on a square: noise in the middle has to part.
    private func data(_ count: Int, _ generator: RandomGenerator) -> Tensor {
        let corners = generator.integers([count, 2], in: 0..<2).to(.float32) * 3 - 1.5
        return corners + generator.normal([count, 2]) * 0.2
    }

    private let straight = process(StraightSchedule(), Prediction.flow, scaling: .straight)

    private func loss(
        _ objective: FlowMatchingObjective, _ example: Example, _ generator: RandomGenerator,
        _ network: @escaping Roles.Network
    ) throws -> Tensor {
        var memory = objective.initialMemory
        return try objective.losses(example, Roles(student: network), &memory, generator).total
    }

    /// Chord and speed of a path that is known: a quarter of a circle, and a straight line.
    @Test func straightnessOfKnownPaths() throws {
        let start = Tensor([1.0, 0], shape: [1, 2])
        let line = FlowTrajectory(from: start, steps: 7) { x, _ in x * 0 + 2 }
        #expect(try line.straightness.item() < 1e-28)
        #expect(abs(try line.transportCost.item() - 8) < 1e-12)
        // x' = (π/2)·(−y, x), run down from time 1: S = (π/2)² − |chord|² = π²/4 − 2.
        let turn = Tensor([0.0, 1, -1, 0], shape: [2, 2]) * (Double.pi / 2)
        let circle = FlowTrajectory(from: start, steps: 4000) { x, _ in x.matmul(turn) }
        #expect(abs(try circle.straightness.item() - (.pi * .pi / 4 - 2)) < 2e-3)
    }

    /// Gaussian data: the first rectification's flow is known, and its pairs lie on a linear map, whose own
    /// flow is straight. Marginals stay, the cost of transport falls.
    @Test func rectifyingGaussianDataTwiceIsStraight() throws {
        let deviations = Tensor([0.3, 2])
        let noise = whitened(200, 2, seed: 4)
        let first = FlowTrajectory(from: noise, steps: 2000) { x, times in
            // E[x₁ − x₀ | x] = x·(t − (1 − t)·c)/((1 − t)²·c + t²) in each axis.
            let t = times.unsqueezed(1)
            let c = deviations.squared()
            return x * (t - (1 - t) * c) / ((1 - t).squared() * c + t.squared())
        }
        expectClose(first.data, noise * deviations, absolute: 5e-3)
        let independent = 2 + 0.09 + 4.0
        #expect(try first.transportCost.mean().item() < independent)
        #expect(try first.straightness.mean().item() > 0.1)
        let second = FlowTrajectory(from: noise, steps: 50) { x, times in
            // Pairs (d·z, z): x = ((1 − t)·d + t)·z tells z, and the velocity is (1 − d)·z.
            let t = times.unsqueezed(1)
            return x / ((1 - t) * deviations + t) * (1 - deviations)
        }
        #expect(try second.straightness.mean().item() < 1e-20)
        expectClose(second.data, noise * deviations, absolute: 1e-12)
    }

    /// Reflow, three rounds of a trained network: S(Z^k) falls, and one step of the last does what twenty
    /// of the first do.
    @Test func reflowStraightens() throws {
        let generator = RandomGenerator(seed: 14)
        let test = RandomGenerator(seed: 15).normal([1000, 2])
        let objective = try FlowMatchingObjective(straight)
        var (flow, straightness, costs) = (try PlaneFlow(seed: 3), [Double](), [Double]())
        try flow.train(700) { network in
            try loss(objective, Example(data: data(256, generator)), generator, network)
        }
        var firstStep = 0.0
        for round in 0..<3 {
            let run = flow.run(test)
            straightness.append(try run.straightness.mean().item())
            costs.append(try run.transportCost.mean().item())
            let jump = try (flow.run(test, steps: 1).data - run.data).squared().sum([1]).mean().item(
                Double.self)
            if round == 0 { firstStep = jump }
            if round == 2 {
                #expect(jump < 0.1 * firstStep, "one step \(jump) after \(firstStep)")
                break
            }
            let pairs = flow.run(generator.normal([4096, 2]))
            flow = try PlaneFlow(seed: 0, from: flow)
            try flow.train(400) { network in
                let chosen = generator.integers([256], in: 0..<4096)
                let pair = Example(
                    data: pairs.data.gathered(chosen).copied(), noise: pairs.noise.gathered(chosen).copied())
                return try loss(objective, pair, generator, network)
            }
        }
        #expect(straightness[1] < 0.3 * straightness[0], "\(straightness)")
        #expect(straightness[2] <= straightness[1], "\(straightness)")
        #expect(costs[1] < costs[0] * 1.02, "\(costs)")
    }

    /// Minibatch optimal transport: straighter paths than independent pairs give, at the same ends.
    @Test func optimalPairsGiveStraighterPaths() throws {
        let test = RandomGenerator(seed: 15).normal([1000, 2])
        let straightness = try Coupling.allCases.map { coupling in
            let generator = RandomGenerator(seed: 21)
            let flow = try PlaneFlow(seed: 3)
            let objective = try FlowMatchingObjective(straight, coupling: coupling)
            try flow.train(350) { try loss(objective, Example(data: data(128, generator)), generator, $0) }
            let run = flow.run(test)
            // Both arrive at the four blobs.
            let away = (run.data.magnitude() - 1.5).magnitude().mean()
            #expect(try away.item() < 0.35, "\(coupling)")
            return try run.straightness.mean().item(Double.self)
        }
        #expect(straightness[1] < 0.5 * straightness[0], "\(straightness)")
    }
}
