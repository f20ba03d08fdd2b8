import Diffusion

/// A class of diffusers that a configuration can name: a row with its defaults, what of a configuration it reads, and
/// how it makes a sampler.
///
/// A new class is a row of `SchedulerClass.allCases`, and an extension of `SchedulerConfiguration` where its sampler
/// is like no other's.
public struct SchedulerClass: Sendable {
    /// The name in files.
    public let name: String
    /// Writes the defaults in which the class differs from the others.
    let setDefaults: @Sendable (inout SchedulerConfiguration) -> Void
    /// Whether it reads `prediction_type`; networks of the others give one thing only.
    public let readsPrediction: Bool
    /// The options that it reads.
    let reads: Set<SamplerOption>
    /// Whether it reads `timestep_spacing`.
    let takesTimeSpacing: Bool
    /// Whether it reads `use_karras_sigmas`, `use_exponential_sigmas` and `use_beta_sigmas`.
    let takesSigmaFlags: Bool
    /// The scaling of samples, and so the path that the process takes.
    let path: @Sendable (SchedulerConfiguration) -> SampleScaling
    /// What stands between samples and networks; `nil` where that follows from the path and `prediction_type`.
    let parameterization: (@Sendable (SchedulerConfiguration) -> Parameterization)?
    /// What classes in log-SNR follow between levels.
    let integrand: @Sendable (SchedulerConfiguration) -> Integrand
    /// Where the last step of a class in log-SNR ends, where that is not at the data: a σ/α from the last of a named
    /// spacing, `nil` without one, and from the table of the discrete process.
    let leastSigma: @Sendable (SchedulerConfiguration, _ spaced: Double?, _ table: [Double]) -> Double
    /// The sampler of a run.
    let makeSampler: @Sendable (SchedulerConfiguration, Int, SamplerOptions) throws -> Sampler

    private init(
        _ name: String, readsPrediction: Bool = true, reads: Set<SamplerOption> = [],
        takesTimeSpacing: Bool = false, takesSigmaFlags: Bool = false,
        path: @escaping @Sendable (SchedulerConfiguration) -> SampleScaling = { _ in .variancePreserving },
        parameterization: (@Sendable (SchedulerConfiguration) -> Parameterization)? = nil,
        integrand: @escaping @Sendable (SchedulerConfiguration) -> Integrand = { _ in .data },
        leastSigma:
            @escaping @Sendable (SchedulerConfiguration, _ spaced: Double?, _ table: [Double]) -> Double =
            ofTable,
        defaults: @escaping @Sendable (inout SchedulerConfiguration) -> Void = { _ in },
        sampler: @escaping @Sendable (SchedulerConfiguration, Int, SamplerOptions) throws -> Sampler
    ) {
        (self.name, self.readsPrediction, self.reads, self.path) = (name, readsPrediction, reads, path)
        (self.takesTimeSpacing, self.takesSigmaFlags) = (takesTimeSpacing, takesSigmaFlags)
        (self.parameterization, setDefaults, makeSampler) = (parameterization, defaults, sampler)
        (self.integrand, self.leastSigma) = (integrand, leastSigma)
    }

    private static let ofTable: @Sendable (SchedulerConfiguration, Double?, [Double]) -> Double = { $2[0] }
    private static let ofSpacing: @Sendable (SchedulerConfiguration, Double?, [Double]) -> Double = {
        $1 ?? $2[0]
    }
}

extension SchedulerClass: RawRepresentable, CaseIterable, Codable, Hashable {
    /// The name.
    public var rawValue: String { name }

