import Diffusion
import Foundation
import Pipelines
import Tensors

/// What a model makes of data with white noise of a known deviation: their posterior mean, and samples of the posterior.
///
/// y = x₀ + s·n, multiplied with α, is a sample of the process at the level with σ/α = s. Its posterior mean is the
/// denoiser's estimate there; a stochastic method that goes on from that level to the data draws from the posterior.
/// Source: Tweedie's formula, as in Efron 2011 (J. Am. Stat. Assoc. 106), equation 2.5; Kawar et al. 2021
/// (arXiv:2101.09552, "stochastic denoising by diffusion"), section 3, for samples.
public struct PosteriorDenoising {
    /// The model.
    public let model: BareModel
    /// The deviation of the noise, in the model's own unit of data.
    public let deviation: Double
    /// The level of the noisy data, with α² + σ² = 1 and the time of the process.
    public let level: NoiseLevel
    /// Whether the noise is less than the least that the model was trained on, at whose time it is called.
    public let isBelowLeast: Bool
    /// What pictures are conditioned on.
    public var condition = BareModel.Condition.none

    /// The task of a noise level.
    /// - Parameter deviation: that of the noise, in the unit of the model's data.
    /// - Throws: `EvaluationError` where the process has no such level.
    public init(_ model: BareModel, deviation: Double) throws {
        (self.model, self.deviation) = (model, deviation)
        let schedule = model.process.schedule
        guard deviation > 0, deviation.isFinite else {
            throw EvaluationError("the noise has the deviation \(deviation): there is nothing to remove")
        }
        let most = schedule.level(at: schedule.start).noiseRatio
        guard deviation <= most else {
            throw EvaluationError(
                "the noise has a deviation of \(deviation) in the unit of the data, and \(model.name) was trained up to \(most): there is hardly a picture left to find"
            )
        }
        level = Self.level(deviation, of: schedule)
        isBelowLeast = deviation < schedule.level(at: schedule.time(atShare: 0)).noiseRatio
    }

    private static func level(_ ratio: Double, of schedule: any NoiseSchedule) -> NoiseLevel {
        let size = hypot(1, ratio)
        return NoiseLevel(
            time: schedule.time(logSNR: -2 * log(ratio)), alpha: 1 / size, sigma: ratio / size)
    }

    /// E[x₀ | y] of noisy data `[batch, …]`.
    /// - Throws: the error that the result carries; `PipelineError` where the model lacks the condition.
    public func mean(of noisy: Tensor) throws -> Tensor {
        let data = try inference {
            try model.denoiser(condition(noisy.shape[0]), count: noisy.shape[0])(
                noisy * level.alpha, level
            ).data
        }
        try data.rethrow()
        return data
    }

    /// The steps of a method from the level of the noise to the data: levels as Karras et al. spread them.
    /// - Throws: `DiffusionError` or `EvaluationError` where the method draws no noise, or an option does not go with it.
    public func sampler(_ method: Method, steps: Int, eta: Double? = nil) throws -> Sampler {
        guard method.convergence == .stochastic || (eta ?? 0) > 0 else {
            let others = Method.allCases.filter { $0.convergence == .stochastic }.map(\.name)
            throw EvaluationError(
                "the method '\(method.name)' draws no noise, so all of its samples would be one, and none of the posterior: use one of \(others.joined(separator: ", ")), or ddim with an eta above 0"
            )
        }
        guard (1...StepGrid.maximalCount).contains(steps) else {
            throw EvaluationError("the number of steps is \(steps): give 1 to \(StepGrid.maximalCount)")
        }
        let schedule = model.process.schedule
        let least = min(schedule.leastLevel.noiseRatio, deviation)
        let ratios =
            steps == 1 || least == deviation
            ? [deviation] : karrasSigmas(count: steps, from: deviation, to: least)
        let levels = ratios.map { Self.level($0, of: schedule) }
        let grid = StepGrid(through: levels + [NoiseLevel(time: 0, alpha: 1, sigma: 0)])
        var options = SamplerOptions()
        options.eta = eta
        let sampler = try method.sampler(on: grid, options)
        return try sampler.checked()
    }

    /// Samples of x₀ given one noisy example `[1, …]`: `[count, …]`, sample i by the noise of seed + i.
    /// - Parameter onStep: called after each step of each batch with the single steps done.
    /// - Throws: `EvaluationError` where numbers are not finite.
    public func samples(
        of noisy: Tensor, count: Int, by sampler: Sampler, seed: UInt64, batchSize: Int = 16,
        onStep: (Int) -> Void = { _ in }
    ) throws -> Tensor {
        var done = 0
        let size = sampler.solver.couplesExamples ? 1 : batchSize
        let batches = try stride(from: 0, to: count, by: size).map { first in
            try inference {
                let batch = min(size, count - first)
                let denoiser = try model.denoiser(condition(batch), count: batch)
                let noise = model.noise(seed: seed &+ UInt64(first), count: batch)
                let start = (noisy * sampler.grid.steps[0].from.alpha).repeated(
                    [batch] + Array(repeating: 1, count: noisy.rank - 1))
                var sample = start
                for progress in sampler.solver.sampling(
                    start, through: sampler.grid, denoiser: denoiser, noise: noise)
                {
                    sample = progress.sample
                    done += batch
                    onStep(done)
                }
                guard try sample.isFinite().all().item(Bool.self) else {
                    throw EvaluationError(
                        "the samples hold numbers that are not finite: use another solver, or more steps")
                }
                return sample
            }
        }
        return batches.count == 1 ? batches[0] : concatenated(batches)
    }

    /// The condition of a batch: a single class or text is that of all.
    private func condition(_ count: Int) -> BareModel.Condition {
        switch condition {
        case .none: .none
        case .classes(let classes) where classes.count == 1:
            .classes(Array(repeating: classes[0], count: count))
        case .prompts(let prompts) where prompts.count == 1:
            .prompts(Array(repeating: prompts[0], count: count))
        case .classes, .prompts: condition
        }
    }
}
