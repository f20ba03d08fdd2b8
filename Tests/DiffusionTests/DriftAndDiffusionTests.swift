import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

/// Drift and diffusion of the continuous processes, derived from (α, σ), beside what was published.
@Suite struct DriftAndDiffusionTests {
    /// A process, times within it, and its published f and g².
    struct Published: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var schedule: any ContinuousSchedule
        var range: ClosedRange<Double>
        var drift: @Sendable (Double) -> Double
        var squaredDiffusion: @Sendable (Double) -> Double

        func times(_ count: Int) throws -> [Double] {
            try RandomGenerator(seed: 19).uniform([count], .float64).array(of: Double.self).map {
                range.lowerBound + $0 * (range.upperBound - range.lowerBound)
            }
        }
    }

    static let all: [Published] = {
        // Song et al. 2021 (arXiv:2011.13456), equations 30 to 33 and 28.
        let preserving = VariancePreservingSchedule(betaMinimum: 0.2, betaMaximum: 17)
        let below = SubVariancePreservingSchedule()
        let exploding = VarianceExplodingSchedule()
        return [
            Published(
                testDescription: "VP", schedule: preserving, range: 1e-3...1,
                drift: { -preserving.beta(at: $0) / 2 }, squaredDiffusion: { preserving.beta(at: $0) }),
            Published(
                testDescription: "sub-VP", schedule: below, range: 1e-3...1,
                drift: { -(0.1 + 19.9 * $0) / 2 },
                squaredDiffusion: { (0.1 + 19.9 * $0) * (1 - exp(-2 * (0.1 * $0 + 19.9 * $0 * $0 / 2))) }),
            Published(
                testDescription: "VE", schedule: exploding, range: 0...1, drift: { _ in 0 },
                squaredDiffusion: { 2 * pow(0.01 * pow(5000, $0), 2) * log(5000) }),
            // Karras et al. 2022 (arXiv:2206.00364), table 1.
            Published(
                testDescription: "EDM", schedule: EDMSchedule(), range: 0.002...80, drift: { _ in 0 },
                squaredDiffusion: { 2 * $0 }),
            // By hand: f = α′/α, g² = 2σ(σ′ − fσ).
            Published(
                testDescription: "straight", schedule: StraightSchedule(), range: 0.001...0.98,
                drift: { -1 / (1 - $0) }, squaredDiffusion: { 2 * $0 / (1 - $0) }),
            Published(
                testDescription: "trigonometric", schedule: TrigonometricSchedule(), range: 0.001...0.98,
                drift: { -.pi / 2 * tan(.pi / 2 * $0) }, squaredDiffusion: { .pi * tan(.pi / 2 * $0) }),
        ]
    }()

    @Test(arguments: all) func driftAndDiffusionAreThePublishedOnes(_ process: Published) throws {
        for time in try process.times(200) {
            expectClose(
                [process.schedule.drift(at: time), process.schedule.squaredDiffusion(at: time)],
                [process.drift(time), process.squaredDiffusion(time)], relative: 1e-9, absolute: 1e-12,
                "time \(time)")
        }
    }

    @Test(arguments: all) func ratesAreDerivatives(_ process: Published) throws {
        for time in try process.times(200) {
            let step = 1e-5 * min(time + 1e-3, 1)
            let (after, before) = (
                process.schedule.level(at: time + step), process.schedule.level(at: time - step)
            )
            let rates = process.schedule.rates(at: time)
            let logSNR = (after.logSNR - before.logSNR) / (2 * step)
            expectClose(
                [rates.alpha, rates.sigma, process.schedule.logSNRRate(at: time)],
                [
                    (after.alpha - before.alpha) / (2 * step), (after.sigma - before.sigma) / (2 * step),
                    logSNR,
                ],
                relative: 1e-6, absolute: 1e-7, "time \(time)")
        }
    }

    @Test(arguments: all) func timesComeBackThousandTimes(_ process: Published) throws {
        for time in try process.times(1000) {
            let found = process.schedule.time(logSNR: process.schedule.level(at: time).logSNR)
            #expect(abs(found - time) <= 1e-9 * process.schedule.start, "\(time)")
        }
    }

    @Test(arguments: BetaSchedule.allCases) func wholeTimesComeBackThousandTimes(kind: BetaSchedule) throws {
        let schedule = DiscreteSchedule(betas: kind.betas(count: 1000, from: 1e-4, to: 0.02))
        for time in 0..<1000 {
            let found = schedule.time(logSNR: schedule.level(at: Double(time)).logSNR)
            #expect(abs(found - Double(time)) < 1e-7, "\(time)")
        }
    }

    /// Constant β is the Ornstein–Uhlenbeck process: mean x₀·e^{−βt/2}, variance 1 − e^{−βt}.
    @Test func constantBetaIsOrnsteinAndUhlenbecks() throws {
        let process = VariancePreservingSchedule(betaMinimum: 2, betaMaximum: 2)
        for time in stride(from: 0.1, through: 1, by: 0.1) {
            let level = process.level(at: time)
            #expect(abs(level.alpha - exp(-time)) < 1e-14)
            #expect(abs(level.sigma * level.sigma - (1 - exp(-2 * time))) < 1e-14)
            #expect(abs(process.time(logSNR: level.logSNR) - time) < 1e-12)
        }
        // The forward equation itself, by Euler and Maruyama from a point.
        let (count, steps, start) = (100_000, 200, 1.5)
        let generator = RandomGenerator(seed: 31)
        var x = Tensor.full(start, [count], .float64)
        for index in 0..<steps {
            let (time, dt) = (Double(index) / Double(steps), 1 / Double(steps))
            let root = (process.squaredDiffusion(at: max(time, 1e-9)) * dt).squareRoot()
            x = (x * (1 + process.drift(at: time) * dt)).adding(
                generator.normal([count], .float64), scale: root)
        }
        let (mean, variance) = (start * exp(-1), 1 - exp(-2.0))
        // Four standard errors, and the method's own error of first order.
        #expect(
            abs(try x.mean().item() - mean) < 4 * (variance / Double(count)).squareRoot() + 1 / Double(steps))
        #expect(
            abs(try x.variance().item() - variance)
                < 4 * variance * (2 / Double(count)).squareRoot() + 1 / Double(steps))
    }
}
