import Diffusion
import Evaluation
import Foundation
import Pipelines
import Tensors
import TestSupport
import Testing

/// Denoising with exact models: one Gaussian, whose posterior is a Gaussian in closed form, and mixtures.
@Suite struct PosteriorDenoisingTests {
    private static let schedules = [
        #"{"_class_name": "DDPMScheduler", "clip_sample": false}"#, #"{"kind": "vp-sde"}"#,
        #"{"kind": "edm"}"#, #"{"kind": "ve"}"#, #"{"kind": "flow"}"#,
    ]
    /// Data N(m, C) and their matrices.
    private let mean = Tensor([0.4, -0.3])
    private let covariance = Tensor([0.2, 0.08, 0.08, 0.1], shape: [2, 2])

    private func model(_ schedule: String) throws -> BareModel {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "m.json",
            #"""
            {"kind": "gaussian-mixture", "weights": [1], "means": [[0.4, -0.3]], "prediction": "noise",
             "covariances": [[[0.2, 0.08], [0.08, 0.1]]], "schedule": \#(schedule)}
            """#)
        return try withExtendedLifetime(folder) { try Model("analytic:" + path).bare() }
    }

    /// Mean and covariance of x₀ given y = x₀ + s·n.
    private func posterior(_ y: Tensor, _ deviation: Double) -> (mean: Tensor, covariance: Tensor) {
        let noisy = covariance + Tensor.identity(2, .float64) * (deviation * deviation)
        let gain = covariance.matmul(noisy.inverse())
        return (mean + (y - mean).matmul(gain.transposed()), covariance - gain.matmul(covariance))
    }

    /// One step gives the mean of the posterior on every process, between the times of a table too.
    @Test(arguments: schedules) func oneStepIsThePosteriorMean(schedule: String) throws {
        let model = try model(schedule)
        let y = RandomGenerator(seed: 1).normal([6, 2], .float64)
        for deviation in [0.03, 0.2, 1.3] {
            let found = try PosteriorDenoising(model, deviation: deviation).mean(of: y)
            expectClose(found, posterior(y, deviation).mean, absolute: 1e-9)
        }
    }

    /// Samples of methods that draw noise have the mean and the covariance of the posterior.
    @Test(arguments: [Method.ddpm, .eulerAncestral, .dpmPlusPlusSDE])
    func samplesAreOfThePosterior(method: Method) throws {
        for schedule in Self.schedules {
            let task = try PosteriorDenoising(model(schedule), deviation: 0.5)
            let y = Tensor([0.9, 0.1], shape: [1, 2])
            let sampler = try task.sampler(method, steps: 150)
            let samples = try task.samples(of: y, count: 1500, by: sampler, seed: 5, batchSize: 1500)
            let wanted = posterior(y, 0.5)
            // Standard errors are about 0.008 and 0.003.
            expectClose(samples.mean([0]), wanted.mean[0], absolute: 0.03, "\(method.name) \(schedule)")
            expectClose(
                samples.covariance(), wanted.covariance, absolute: 0.015, "\(method.name) \(schedule)")
        }
    }

    /// The samples do not depend on how many pass together.
    @Test func samplesDoNotDependOnBatches() throws {
        let task = try PosteriorDenoising(model(Self.schedules[0]), deviation: 0.5)
        let y = Tensor([0.9, 0.1], shape: [1, 2])
        let sampler = try task.sampler(.ddim, steps: 7, eta: 0.8)
        let all = try task.samples(of: y, count: 5, by: sampler, seed: 5)
        let some = try task.samples(of: y, count: 5, by: sampler, seed: 5, batchSize: 2)
        expectClose(some, all, absolute: 1e-12)
        let last = try task.samples(of: y, count: 1, by: sampler, seed: 9)
        expectClose(last[0], all[4], absolute: 1e-12)
    }

    /// The posterior mean has the highest signal-to-noise ratio that there is: above that of the noisy data, and of a
    /// sample of the posterior by 3 decibels, its error being twice as large.
    @Test func theMeanIsBestBySignalToNoise() throws {
        let task = try PosteriorDenoising(model(Self.schedules[0]), deviation: 0.6)
        let generator = RandomGenerator(seed: 2)
        let data =
            generator.normal([2000, 2], .float64).matmul(covariance.choleskyFactor().transposed()) + mean
        let y = data + generator.normal([2000, 2], .float64) * 0.6
        func decibels(_ found: Tensor) throws -> Double {
            -10 * log10(try (found - data).squared().mean().item(Double.self))
        }
        let best = try decibels(task.mean(of: y))
        #expect(abs(best - (try decibels(posterior(y, 0.6).mean))) < 1e-9)
        #expect(try best > decibels(y) + 3)
        let sampler = try task.sampler(.ddpm, steps: 50)
        let drawn = try concatenated(
            (0..<200).map {
                try task.samples(of: y.slice($0..<($0 + 1), of: 0), count: 1, by: sampler, seed: UInt64($0))
            })
        let error = try (drawn - data.slice(0..<200, of: 0)).squared().mean().item(Double.self)
        #expect(abs(error / pow(10, -best / 10) - 2) < 0.5, "\(error)")
    }

    @Test func whatDrawsNoNoiseIsRefused() throws {
        let task = try PosteriorDenoising(model(Self.schedules[0]), deviation: 0.5)
        #expect(throws: EvaluationError.self) { try task.sampler(.ddim, steps: 5) }
        #expect(throws: EvaluationError.self) { try task.sampler(.ddpm, steps: 0) }
        #expect(throws: EvaluationError.self) {
            try PosteriorDenoising(model(Self.schedules[0]), deviation: 1e4)
        }
        #expect(try PosteriorDenoising(model(Self.schedules[0]), deviation: 1e-4).isBelowLeast)
        #expect(!task.isBelowLeast)
    }
}
