import Diffusion
import Foundation

// Flow matching: the straight path α = 1 − σ, with a time of T·σ.

extension SchedulerConfiguration {
    /// The sampler of `FlowMatchEulerDiscreteScheduler`, `FlowMatchHeunDiscreteScheduler` and
    /// `FlowMatchLCMScheduler`.
    func flowSampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        guard (scaleFactors ?? []).isEmpty || kind != .flowLCM else {
            throw DiffusionError("scale_factors changes the size of samples on the way: leave it out")
        }
        let sigmas = try kind == .flowHeun ? shiftedTwice(steps) : flowSigmas(steps, options)
        let inverts = invertsSigmas && kind != .flowHeun
        let stops = inverts ? sigmas.map { 1 - $0 } + [1] : sigmas + [0]
        let grid = StepGrid(
            through: stops.map { NoiseLevel(time: $0 * Double(trainSteps), alpha: 1 - $0, sigma: $0) })
        switch kind {
        case .flowHeun: return Sampler(grid, HeunSolver(churn: options.churn))
        case .flowLCM: return Sampler(grid, LCMSolver())
        default: return isStochastic ? Sampler(grid, LCMSolver()) : Sampler(grid, DDIMSolver())
        }
    }

    /// μ of a picture of so many tokens, on the straight line through `base_shift` and `max_shift`.
    /// Source: Esser et al. 2024 (arXiv:2403.03206), section 5.3.2, as the pipelines of diffusers have it.
    public func shiftExponent(tokens: Int) -> Double {
        let slope = (maximalShift - baseShift) / (Double(maximalSequenceLength) - Double(baseSequenceLength))
        return baseShift + slope * (Double(tokens) - Double(baseSequenceLength))
    }

    /// σ even between those of the constructor, which has shifted them once, and shifted again.
    private func shiftedTwice(_ steps: Int) -> [Double] {
        let last = StraightSchedule.shifted(1 / Double(trainSteps), by: shift)
        return evenlySpaced(from: 1, to: last, count: steps).map { StraightSchedule.shifted($0, by: shift) }
    }

    /// σ of every step, as `set_timesteps` makes them.
    private func flowSigmas(_ steps: Int, _ options: SamplerOptions) throws -> [Double] {
        var sigmas = try usesDynamicShift ? dynamicallyShifted(steps, options) : shiftedTwice(steps)
        if let terminalShift, terminalShift != 0 {
            guard let last = sigmas.last, last < 1 else {
                throw DiffusionError("shift_terminal cannot stretch the grid of one step: give at least 2")
            }
            sigmas = sigmas.map { 1 - (1 - $0) * (1 - terminalShift) / (1 - last) }
        }
        let first = sigmaMaximum ?? sigmas[0]
        let last = sigmaMinimum ?? sigmas[steps - 1]
        if usesKarrasSigmas { return karrasSigmas(count: steps, from: first, to: last) }
        if usesExponentialSigmas { return exponentialSigmas(count: steps, from: first, to: last) }
        if usesBetaSigmas { return betaSigmas(count: steps, from: first, to: last) }
        return sigmas
    }

    /// σ even from 1 to 1/T, shifted by μ.
    private func dynamicallyShifted(_ steps: Int, _ options: SamplerOptions) throws -> [Double] {
        guard let mu = options.shiftExponent else {
            throw DiffusionError("use_dynamic_shifting needs μ, the shift for the picture's size: give it")
        }
        let shift = timeShift == .exponential ? exp(mu) : mu
        guard shift > 0 else {
            throw DiffusionError("time_shift_type 'linear' was given the shift \(mu): it must be above 0")
        }
        return evenlySpaced(from: 1, to: 1 / Double(trainSteps), count: steps).map { time in
            shift / (shift + (1 / time - 1))
        }
    }
}
