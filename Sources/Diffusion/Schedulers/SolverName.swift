/// A method of sampling by the name that users type.
///
/// The catalogue of methods: a new one is a file in `Solvers/`, its test, a case here and its line in
/// `SchedulerConfiguration.named(_:)` or `solver(on:_:)`.
public enum SolverName: String, Codable, Sendable, CaseIterable {
    case ddpm, ddim, plms, euler, heun, dpm2, lms, unipc, deis, ipndm, edm, consistency, lcm, tcd, rk45
    case dpmSingle = "dpm-single"
    case dpmPlusPlusSingle = "dpmpp-single"
    case eulerAncestral = "euler-a"
    case dpm2Ancestral = "dpm2-a"
    case dpmPlusPlus2M = "dpmpp-2m"
    case dpmPlusPlus2SAncestral = "dpmpp-2s-a"
    case dpmPlusPlusSDE = "dpmpp-sde"
    case dpmPlusPlus2MSDE = "dpmpp-2m-sde"
    case dpmPlusPlus3MSDE = "dpmpp-3m-sde"
    case dpmFast = "dpm-fast"
    case dpmAdaptive = "dpm-adaptive"
    case stochasticAdams = "sa-solver"
    case flowEuler = "flow-euler"
    case flowHeun = "flow-heun"
    case eulerMaruyama = "euler-maruyama"
    case predictorCorrector = "predictor-corrector"
    case annealedLangevin = "annealed-langevin"
}

extension SchedulerConfiguration {
    /// The configuration of diffusers' class for a method, `nil` where diffusers has none.
    ///
    /// `--solver` over a configuration of another class means `NewClass.from_config(configuration)`.
    func named(_ name: SolverName) -> SchedulerConfiguration? {
        func become(_ kind: SchedulerKind, _ change: (inout Self) -> Void = { _ in }) -> Self {
            var configuration = converted(to: kind)
            if kind != self.kind { change(&configuration) }
            return configuration
        }
        return switch name {
        case .ddpm: become(.ddpm)
        case .ddim: become(.ddim)
        case .plms: become(.pndm) { $0.skipsRungeKutta = true }
        case .euler: become(.euler)
        case .eulerAncestral: become(.eulerAncestral)
        case .heun: become(.heun)
        case .dpm2: become(.dpm2)
        case .dpm2Ancestral: become(.dpm2Ancestral)
        case .lms: become(.lms)
        case .dpmPlusPlusSDE: become(.dpmSolverSDE)
        case .dpmPlusPlus2M: become(.dpmSolverMultistep) { $0.algorithm = .dpmSolverPlusPlus }
        case .dpmPlusPlus2MSDE:
            become(.dpmSolverMultistep) { $0.algorithm = .stochasticDPMSolverPlusPlus }
        case .dpmSingle:
            become(.dpmSolverSinglestep) {
                $0.algorithm = .dpmSolver
                $0.finalSigma = .sigmaMinimum
            }
        case .dpmPlusPlusSingle: become(.dpmSolverSinglestep) { $0.algorithm = .dpmSolverPlusPlus }
        case .unipc: become(.uniPC)
        case .deis: become(.deis)
        case .stochasticAdams: become(.stochasticAdams)
        case .ipndm: become(.ipndm)
        case .consistency: become(.consistency)
        case .lcm: become(.lcm)
        case .tcd: become(.tcd)
        case .flowEuler: become(.flowEuler)
        case .flowHeun: become(.flowHeun)
        case .edm, .rk45, .dpmPlusPlus2SAncestral, .dpmPlusPlus3MSDE, .dpmFast, .dpmAdaptive, .eulerMaruyama,
            .predictorCorrector, .annealedLangevin:
            nil
        }
    }

    /// The sampler of a run by a named method, or by the configuration's own class.
    /// - Throws: `DiffusionError` where method and process do not fit.
    public func sampler(
        _ name: SolverName?, steps: Int, options: SamplerOptions = SamplerOptions()
    ) throws -> Sampler {
        guard let name else { return try sampler(steps: steps, options: options) }
        if let configuration = named(name) {
            return try configuration.sampler(steps: steps, options: options)
        }
        // The methods of k-diffusion run on the variance-exploding grid that diffusers' Euler uses.
        return try name.sampler(
            on: converted(to: .euler).sampler(steps: steps, options: options).grid, options)
    }
}

