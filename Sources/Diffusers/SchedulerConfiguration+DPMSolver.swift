import Diffusion
import Foundation

// DPM-Solver's relatives: DPMSolverMultistepScheduler and its inverse, DPMSolverSinglestepScheduler,
// UniPCMultistepScheduler, DEISMultistepScheduler, SASolverScheduler, EDMDPMSolverMultistepScheduler.

/// How long a run is, for what a method does near its ends.
struct StepCounts {
    /// The steps of the grid.
    var all: Int
    /// Those that are taken, the last ones of the grid: a start in the middle leaves out the first.
    var taken: Int
}

extension SchedulerConfiguration {
    /// The sampler of a class that works in log-SNR.
    /// - Parameter solver: makes the method of a run.
    func logSNRSampler(
        _ steps: Int, _ options: SamplerOptions, solver: (_ run: StepCounts) throws -> any Solver
    ) throws -> Sampler {
        try checkPrediction()
        let path = try kind == .edmDPMSolverMultistep ? edmPath(steps) : logSNRPath(steps, options)
        let solver = try solver(
            StepCounts(all: path.times.count, taken: path.times.count - options.skippedSteps))
        let grid = path.grid(startScale: kind == .edmDPMSolverMultistep ? edmStartScale : 1)
        try grid.dropping(first: options.skippedSteps).checkFinite()
        try path.check(
            from: options.skippedSteps, severalPoints: usesSeveralPoints, isStochastic: hasStochasticAlgorithm
        )
        let followsNoise = integrand == .noise
        // UniPC on noise leaves its data alone.
        let isClipped = thresholds && !(kind == .uniPC && followsNoise)
        return Sampler(
            grid, solver,
            thresholding: isClipped ? .dynamic(quantile: thresholdQuantile, maximum: thresholdMaximum) : nil,
            recomputesNoise: followsNoise)
    }

    /// What the class follows between levels.
    private var integrand: Integrand { kind.integrand(self) }

    private var hasStochasticAlgorithm: Bool {
        [.stochasticDPMSolver, .stochasticDPMSolverPlusPlus].contains(algorithm)
    }

    private var usesSeveralPoints: Bool {
        kind == .stochasticAdams ? max(predictorOrder, correctorOrder) > 1 : solverOrder > 1
    }

    /// Whether the network's output is what the class can read.
    private func checkPrediction() throws {
        let name = "prediction_type '\(prediction.rawValue)'"
        let isFlow = isFlow && kind != .edmDPMSolverMultistep
        switch prediction {
        case .flow where !isFlow: throw DiffusionError("\(name) needs use_flow_sigmas")
        case .flow where integrand == .noise && kind != .deis:
            throw DiffusionError(
                "\(name) does not give the noise that this algorithm follows: choose 'epsilon'")
        case .velocity where isFlow:
            throw DiffusionError("\(name) has no meaning with use_flow_sigmas: choose 'flow_prediction'")
        case .data where kind == .edmDPMSolverMultistep:
            throw DiffusionError(
                "\(name) is not known to \(kind.rawValue): choose 'epsilon' or 'v_prediction'")
        case .score: throw DiffusionError("\(name) is not known to \(kind.rawValue): choose 'epsilon'")
        default: break
        }
    }

    // MARK: DPM-Solver

    /// The algorithm that the class takes a word for.
    private func dpmAlgorithm(
        among known: [SchedulerWords.Algorithm], endsAtData: Bool
    ) throws -> SchedulerWords.Algorithm {
        guard known.contains(algorithm) || algorithm == .deis else {
            throw DiffusionError("algorithm_type '\(algorithm.rawValue)' is not known to \(kind.rawValue)")
        }
        let reachesData: [SchedulerWords.Algorithm] = [.dpmSolverPlusPlus, .stochasticDPMSolverPlusPlus]
        guard !endsAtData || reachesData.contains(algorithm) else {
            throw DiffusionError(
                "final_sigmas_type 'zero' does not go with algorithm_type '\(algorithm.rawValue)': choose 'sigma_min'"
            )
        }
        return algorithm == .deis ? .dpmSolverPlusPlus : algorithm
    }

    private func checkSolverOrder(_ orders: ClosedRange<Int> = 1...3) throws {
        guard orders.contains(solverOrder) else {
            throw DiffusionError(
                "solver_order is \(solverOrder): \(kind.rawValue) has \(orders.lowerBound) to \(orders.upperBound)"
            )
        }
    }

    /// UniPC's and DEIS's words mean the midpoint variant here.
    private var dpmVariant: DPMSolverMultistep.Variant { solverVariant == .heun ? .heun : .midpoint }

