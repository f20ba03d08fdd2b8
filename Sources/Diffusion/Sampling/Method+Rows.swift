extension Method {
    /// Every method.
    public static let allCases: [Method] = [
        ddpm, ddim, plms, euler, heun, dpm2, lms, unipc, deis, ipndm, edm, consistency, lcm, tcd, rk45,
        dpmSingle, dpmPlusPlusSingle, eulerAncestral, dpm2Ancestral, dpmPlusPlus2M, dpmPlusPlus2SAncestral,
        dpmPlusPlusSDE, dpmPlusPlus2MSDE, dpmPlusPlus3MSDE, dpmFast, dpmAdaptive, stochasticAdams, flowEuler,
        flowHeun, eulerMaruyama, predictorCorrector, annealedLangevin, resMultistep,
        binomial,
    ]

    // MARK: On any path, one call of the network a step

    /// Ancestral sampling.
    public static let ddpm = Method("ddpm", .stochastic) { _, _ in DDPMSolver() }
    /// DDIM, Euler's step of the flow in σ/α. Song et al. 2021 (arXiv:2010.02502), section 4.3.
    public static let ddim = Method("ddim", .order(1), reads: [.eta]) { _, options in
        DDIMSolver(eta: options.eta ?? 0)
    }
    /// Euler's step, after noise is put back where there is churn.
    public static let euler = Method("euler", .order(1), reads: .churn.union([.eta])) { _, options in
        guard options.addedNoise.amount > 0 else { return DDIMSolver(eta: options.eta ?? 0) }
        guard options.eta == nil else {
            throw DiffusionError("eta and churn both add noise to steps of 'euler': leave one of them out")
        }
        return EulerSolver(churn: options.addedNoise)
    }
    /// Euler's step to less noise, and fresh noise on top, which is DDIM with η = 1 in any scaling.
    public static let eulerAncestral = Method("euler-a", .stochastic, reads: [.eta]) { _, options in
        DDIMSolver(eta: options.eta ?? 1)
    }
    /// Euler's step of a straight path.
    public static let flowEuler = Method("flow-euler", .order(1), reads: [.eta]) { _, options in
        DDIMSolver(eta: options.eta ?? 0)
    }

    // MARK: Two calls a step and more

    /// Karras et al. 2022 (arXiv:2206.00364), algorithms 1 and 2.
    public static let heun = trapezoid("heun")
    /// The same, under the paper's own name.
    public static let edm = trapezoid("edm")
    /// The same, on a straight path.
    public static let flowHeun = trapezoid("flow-heun")
    /// The midpoint method in ln σ.
    public static let dpm2 = Method("dpm2", .order(2), reads: .churn) { _, options in
        DPM2Solver(churn: options.addedNoise)
    }
    /// The same, to less noise, with fresh noise on top.
    public static let dpm2Ancestral = Method("dpm2-a", .stochastic, reads: [.eta]) { _, options in
        DPM2Solver(eta: options.eta ?? 1)
    }
    /// DPM-Solver++(2S) with fresh noise.
    public static let dpmPlusPlus2SAncestral = Method("dpmpp-2s-a", .stochastic, reads: [.eta]) {
        _, options in
        DPMPlusPlus2SAncestralSolver(eta: options.eta ?? 1)
    }
    /// DPM-Solver++ for the stochastic equation, two calls a step.
    public static let dpmPlusPlusSDE = Method("dpmpp-sde", .stochastic, reads: [.eta]) { _, options in
        DPMPlusPlusSDESolver(eta: options.eta ?? 1)
    }
    /// DPM-Solver of orders 1 to 3 with a given number of calls.
    public static let dpmFast = Method(
        "dpm-fast", .order(2), reads: [.eta], regrid: { $0.evenInLogSNR(count: $0.steps.count / 3 + 1) },
        make: { grid, options in DPMFastSolver(replacing: grid, eta: options.eta ?? 0) })
    /// DPM-Solver with steps as long as a tolerance allows.
    public static let dpmAdaptive = Method(
        "dpm-adaptive", .adaptive, reads: [.eta], regrid: { $0.evenInLogSNR(count: 1) },
        make: { _, options in DPMAdaptiveSolver(eta: options.eta ?? 0) })
    /// Dormand and Prince's method on the flow.
    public static let rk45 = Method("rk45", .adaptive, reads: [.relativeTolerance, .absoluteTolerance]) {
        _, options in
        RungeKutta45Solver(
            relativeTolerance: options.relativeTolerance ?? 1e-6,
            absoluteTolerance: options.absoluteTolerance ?? 1e-6)
    }

    private static func trapezoid(_ name: String) -> Method {
        Method(name, .order(2), reads: .churn) { _, options in HeunSolver(churn: options.addedNoise) }
    }

    // MARK: Multistep: the first step is of first order, with a local error of h²

    /// Adams and Bashforth's method in σ.
    public static let lms = Method("lms", .order(2)) { _, _ in LinearMultistepSolver() }
    /// Pseudo linear multistep on noise or data.
    public static let plms = Method("plms", .order(2)) { grid, _ in PLMSSolver(combining: grid.combined) }
    /// Improved pseudo linear multistep.
    public static let ipndm = Method("ipndm", .order(2)) { grid, _ in IPNDMSolver(combining: grid.combined) }
    /// DPM-Solver++(2M).
    public static let dpmPlusPlus2M = Method("dpmpp-2m", .order(2)) { _, _ in DPMSolverMultistep() }
    /// The same for the stochastic equation.
    public static let dpmPlusPlus2MSDE = Method("dpmpp-2m-sde", .stochastic, reads: [.eta]) { _, options in
        DPMPlusPlusMultistepSDESolver(.midpoint, eta: options.eta ?? 1)
    }
    /// The same with two differences.
    public static let dpmPlusPlus3MSDE = Method("dpmpp-3m-sde", .stochastic, reads: [.eta]) { _, options in
        DPMPlusPlusMultistepSDESolver(.twoDifferences, eta: options.eta ?? 1)
    }
    /// UniPC.
    public static let unipc = Method("unipc", .order(2)) { _, _ in UniPCSolver(lowersOrderAtEnd: true) }
    /// DEIS.
    public static let deis = Method("deis", .order(2)) { _, _ in DEISSolver() }
    /// The refined exponential solver.
    public static let resMultistep = Method("res-2m", .order(2)) { _, _ in RESMultistepSolver() }
    /// A stochastic Adams method, whose η is its share of noise.
    public static let stochasticAdams = Method("sa-solver", .stochastic, reads: [.eta]) { _, options in
        StochasticAdamsSolver(share: options.eta ?? 1)
    }

    // MARK: Singlestep DPM-Solver. Lu et al. 2022 (arXiv:2206.00927), theorem 3.2

    /// On noise.
    public static let dpmSingle = Method("dpm-single", .order(2)) { _, _ in
        DPMSolverSinglestep(integrand: .noise)
    }
    /// On data.
    public static let dpmPlusPlusSingle = Method("dpmpp-single", .order(2)) { _, _ in DPMSolverSinglestep() }

    // MARK: Stochastic equations

    /// Euler and Maruyama's method; η is the share of noise λ.
    public static let eulerMaruyama = Method("euler-maruyama", .stochastic, reads: [.eta]) { _, options in
        EulerMaruyamaSolver(noiseLevel: options.eta ?? 1)
    }
    /// Langevin steps, and a step of reverse diffusion.
    public static let predictorCorrector = Method(
        "predictor-corrector", .stochastic, reads: [.signalToNoise, .langevinSteps]
    ) { _, options in
        PredictorCorrectorSolver(
            signalToNoise: options.signalToNoise ?? 0.16, correctorSteps: options.langevinSteps ?? 1)
    }
    /// Langevin steps alone.
    public static let annealedLangevin = Method(
        "annealed-langevin", .stochastic, reads: [.langevinSteps, .langevinStepSize]
    ) { _, options in
        guard options.langevinSteps != 0 else {
            throw DiffusionError(
                field: SamplerOption.langevinSteps.rawValue,
                "is 0, and annealed-langevin has no other steps: give 1 or more")
        }
        return AnnealedLangevinSolver(
            stepSize: options.langevinStepSize ?? 0.2, stepsPerLevel: options.langevinSteps ?? 100)
    }

    // MARK: Distilled networks

    /// Multistep consistency sampling; a perfect denoiser takes the place of a consistency function.
    public static let consistency = Method("consistency", .none) { grid, _ in
        ConsistencySolver(smallest: grid.evenInLogSNR(count: 1).steps.last?.to.noiseRatio ?? 0)
    }
    /// Latent consistency models.
    public static let lcm = Method("lcm", .none) { _, _ in LCMSolver() }
    /// Trajectory consistency; η is γ, how far back noise is put.
    public static let tcd = Method("tcd", .none, reads: [.eta]) { _, options in
        TCDSolver(eta: options.eta ?? 0.3)
    }

    // MARK: Bits

    /// The reverse process of bits ±1.
    public static let binomial = Method("binomial", .none, isOfBits: true) { _, _ in BinomialSolver() }
}