    /// The class of a name, `nil` where it is not known.
    public init?(rawValue name: String) {
        guard let found = SchedulerClass.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    /// Classes are the same where their names are.
    public static func == (left: Self, right: Self) -> Bool { left.name == right.name }

    /// By the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }

    /// Every class.
    public static let allCases: [SchedulerClass] = [
        ddpm, ddim, ddimInverse, pndm, lcm, tcd, unCLIP, euler, eulerAncestral, heun, dpm2, dpm2Ancestral,
        lms,
        dpmSolverSDE, dpmSolverMultistep, dpmSolverMultistepInverse, dpmSolverSinglestep, uniPC, deis,
        stochasticAdams, ipndm, edmEuler, edmDPMSolverMultistep, consistency, flowEuler, flowHeun, flowLCM,
        scoreSDEVarianceExploding,
    ]
}

// MARK: Whole times of a table of β

extension SchedulerClass {
    /// Ancestral sampling.
    public static let ddpm = SchedulerClass(
        "DDPMScheduler", takesTimeSpacing: true,
        defaults: {
            ($0.clipsData, $0.spacing, $0.variance) = (true, .leading, .fixedSmall)
        }, sampler: { configuration, steps, _ in try configuration.ancestralSampler(steps) })
    /// DDIM.
    public static let ddim = SchedulerClass(
        "DDIMScheduler", reads: [.eta], takesTimeSpacing: true,
        defaults: { ($0.clipsData, $0.spacing) = (true, .leading) },
        sampler: { try $0.implicitSampler($1, $2) })
    /// DDIM from data to noise.
    public static let ddimInverse = SchedulerClass(
        "DDIMInverseScheduler", takesTimeSpacing: true,
        defaults: { ($0.clipsData, $0.spacing) = (true, .leading) },
        sampler: { configuration, steps, _ in try configuration.inversionSampler(steps) })
    /// The ancestral sampling of unCLIP.
    public static let unCLIP = SchedulerClass(
        "UnCLIPScheduler",
        defaults: {
            ($0.betaSchedule, $0.variance, $0.clipsData) = (.cosine, .fixedSmallLog, true)
        }, sampler: { configuration, steps, _ in try configuration.unCLIPSampler(steps) })
    /// Pseudo numerical methods.
    public static let pndm = SchedulerClass(
        "PNDMScheduler", takesTimeSpacing: true,
        defaults: { ($0.spacing, $0.endsAtData) = (.leading, false) },
        sampler: { try $0.pseudoNumericalSampler($1, $2) })
    /// Latent consistency models.
    public static let lcm = SchedulerClass(
        "LCMScheduler", takesTimeSpacing: true, defaults: distilledDefaults,
        sampler: { try $0.latentConsistencySampler($1, $2) })
    /// Trajectory consistency models.
    public static let tcd = SchedulerClass(
        "TCDScheduler", reads: [.eta], takesTimeSpacing: true, defaults: distilledDefaults,
        sampler: { try $0.latentConsistencySampler($1, $2) })

    private static let distilledDefaults: @Sendable (inout SchedulerConfiguration) -> Void = {
        ($0.betaStart, $0.betaEnd) = (0.00085, 0.012)
        ($0.betaSchedule, $0.spacing) = (.scaledLinear, .leading)
    }
}

// MARK: σ of a table of β, at times between whole ones too

extension SchedulerClass {
    /// Euler's method.
    public static let euler = sigma("EulerDiscreteScheduler", .euler, reads: .churn.union([.eta]))
    /// Euler's method with fresh noise.
    public static let eulerAncestral = sigma(
        "EulerAncestralDiscreteScheduler", .eulerAncestral, reads: [.eta], takesSigmaFlags: false)
    /// Heun's method.
    public static let heun = sigma("HeunDiscreteScheduler", .heun, reads: .churn, defaults: latentBetas)
    /// The midpoint method.
    public static let dpm2 = sigma("KDPM2DiscreteScheduler", .dpm2, reads: .churn, defaults: latentBetas)
    /// The midpoint method with fresh noise.
    public static let dpm2Ancestral = sigma(
        "KDPM2AncestralDiscreteScheduler", .dpm2Ancestral, reads: [.eta], defaults: latentBetas)
    /// A linear multistep method.
    public static let lms = sigma("LMSDiscreteScheduler", .lms)
    /// DPM-Solver++ for the stochastic equation.
    public static let dpmSolverSDE = sigma(
        "DPMSolverSDEScheduler", .dpmPlusPlusSDE, reads: [.eta], defaults: latentBetas)

