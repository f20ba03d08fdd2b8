import Checkpoints
import Diffusers
import Diffusion
import Foundation
import Storage
import Tensors
import TestSupport
import Testing

/// Variances that a network gives with further channels.
@Suite struct LearnedVarianceTests {
    @Test(arguments: try Fixture.all(in: "variance"))
    func stepsOfDiffusersAgree(_ fixture: Fixture) throws {
        let settings: JSONObject = try fixture.case.required("configuration")
        let configuration = try JSONDecoder().decode(
            SchedulerConfiguration.self, from: Data(JSONValue.object(settings).text.utf8))
        let whole = try configuration.sampler(steps: fixture.case.required("steps"))
        let step = whole.grid.steps[try fixture.case.required("position")]
        let sampler = Sampler(StepGrid(steps: [step]), whole.solver, thresholding: whole.thresholding)
        let output = try fixture.tensor("output")
        let meaning = Parameterization(configuration.prediction, scaling: .variancePreserving) {
            $0.time ?? -1
        }
        let denoiser = Denoiser(meaning) { _, _ in output }
        let seed: Int = try fixture.case.required("noise_seed")
        let noise = NoiseSource(seed: UInt64(seed), count: 2, elementType: .float64)
        let found = sampler.sampling(try fixture.tensor("sample"), denoiser: denoiser, source: noise)
        expectClose(
            try #require(Array(found).last).sample, try fixture.tensor("previous"), absolute: 1e-11,
            ofLargest: 1e-11)
    }

    /// iDDPM, equation 15: a straight line in logarithms from β̃ to β.
    @Test func theRangeEndsAtBothFixedVariances() throws {
        let schedule = SchedulerConfiguration(.ddpm).schedule
        for time in [1.0, 10, 500, 999] {
            let transition = Transition(from: schedule.level(at: time), to: schedule.level(at: time - 1))
            let beta = schedule.betas[Int(time)]
            let bars = (schedule.alphaBars[Int(time)], schedule.alphaBars[Int(time) - 1])
            let posterior = beta * (1 - bars.1) / (1 - bars.0)
            let found = try transition.logVariance(output: Tensor([-1.0, 0, 1])).array(of: Double.self)
            let expected = [log(posterior), (log(posterior) + log(beta)) / 2, log(beta)]
            expectClose(found, expected, absolute: 1e-9, "time \(time)")
        }
    }

    /// A share that says β̃ or β everywhere is the fixed variance of that name.
    @Test(arguments: [(-1.0, DDPMSolver.Variance.fixedSmall), (1.0, .fixedLarge)])
    func theEndsOfTheRangeAreTheFixedSamplers(output: Double, variance: DDPMSolver.Variance) throws {
        let data = OneDimensional.pair
        let grid = try SchedulerConfiguration(.ddpm).grid(steps: 20)
        let start = RandomGenerator(seed: 3).normal([2, 5], .float64)
        let learned = data.denoiser.map { estimate, x, _ in
            Estimate(data: estimate.data, noise: estimate.noise, variance: x * 0 + output)
        }
        let found = data.end(of: start, grid, DDPMSolver(variance: .learnedRange), denoiser: learned)
        let fixed = data.end(of: start, grid, DDPMSolver(variance: variance))
        expectClose(found, fixed, absolute: 1e-11)
    }

    @Test func withoutChannelsForItTheSampleCarriesASentence() throws {
        let data = OneDimensional()
        let grid = try SchedulerConfiguration(.ddpm).grid(steps: 5)
        let found = data.end(
            of: Tensor.zeros([1, 2], .float64), grid, DDPMSolver(variance: .learnedRange))
        #expect(try #require(found.failure).message.contains("'learned_range'"))
    }

    @Test func thresholdsAndGuidanceKeepTheConditionalVariance() throws {
        let x = RandomGenerator(seed: 5).normal([2, 3], .float64)
        let level = NoiseLevel(alpha: 0.8, sigma: 0.6)
        let batched = Denoiser { x, _ in
            Estimate(
                data: x * 3, noise: x,
                variance: concatenated([x.slice(0..<2, of: 0) * 0, x.slice(0..<2, of: 0) + 7]))
        }
        let guided = ClassifierFreeGuidance(scale: 2).denoiser(batched: batched)
            .thresholded(.fixed(range: 1))(x, level)
        #expect(try #require(guided.variance).isIdentical(to: x + 7))
    }
}
