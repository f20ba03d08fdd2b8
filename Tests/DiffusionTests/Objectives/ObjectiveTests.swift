import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ObjectiveTests {
    private let plane = GaussianPlane()
    private let discrete = DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 100, from: 1e-3, to: 0.1))

    private func continuous() -> [any ContinuousSchedule] {
        [
            VariancePreservingSchedule(), SubVariancePreservingSchedule(), VarianceExplodingSchedule(),
            EDMSchedule(), StraightSchedule(), TrigonometricSchedule(), ConditionalTransportSchedule(),
        ]
    }

    /// One objective, every process: the exact network is the minimiser, whatever it predicts.
    @Test(arguments: Prediction.allCases)
    func theMinimiserIsTheExactDenoiser(prediction: Prediction) throws {
        let (data, noise) = plane.batch(300, seed: 4)
        func check(_ objective: Objective, _ level: NoiseLevel, _ name: String) throws {
            try expectMinimiser(tolerance: 1e-9, name) { added in
                let times = Tensor(Array(repeating: level.time!, count: 300))
                let told = objective.schedule is DiscreteSchedule ? times.to(.int64) : times
                return objective.loss(data, noise: noise, times: told) { x, _ in
                    prediction.output(plane.mixture.estimate(x, at: level), at: level) + added(x)
                }
            }
        }
        for weighting in [LossWeighting.simple, .minSNR(), .sigmoid(bias: 1)] {
            for time in [3.0, 60] {
                try check(
                    Objective(
                        schedule: discrete, prediction: prediction, weighting: weighting,
                        elementType: .float64), discrete.level(at: time), "discrete")
            }
            for schedule in continuous() {
                for time in [0.2, 0.7] {
                    try check(
                        Objective(
                            schedule: schedule, prediction: prediction, weighting: weighting,
                            elementType: .float64), schedule.level(at: time), "\(type(of: schedule))")
                }
            }
        }
    }

    @Test(arguments: Prediction.allCases)
    func gradientsAreThoseOfDifferences(prediction: Prediction) throws {
        let (data, noise) = plane.batch(8, seed: 2)
        let times = Tensor([0, 3, 10, 30, 50, 70, 90, 99])
        for weighting in [LossWeighting.simple, .edm(), .minSNR(), .p2(), .variational(discrete)] {
            let objective = Objective(
                schedule: discrete, prediction: prediction, weighting: weighting, elementType: .float64)
            try expectGradient(at: smoothParameters) { parameters in
                objective.loss(data, noise: noise, times: times, network: smoothNetwork(parameters)).mean()
            }
        }
    }

    /// The loss of an example is its own weight times its own error.
    @Test func weightsMultiplyEachExample() throws {
        let (data, noise) = plane.batch(6, seed: 6)
        let times = Tensor([0.05, 0.1, 0.4, 0.6, 0.9, 0.99])
        let weighting = LossWeighting.truncatedSNR
        func loss(_ weighting: LossWeighting) throws -> [Double] {
            try Objective(
                schedule: TrigonometricSchedule(), prediction: .velocity, weighting: weighting,
                elementType: .float64
            ).loss(data, noise: noise, times: times, network: smoothNetwork(smoothParameters)).array()
        }
        let levels = try times.array(of: Double.self).map(TrigonometricSchedule().level(at:))
        let expected = zip(try loss(.simple), levels).map { $0 * weighting.weight(on: .velocity, at: $1) }
        expectClose(try loss(weighting), expected, relative: 1e-13)
    }

    /// Training draws as it always did: whole times first, then noise, from one stream.
    @Test func drawsAreTimesThenNoise() throws {
        let objective = Objective(schedule: discrete, prediction: .noise)
        let data = Tensor.ones([5, 3])
        let generator = RandomGenerator(seed: 12)
        let times = generator.integers([5], in: 0..<100)
        let noise = generator.normal([5, 3])
        let loss = objective.loss(data, RandomGenerator(seed: 12)) { x, told in
            #expect((try? told.isIdentical(to: times)) == true)
            return x
        }
        #expect(try loss.isIdentical(to: objective.loss(data, noise: noise, times: times) { x, _ in x }))
    }

    /// Batches of examples at their own levels: the data of `estimate`, one level at a time.
    @Test(arguments: Prediction.allCases)
    func batchedDataAreThoseOfTheEstimate(prediction: Prediction) throws {
        let generator = RandomGenerator(seed: 3)
        let (x, output) = (generator.normal([4, 2, 3], .float64), generator.normal([4, 2, 3], .float64))
        let levels = [0.3, 0.8, 1.1, 1.5].map { NoiseLevel(alpha: 1.2 * cos($0), sigma: 0.8 * sin($0)) }
        let batch = prediction.data(
            output, sample: x, alpha: Tensor(levels.map(\.alpha)).broadcast(toRank: 3),
            sigma: Tensor(levels.map(\.sigma)).broadcast(toRank: 3))
        for (index, level) in levels.enumerated() {
            let single = prediction.estimate(output[index], sample: x[index], at: level)
            expectClose(batch[index], single.data, absolute: 1e-12)
        }
    }

    // MARK: importance sampling

    private func warm(_ losses: [Double]) throws -> LossSecondMomentSteps {
        var steps = LossSecondMomentSteps(count: losses.count, history: 2)
        for factor in [0.0, 5, 3, 4] {  // the first two are forgotten
            try steps.record(
                times: Tensor(Array(losses.indices)), losses: Tensor(losses.map { $0 * factor }))
        }
        return steps
    }

    @Test func probabilitiesFollowTheRootMeanSquareOfLatestLosses() throws {
        let losses = [1.0, 4, 2, 0.5]
        let steps = try warm(losses)
        #expect(steps.isWarm && !LossSecondMomentSteps(count: 4).isWarm)
        #expect(LossSecondMomentSteps(count: 4).probabilities == [0.25, 0.25, 0.25, 0.25])
        for (probability, loss) in zip(steps.probabilities, losses) {
            #expect(abs(probability - (0.999 * loss / 7.5 + 0.001 / 4)) < 1e-15)
        }
    }

    /// The weighted mean of any function of time is its uniform mean, and draws follow their probabilities.
    @Test func importanceKeepsExpectations() throws {
        let steps = try warm([1, 4, 2, 0.5])
        let draw = steps.draw(40_000, RandomGenerator(seed: 8))
        let times = try draw.times.array(of: Int.self)
        let importance = try #require(draw.importance).array(of: Double.self)
        for time in 0..<4 {
            let (probability, count) = (steps.probabilities[time], times.count { $0 == time })
            let error = (probability * (1 - probability) / 40_000).squareRoot()
            #expect(abs(Double(count) / 40_000 - probability) < 4 * error)
        }
        // Exactly: each time's importance is the inverse of how much too often it comes.
        for (time, factor) in zip(times, importance) {
            #expect(abs(factor * steps.probabilities[time] * 4 - 1) < 1e-12)
        }
    }

    /// An objective with such times multiplies each loss by the importance of its draw.
    @Test func objectivesCountTheImportance() throws {
        let short = DiscreteSchedule(betas: [0.1, 0.2, 0.3, 0.4])
        let (data, _) = plane.batch(50, seed: 6)
        let steps = try warm([1, 4, 2, 0.5])
        let objective = Objective(
            schedule: short, prediction: .noise, times: steps, elementType: .float64)
        let generator = RandomGenerator(seed: 2)
        let draw = steps.draw(50, generator)
        let noise = generator.normal([50, 2], .float64)
        let network = smoothNetwork(smoothParameters)
        let plain = objective.loss(data, noise: noise, times: draw.times, network: network)
        expectClose(
            objective.loss(data, RandomGenerator(seed: 2), network: network),
            plain * (try #require(draw.importance)), absolute: 0)
    }
}
