import Diffusion
import Foundation

// EDM and consistency models: processes whose time is σ itself, α = 1.

extension SchedulerConfiguration {
    /// The largest and the least σ.
    private func sigmaEnds() throws -> (first: Double, last: Double) {
        let (first, last) = (sigmaMaximum ?? 80, sigmaMinimum ?? 0.002)
        guard last > 0, last < first else {
            throw DiffusionError(
                "sigma_min is \(last) and sigma_max is \(first): the one must be above 0 and below the other")
        }
        return (first, last)
    }

    /// The sampler of `EDMEulerScheduler`: EDM's grid; the network takes ¼·ln σ.
    func preconditionedSampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        let (first, last) = try sigmaEnds()
        let sigmas =
            sigmaSpacing == .karras
            ? karrasSigmas(count: steps, from: first, to: last, rho: rho)
            // diffusers turns round what it spaced from the other end, which is seen where there is one step.
            : exponentialSigmas(count: steps, from: last, to: first).reversed()
        let end = finalSigma == .sigmaMinimum ? sigmas[steps - 1] : 0
        let levels = (sigmas + [end]).map { sigma in
            NoiseLevel(time: sigma > 0 ? log(sigma) / 4 : -1, alpha: 1, sigma: sigma)
        }
        // The variance of the noise and of unit data.
        let grid = StepGrid(through: levels, startScale: (first * first + 1).squareRoot())
        return Sampler(grid, try Method.euler.solver(on: grid, options))
    }

    /// The sampler of `CMStochasticIterativeScheduler`: every ⌊T/n⌋th of Karras's σ; the network takes 250·ln σ.
    func consistencySampler(_ steps: Int) throws -> Sampler {
        let (first, last) = try sigmaEnds()
        try checkSteps(steps)
        let all = karrasSigmas(count: trainSteps, from: first, to: last, rho: rho)
        let sigmas = (0..<steps).map { all[$0 * (trainSteps / steps)] }
        let levels = (sigmas + [last]).map { sigma in
            NoiseLevel(time: 250 * log(sigma), alpha: 1, sigma: max(sigma, last))
        }
        return Sampler(
            StepGrid(through: levels, startScale: first),
            ConsistencySolver(smallest: last, noiseScale: noiseScale),
            thresholding: clipsDenoised ? .fixed(range: 1) : nil)
    }
}
