import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ClassificationTests {
    /// Two points ±1 as the data of two classes, and noise on a fine grid whose weights are the normal density: sums over
    /// it are expectations to the last digits.
    private struct TwoPoints {
        let data: Tensor
        let noise: Tensor
        let labels: Tensor
        let weights: Tensor

        init() {
            let grid = (0...240).map { Double($0 - 120) / 15 }
            let density = grid.map { exp(-$0 * $0 / 2) / (2 * .pi).squareRoot() / 15 / 2 }
            let count = grid.count
            data = Tensor((0..<2 * count).map { $0 < count ? -1.0 : 1 }, shape: [2 * count, 1])
            noise = Tensor(grid + grid, shape: [2 * count, 1])
            labels = Tensor((0..<2 * count).map { $0 / count })
            weights = Tensor(density + density)
        }

        /// The expected loss of logits 0 and slope·x + offset.
        func loss(_ objective: ClassificationObjective, at time: Double, _ slope: Tensor, _ offset: Tensor)
            throws
            -> Tensor
        {
            let roles = Roles { x, _ in concatenated([x * 0, x * slope + offset], along: 1) }
            let times = [Double](repeating: time, count: data.shape[0])
            let losses = try objective.losses(
                Example(data: data, noise: noise, labels: labels), roles, at: times, RandomGenerator(seed: 0))
            return (losses.total * weights).sum()
        }
    }

    /// The least loss is at the exact probability: p(1|x) = sigmoid(2αx/σ²) of a sample x = α·x₀ + σ·ε.
    @Test func theMinimiserIsTheExactProbability() throws {
        let points = TwoPoints()
        var checked = 0
        for (schedule, scaling) in continuousSchedules {
            let objective = ClassificationObjective(process(schedule, Prediction.noise, scaling: scaling))
            for time in [0.3, 0.6, 0.9] {
                let level = schedule.level(at: time)
                let own = level.divided(by: scaling.scale(of: level))
                // With less noise there is no doubt, and a loss of rounding alone.
                guard own.alpha < 4 * own.sigma else { continue }
                checked += 1
                let slope = Tensor(2 * own.alpha / (own.sigma * own.sigma)).requiringGradient()
                let offset = Tensor(0.0).requiringGradient()
                let least = try points.loss(objective, at: time, slope, offset)
                let slopes = try gradients(of: [least], withRespectTo: [slope, offset])
                for found in slopes {
                    #expect(
                        try abs(#require(found).item(Double.self)) < 1e-9, "\(type(of: schedule)) \(time)")
                }
                for (a, b) in [(1.1, 0.0), (0.9, 0), (1, 0.1)] {
                    let other = try points.loss(
                        objective, at: time, slope.detached() * a, offset.detached() + b)
                    #expect(try other.item(Double.self) > least.item(Double.self))
                }
            }
        }
        #expect(checked >= 12)
    }

    /// Logits that say nothing of the sample: ln Σ e^z − z_y, and the accuracy is the share of the likeliest class.
    @Test func constantLogitsHaveAKnownLoss() throws {
        let objective = ClassificationObjective(process(VariancePreservingSchedule(), Prediction.noise))
        let logits = Tensor([0.3, -1, 0.7])
        let labels = Tensor([0, 1, 2, 2] as [Int])
        let roles = Roles { x, _ in logits.expanded(to: [x.shape[0], 3]) }
        let example = Example(data: RandomGenerator(seed: 3).normal([4, 2], .float64), labels: labels)
        let losses = try objective.losses(example, roles, atShare: 0.4, RandomGenerator(seed: 1))
        let total = Foundation.log([0.3, -1, 0.7].reduce(0) { $0 + exp($1) })
        expectClose(
            losses.total, Tensor([total - 0.3, total + 1, total - 0.7, total - 0.7]), absolute: 1e-12)
        let accuracy = try #require(losses.parts.first { $0.name == "accuracy" })
        expectClose(accuracy.values, Tensor([0.0, 0, 1, 1]))
    }

    /// The network sees what a denoiser of the same process would: the same draws, samples and times.
    @Test(arguments: [ProcessKind.named("edm")!, ProcessKind.named("betas")!, ProcessKind.named("flow")!])
    func aClassifierSeesWhatADenoiserSees(kind: ProcessKind) throws {
        let process = try ProcessDescription(kind.word).predicting("v").process
        let example = Example(
            data: RandomGenerator(seed: 3).normal([5, 2]), labels: Tensor([0, 1, 0, 1, 1] as [Int]))
        var seen: [[Tensor]] = []
        func network(_ outputs: Int) -> Roles.Network {
            { x, time in
                seen.append([x, time])
                return x.slice(0..<1, of: 1).repeated([1, outputs])
            }
        }
        _ = try ClassificationObjective(process).losses(example, seed: 7, network: network(3))
        _ = try DenoisingObjective(process).losses(example, seed: 7, network: network(2))
        #expect(seen.count == 2)
        for (one, other) in zip(seen[0], seen[1]) { #expect(try one.isIdentical(to: other)) }
    }

    @Test func dataWithoutClassesAreRefused() {
        let objective = ClassificationObjective(process(VariancePreservingSchedule(), Prediction.noise))
        #expect(throws: DiffusionError.self) {
            try objective.losses(Example(data: .zeros([2, 2])), seed: 0) { x, _ in x }
        }
    }
}