    private static func sigma(
        _ name: String, _ method: Method, reads: Set<SamplerOption> = [], takesSigmaFlags: Bool = true,
        defaults: @escaping @Sendable (inout SchedulerConfiguration) -> Void = { _ in }
    ) -> SchedulerClass {
        SchedulerClass(
            name, reads: reads, takesTimeSpacing: true, takesSigmaFlags: takesSigmaFlags, defaults: defaults,
            sampler: { try $0.sigmaSampler(method, $1, $2) })
    }

    private static let latentBetas: @Sendable (inout SchedulerConfiguration) -> Void = {
        ($0.betaStart, $0.betaEnd) = (0.00085, 0.012)
    }
}

// MARK: Log-SNR

extension SchedulerClass {
    /// Multistep DPM-Solver.
    public static let dpmSolverMultistep = logSNR("DPMSolverMultistepScheduler") {
        try $0.multistepSolver(
            $1, among: [.dpmSolver, .dpmSolverPlusPlus, .stochasticDPMSolver, .stochasticDPMSolverPlusPlus])
    }
    /// The same from data to noise.
    public static let dpmSolverMultistepInverse = logSNR(
        "DPMSolverMultistepInverseScheduler", leastSigma: { $1 ?? $0.inversionEnd($2) },
        solver: { try $0.multistepSolver($1, among: [.dpmSolver, .dpmSolverPlusPlus]) })
    /// Singlestep DPM-Solver.
    public static let dpmSolverSinglestep = logSNR(
        "DPMSolverSinglestepScheduler", takesTimeSpacing: false, defaults: { $0.lowersOrderAtEnd = false },
        solver: { try $0.singlestepSolver($1) })
    /// UniPC.
    public static let uniPC = logSNR(
        "UniPCMultistepScheduler", defaults: { $0.solverVariant = .bh2 },
        integrand: { $0.predictsData ? .data : .noise }, leastSigma: ofSpacing,
        solver: { try $0.unifiedSolver($1) })
    /// DEIS.
    public static let deis = logSNR(
        "DEISMultistepScheduler", defaults: { ($0.solverVariant, $0.algorithm) = (.logRho, .deis) },
        integrand: { _ in .noise }, leastSigma: ofSpacing, solver: { try $0.deisSolver($1) })
    /// A stochastic Adams method.
    public static let stochasticAdams = logSNR(
        "SASolverScheduler", defaults: { $0.algorithm = .dataPrediction },
        integrand: { $0.algorithm == .noisePrediction ? .noise : .data }, leastSigma: ofSpacing,
        solver: { configuration, _ in try configuration.stochasticAdamsSolver() })

    private static func logSNR(
        _ name: String, takesTimeSpacing: Bool = true,
        defaults: @escaping @Sendable (inout SchedulerConfiguration) -> Void = { _ in },
        integrand: @escaping @Sendable (SchedulerConfiguration) -> Integrand = ofAlgorithm,
        leastSigma:
            @escaping @Sendable (SchedulerConfiguration, _ spaced: Double?, _ table: [Double]) -> Double =
            ofTable,
        solver: @escaping @Sendable (SchedulerConfiguration, _ run: StepCounts) throws -> any Solver
    ) -> SchedulerClass {
        SchedulerClass(
            name, takesTimeSpacing: takesTimeSpacing, takesSigmaFlags: true,
            path: { $0.isFlow ? .straight : .variancePreserving }, integrand: integrand,
            leastSigma: leastSigma, defaults: defaults,
            sampler: { configuration, steps, options in
                try configuration.logSNRSampler(steps, options) { try solver(configuration, $0) }
            })
    }

