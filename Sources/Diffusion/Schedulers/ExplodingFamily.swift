import Foundation

// EDM and consistency models: processes whose time is σ itself, α = 1.

extension SchedulerConfiguration {
    /// The sampler of `EDMEulerScheduler` and `CMStochasticIterativeScheduler`.
    func explodingSampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        let (first, last) = (sigmaMaximum ?? 80, sigmaMinimum ?? 0.002)
        guard last > 0, last < first else {
            throw DiffusionError(
                "sigma_min is \(last) and sigma_max is \(first): the one must be above 0 and below the other")
        }
        switch kind {
        case .edmEuler: return try preconditionedSampler(steps, first, last, options)
        case .consistency: return try consistencySampler(steps, first, last)
        default: throw DiffusionError("\(kind.rawValue) is not sampled yet")
        }
    }

    /// EDM's grid; the network is told ¼·ln σ.
    private func preconditionedSampler(
        _ steps: Int, _ first: Double, _ last: Double, _ options: SamplerOptions
    ) throws -> Sampler {
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
        return Sampler(grid, try SolverName.euler.solver(on: grid, options))
    }

    /// Every ⌊T/n⌋th of Karras's σ; the network is told 250·ln σ.
    private func consistencySampler(_ steps: Int, _ first: Double, _ last: Double) throws -> Sampler {
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