    /// - Parameter known: the algorithms of the class.
    func multistepSolver(
        _ run: StepCounts, among known: [SchedulerWords.Algorithm]
    ) throws -> DPMSolverMultistep {
        try checkSolverOrder()
        let isInverse = kind == .dpmSolverMultistepInverse
        let algorithm = try dpmAlgorithm(among: known, endsAtData: !isInverse && finalSigma == .zero)
        let isStochastic = hasStochasticAlgorithm
        let hasThirdStochastic = algorithm == .stochasticDPMSolverPlusPlus && kind == .dpmSolverMultistep
        guard !isStochastic || hasThirdStochastic || !reachesThirdOrder(run) else {
            throw DiffusionError(
                "solver_order 3 does not go with algorithm_type '\(algorithm.rawValue)' in \(kind.rawValue): choose 2"
            )
        }
        return DPMSolverMultistep(
            order: solverOrder, integrand: integrand, variant: dpmVariant, isStochastic: isStochastic,
            lowersOrderAtEnd: lowersOrderAtEnd && run.all < 15, endsWithEuler: endsWithEuler,
            // diffusers, as the authors' code, takes half of the second difference, and where it adds noise
            // it has 1 the wrong way round.
            curvature: .init(scale: 0.5, offset: isStochastic ? -1 : 0))
    }

    /// Whether a run has a step with three points behind it and none of the reasons for a lower order.
    private func reachesThirdOrder(_ run: StepCounts) -> Bool {
        guard solverOrder == 3 else { return false }
        if lowersOrderAtEnd && run.all < 15 { return run.taken >= 5 }
        return run.taken >= (endsWithEuler || finalSigma == .zero ? 4 : 3)
    }

    func singlestepSolver(_ run: StepCounts) throws -> DPMSolverSinglestep {
        try checkSolverOrder()
        let known: [SchedulerWords.Algorithm] = [
            .dpmSolver, .dpmSolverPlusPlus, .stochasticDPMSolverPlusPlus,
        ]
        let algorithm = try dpmAlgorithm(among: known, endsAtData: finalSigma == .zero)
        guard algorithm != .dpmSolver || !thresholds else {
            throw DiffusionError(
                "thresholding does not go with algorithm_type 'dpmsolver' in \(kind.rawValue): choose 'dpmsolver++'"
            )
        }
        let isStochastic = algorithm == .stochasticDPMSolverPlusPlus
        return DPMSolverSinglestep(
            order: solverOrder, integrand: integrand, variant: dpmVariant, isStochastic: isStochastic,
            lowersOrderAtEnd: lowersOrderAtEnd || finalSigma == .zero || run.all % solverOrder != 0,
            // The same slip with noise, on twice the difference.
            curvature: isStochastic ? .init(scale: 1, offset: -2) : .exact)
    }

    // MARK: UniPC, DEIS, SA-Solver

    func unifiedSolver(_ run: StepCounts) throws -> UniPCSolver {
        try checkSolverOrder(1...9)
        if finalSigma == .zero {
            guard predictsData else {
                throw DiffusionError("final_sigmas_type 'zero' needs predict_x0: choose 'sigma_min'")
            }
            guard solverVariant != .bh1 else {
                throw DiffusionError(
                    "final_sigmas_type 'zero' does not go with solver_type 'bh1': choose 'bh2'")
            }
            // One step alone is of the first order.
            guard lowersOrderAtEnd || solverOrder == 1 || run.taken <= 1 else {
                throw DiffusionError(
                    "final_sigmas_type 'zero' needs lower_order_final where solver_order is above 1")
            }
        }
        return UniPCSolver(
            order: solverOrder, integrand: integrand, variant: solverVariant == .bh1 ? .bh1 : .bh2,
            lowersOrderAtEnd: lowersOrderAtEnd, uncorrectedSteps: Set(stepsWithoutCorrector))
    }

    func deisSolver(_ run: StepCounts) throws -> DEISSolver {
        try checkSolverOrder()
        guard [.deis, .dpmSolver, .dpmSolverPlusPlus].contains(algorithm) else {
            throw DiffusionError("algorithm_type '\(algorithm.rawValue)' is not known to \(kind.rawValue)")
        }
        return DEISSolver(order: solverOrder, lowersOrderAtEnd: lowersOrderAtEnd && run.all < 15)
    }

    func stochasticAdamsSolver() throws -> StochasticAdamsSolver {
        guard [.dataPrediction, .noisePrediction].contains(algorithm) else {
            throw DiffusionError("algorithm_type '\(algorithm.rawValue)' is not known to \(kind.rawValue)")
        }
        guard !thresholds || integrand == .data else {
            throw DiffusionError("thresholding needs algorithm_type 'data_prediction' in \(kind.rawValue)")
        }
        for (name, order) in [("predictor_order", predictorOrder), ("corrector_order", correctorOrder)]
        where !(1...4).contains(order) {
            throw DiffusionError("\(name) is \(order): \(kind.rawValue) has 1 to 4")
        }
        return StochasticAdamsSolver(
            predictorOrder: predictorOrder, correctorOrder: correctorOrder, integrand: integrand,
            lowersOrderAtEnd: lowersOrderAtEnd
        ) { level in (200...800).contains(level.time ?? 0) ? 1 : 0 }
    }
}