    /// What DPM-Solver's algorithms follow.
    private static let ofAlgorithm: @Sendable (SchedulerConfiguration) -> Integrand = {
        [.dpmSolver, .stochasticDPMSolver].contains($0.algorithm) ? .noise : .data
    }
}

// MARK: Processes of their own

extension SchedulerClass {
    /// Improved pseudo numerical methods.
    public static let ipndm = SchedulerClass(
        "IPNDMScheduler", sampler: { configuration, steps, _ in configuration.sineSampler(steps) })
    /// EDM by Euler's method.
    public static let edmEuler = SchedulerClass(
        "EDMEulerScheduler", reads: .churn.union([.eta]), path: { _ in .varianceExploding },
        parameterization: { $0.preconditioned }, defaults: preconditionedDefaults,
        sampler: { try $0.preconditionedSampler($1, $2) })
    /// EDM by multistep DPM-Solver.
    public static let edmDPMSolverMultistep = SchedulerClass(
        "EDMDPMSolverMultistepScheduler", path: { _ in .varianceExploding },
        parameterization: { $0.preconditioned }, integrand: ofAlgorithm, defaults: preconditionedDefaults,
        sampler: { configuration, steps, options in
            try configuration.logSNRSampler(steps, options) {
                try configuration.multistepSolver(
                    $0, among: [.dpmSolverPlusPlus, .stochasticDPMSolverPlusPlus])
            }
        })
    /// Consistency models.
    public static let consistency = SchedulerClass(
        "CMStochasticIterativeScheduler", readsPrediction: false, path: { _ in .varianceExploding },
        parameterization: {
            ConsistencyPreconditioning(sigmaData: $0.sigmaData, sigmaMinimum: $0.sigmaMinimum ?? 0.002)
                .parameterization
        },
        defaults: {
            ($0.trainSteps, $0.sigmaMinimum, $0.sigmaMaximum) = (40, 0.002, 80)
        }, sampler: { configuration, steps, _ in try configuration.consistencySampler(steps) })
    /// The variance-exploding equation by predictor and corrector; its networks take σ and give the score.
    public static let scoreSDEVarianceExploding = SchedulerClass(
        "ScoreSdeVeScheduler", readsPrediction: false, reads: [.signalToNoise, .langevinSteps],
        path: { _ in .varianceExploding },
        parameterization: { _ in
            Parameterization(Prediction.score, scaling: .varianceExploding) { $0.noiseRatio }
        },
        defaults: {
            ($0.trainSteps, $0.sigmaMinimum, $0.sigmaMaximum) = (2000, 0.01, 1348)
        }, sampler: { try $0.scoreSDESampler($1, $2) })
    /// The straight path by Euler's method.
    public static let flowEuler = flow("FlowMatchEulerDiscreteScheduler", takesSigmaFlags: true) {
        configuration, _ in
        configuration.isStochastic ? LCMSolver() as any Solver : DDIMSolver()
    }
    /// The straight path by Heun's method.
    public static let flowHeun = flow("FlowMatchHeunDiscreteScheduler", reads: .churn) { _, options in
        HeunSolver(churn: options.addedNoise)
    }
    /// The straight path by consistency steps.
    public static let flowLCM = flow("FlowMatchLCMScheduler", takesSigmaFlags: true) { _, _ in LCMSolver() }

    private static func flow(
        _ name: String, reads: Set<SamplerOption> = [], takesSigmaFlags: Bool = false,
        solver: @escaping @Sendable (SchedulerConfiguration, SamplerOptions) -> any Solver
    ) -> SchedulerClass {
        SchedulerClass(
            name, reads: reads, takesSigmaFlags: takesSigmaFlags, path: { _ in .straight },
            defaults: { $0.prediction = .flow }, sampler: { try $0.flowSampler(solver($0, $2), $1, $2) })
    }

    private static let preconditionedDefaults: @Sendable (inout SchedulerConfiguration) -> Void = {
        ($0.sigmaMinimum, $0.sigmaMaximum) = (0.002, 80)
    }
}
