import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// A thousand random cases of each law of predictions.
@Suite struct PredictionTests {
    private let schedules: [any NoiseSchedule] = [
        DiscreteSchedule(betas: BetaSchedule.cosine.betas(count: 200, from: 0, to: 0)),
        VariancePreservingSchedule(), SubVariancePreservingSchedule(),
        VarianceExplodingSchedule(sigmaMaximum: 5), EDMSchedule(sigmaMaximum: 8), StraightSchedule(),
        TrigonometricSchedule(), ConditionalTransportSchedule(sigmaMinimum: 0.01),
    ]

    /// Levels of all processes in turn, away from their ends, one of three scaled.
    private func levels(_ count: Int, seed: UInt64) throws -> [NoiseLevel] {
        let draws = try RandomGenerator(seed: seed).uniform([count, 2], .float64).array(of: Double.self)
        return (0..<count).map { index in
            let schedule = schedules[index % schedules.count]
            let time = schedule.start * (0.05 + 0.85 * draws[2 * index])
            let level = schedule.level(at: schedule is DiscreteSchedule ? time.rounded() : time)
            return index % 3 == 0 ? level.divided(by: 0.5 + draws[2 * index + 1]) : level
        }
    }

    /// From each prediction to each other and back: what the network gave.
    @Test func roundTripsBetweenAllPredictions() throws {
        let generator = RandomGenerator(seed: 4)
        for level in try levels(1000, seed: 1) {
            let (x, output) = (generator.normal([1, 5], .float64), generator.normal([1, 5], .float64))
            for first in Prediction.allCases {
                let estimate = first.estimate(output, sample: x, at: level)
                for second in Prediction.allCases {
                    let other = second.estimate(second.output(estimate, at: level), sample: x, at: level)
                    expectClose(
                        first.output(other, at: level), output, absolute: 1e-9, ofLargest: 1e-9,
                        "\(first) by \(second) at \(level)")
                }
            }
        }
    }

    /// Noise added, then estimated from its own target: data and noise come back, and make the sample again.
    @Test func addingNoiseIsInvertedByEveryPrediction() throws {
        let generator = RandomGenerator(seed: 5)
        for level in try levels(1000, seed: 2) {
            let (data, noise) = (generator.normal([1, 5], .float64), generator.normal([1, 5], .float64))
            let x = data * level.alpha + noise * level.sigma
            for prediction in Prediction.allCases {
                let target = prediction.target(
                    data: data, noise: noise, alpha: Tensor(level.alpha), sigma: Tensor(level.sigma))
                let estimate = prediction.estimate(target, sample: x, at: level)
                expectClose(estimate.data, data, absolute: 1e-10, "\(prediction) at \(level)")
                expectClose(estimate.noise, noise, absolute: 1e-10, "\(prediction) at \(level)")
                expectClose(
                    estimate.data * level.alpha + estimate.noise * level.sigma, x, absolute: 1e-10)
                expectClose(prediction.output(estimate, at: level), target, absolute: 1e-9, ofLargest: 1e-10)
            }
        }
    }
}