extension SolverName {
    /// The method on a grid, or on the one that it wants in place of it.
    /// - Throws: `DiffusionError` where the method has no meaning there.
    public func sampler(on grid: StepGrid, _ options: SamplerOptions = SamplerOptions()) throws -> Sampler {
        Sampler(self.grid(grid), try solver(on: grid, options))
    }

    /// The grid that the method wants in place of one of as many steps.
    public func grid(_ grid: StepGrid) -> StepGrid {
        switch self {
        case .dpmFast: grid.evenInLogSNR(count: grid.steps.count / 3 + 1)
        case .dpmAdaptive: grid.evenInLogSNR(count: 1)
        default: grid
        }
    }

    /// The method on a grid of a process that has no class of diffusers, as k-diffusion and the papers have it.
    /// - Throws: `DiffusionError` where the method has no meaning there.
    public func solver(on grid: StepGrid, _ options: SamplerOptions = SamplerOptions()) throws -> any Solver {
        switch self {
        case .ddim, .flowEuler: return DDIMSolver(eta: options.eta ?? 0)
        // Methods of variance-exploding processes.
        case .euler where options.churn.amount > 0: return EulerSolver(churn: options.churn)
        case .euler: return DDIMSolver(eta: options.eta ?? 0)
        // Euler's step to less noise, and fresh noise on top, is DDIM with η = 1 in any scaling.
        case .eulerAncestral: return DDIMSolver(eta: options.eta ?? 1)
        case .heun, .edm: return HeunSolver(churn: options.churn)
        case .dpm2: return DPM2Solver(churn: options.churn)
        case .dpm2Ancestral: return DPM2Solver(eta: options.eta ?? 1)
        case .lms: return LinearMultistepSolver()
        case .dpmPlusPlus2SAncestral: return DPMPlusPlus2SAncestralSolver(eta: options.eta ?? 1)
        case .dpmPlusPlusSDE: return DPMPlusPlusSDESolver(eta: options.eta ?? 1)
        case .dpmPlusPlus2MSDE: return DPMPlusPlusMultistepSDESolver(.midpoint, eta: options.eta ?? 1)
        case .dpmPlusPlus3MSDE: return DPMPlusPlusMultistepSDESolver(.twoDifferences, eta: options.eta ?? 1)
        case .dpmFast: return DPMFastSolver(replacing: grid, eta: options.eta ?? 0)
        case .dpmAdaptive: return DPMAdaptiveSolver(eta: options.eta ?? 0)
        // A perfect denoiser is asked in place of a consistency function.
        case .consistency:
            return ConsistencySolver(smallest: grid.evenInLogSNR(count: 1).steps.last?.to.noiseRatio ?? 0)
        // Methods in log-SNR.
        case .dpmPlusPlus2M: return DPMSolverMultistep()
        case .dpmSingle: return DPMSolverSinglestep(integrand: .noise)
        case .dpmPlusPlusSingle: return DPMSolverSinglestep()
        case .unipc: return UniPCSolver(lowersOrderAtEnd: true)
        case .deis: return DEISSolver()
        case .stochasticAdams: return StochasticAdamsSolver(share: options.eta ?? 1)
        // Others.
        case .ddpm: return DDPMSolver()
        case .plms: return PLMSSolver(combining: grid.combined)
        case .ipndm: return IPNDMSolver(combining: grid.combined)
        case .flowHeun: return HeunSolver(churn: options.churn)
        case .lcm: return LCMSolver()
        case .tcd: return TCDSolver(eta: options.eta ?? 0.3)
        case .rk45:
            return RungeKutta45Solver(
                relativeTolerance: options.relativeTolerance ?? 1e-6,
                absoluteTolerance: options.absoluteTolerance ?? 1e-6)
        case .eulerMaruyama: return EulerMaruyamaSolver(noiseLevel: options.eta ?? 1)
        case .predictorCorrector:
            return PredictorCorrectorSolver(
                signalToNoise: options.signalToNoise ?? 0.16, correctorSteps: options.langevinSteps ?? 1)
        case .annealedLangevin:
            return AnnealedLangevinSolver(
                stepSize: options.langevinStepSize ?? 0.2, stepsPerLevel: options.langevinSteps ?? 100)
        }
    }
}
