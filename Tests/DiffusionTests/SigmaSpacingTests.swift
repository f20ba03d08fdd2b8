import Diffusion
import Foundation
import TestSupport
import Testing

@Suite struct SigmaSpacingTests {
    /// scipy's `stats.beta.ppf(1 - numpy.linspace(0, 1, 7), a, b)`, computed once.
    @Test func betaQuantilesAreThoseOfScipy() {
        let known: [(Double, Double, [Double])] = [
            (
                0.6, 0.6,
                [
                    1.0, 0.9085132044499549, 0.7245867092223766, 0.5000000000000001, 0.2754132907776235,
                    0.09148679555004528, 0.0,
                ]
            ),
            (
                0.3, 1.7,
                [
                    1.0, 0.3339344301505797, 0.14181080693969159, 0.051697104839436736, 0.013103029564130377,
                    0.0012917239449490785, 0.0,
                ]
            ),
            (
                2.0, 5.0,
                [
                    1.0, 0.4475068841166654, 0.3424879247957414, 0.26444998329566005, 0.19539879380609193,
                    0.12506535896216614, 0.0,
                ]
            ),
        ]
        for (alpha, beta, quantiles) in known {
            expectClose(
                betaSigmas(count: quantiles.count, from: 1, to: 0, alpha: alpha, beta: beta), quantiles,
                absolute: 1e-13)
        }
    }

    /// α = β = ½ is the arcsine law, and β = 1 a power.
    @Test func betaQuantilesHaveTheirClosedForms() {
        let shares = (0...400).map { 1 - Double($0) / 400 }
        expectClose(
            betaSigmas(count: 401, from: 1, to: 0, alpha: 0.5, beta: 0.5),
            shares.map { pow(sin(.pi / 2 * $0), 2) }, absolute: 1e-13)
        expectClose(
            betaSigmas(count: 401, from: 1, to: 0, alpha: 3, beta: 1), shares.map { pow($0, 1.0 / 3) },
            absolute: 1e-13)
    }

    @Test func everySpacingFallsBetweenItsEnds() {
        let spacings = [
            karrasSigmas(count: 12, from: 80, to: 0.002), exponentialSigmas(count: 12, from: 80, to: 0.002),
            polyexponentialSigmas(count: 12, from: 80, to: 0.002, rho: 2),
            linearSigmas(count: 12, from: 80, to: 0.002), luSigmas(count: 12, from: 80, to: 0.002),
            betaSigmas(count: 12, from: 80, to: 0.002),
        ]
        for sigmas in spacings {
            #expect(sigmas.count == 12 && zip(sigmas, sigmas.dropFirst()).allSatisfy { $0 > $1 })
            expectClose([sigmas[0], sigmas[11]], [80, 0.002], relative: 1e-12)
        }
        expectClose(spacings[1], spacings[4], relative: 1e-15)
        expectClose(
            polyexponentialSigmas(count: 12, from: 80, to: 0.002), spacings[1], relative: 1e-12)
    }

    @Test func tenAlignedStepsAreTheTable() {
        expectClose(
            AlignedSteps.stableDiffusionXL.sigmas(count: 10),
            [14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113], relative: 1e-14)
        // Twenty steps meet every σ of the table, and its geometric means.
        let twenty = AlignedSteps.stableDiffusion.sigmas(count: 20)
        expectClose([twenty[2], twenty[1]], [6.475, (14.615 * 6.475).squareRoot()], relative: 1e-13)
    }

    @Test func uniformTimesAreTheProcessesOwn() {
        let process = VariancePreservingSchedule()
        let time = { (sigma: Double) in process.time(logSNR: -2 * log(sigma)) }
        let sigma = { (time: Double) in process.level(at: time).noiseRatio }
        let even = uniformTimeSigmas(count: 8, from: sigma(1), to: sigma(1e-3), time: time, sigma: sigma)
        expectClose(even, variancePreservingSigmas(count: 8), relative: 1e-10)
        let open = uniformTimeSigmas(
            count: 7, from: sigma(1), to: sigma(1e-3), reachesEnd: false, time: time, sigma: sigma)
        expectClose(open, Array(even.dropLast()), relative: 1e-10)
    }
}
