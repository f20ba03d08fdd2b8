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
    /// The sampler of a run.
    let makeSampler: @Sendable (SchedulerConfiguration, Int, SamplerOptions) throws -> Sampler

    private init(
        _ name: String, readsPrediction: Bool = true, reads: Set<SamplerOption> = [],
        takesTimeSpacing: Bool = false, takesSigmaFlags: Bool = false,
        path: @escaping @Sendable (SchedulerConfiguration) -> SampleScaling = { _ in .variancePreserving },
        parameterization: (@Sendable (SchedulerConfiguration) -> Parameterization)? = nil,
        defaults: @escaping @Sendable (inout SchedulerConfiguration) -> Void = { _ in },
        sampler: @escaping @Sendable (SchedulerConfiguration, Int, SamplerOptions) throws -> Sampler
    ) {
        (self.name, self.readsPrediction, self.reads, self.path) = (name, readsPrediction, reads, path)
        (self.takesTimeSpacing, self.takesSigmaFlags) = (takesTimeSpacing, takesSigmaFlags)
        (self.parameterization, setDefaults, makeSampler) = (parameterization, defaults, sampler)
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
        }, sampler: { try $0.ancestralSampler($1, $2) })
    /// DDIM.
    public static let ddim = SchedulerClass(
        "DDIMScheduler", reads: [.eta], takesTimeSpacing: true,
        defaults: { ($0.clipsData, $0.spacing) = (true, .leading) },
        sampler: { try $0.ancestralSampler($1, $2) })
    /// DDIM from data to noise.
    public static let ddimInverse = SchedulerClass(
        "DDIMInverseScheduler", takesTimeSpacing: true,
        defaults: { ($0.clipsData, $0.spacing) = (true, .leading) },
        sampler: { try $0.ancestralSampler($1, $2) })
    /// The ancestral sampling of unCLIP.
    public static let unCLIP = SchedulerClass(
        "UnCLIPScheduler",
        defaults: {
            ($0.betaSchedule, $0.variance, $0.clipsData) = (.cosine, .fixedSmallLog, true)
        }, sampler: { try $0.ancestralSampler($1, $2) })
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
    public static let euler = sigma("EulerDiscreteScheduler", reads: [.eta, .churn])
    /// Euler's method with fresh noise.
    public static let eulerAncestral = sigma(
        "EulerAncestralDiscreteScheduler", reads: [.eta], takesSigmaFlags: false)
    /// Heun's method.
    public static let heun = sigma("HeunDiscreteScheduler", reads: [.churn], defaults: latentBetas)
    /// The midpoint method.
    public static let dpm2 = sigma("KDPM2DiscreteScheduler", reads: [.churn], defaults: latentBetas)
    /// The midpoint method with fresh noise.
    public static let dpm2Ancestral = sigma(
        "KDPM2AncestralDiscreteScheduler", reads: [.eta], defaults: latentBetas)
    /// A linear multistep method.
    public static let lms = sigma("LMSDiscreteScheduler")
    /// DPM-Solver++ for the stochastic equation.
    public static let dpmSolverSDE = sigma("DPMSolverSDEScheduler", reads: [.eta], defaults: latentBetas)

    private static func sigma(
        _ name: String, reads: Set<SamplerOption> = [], takesSigmaFlags: Bool = true,
        defaults: @escaping @Sendable (inout SchedulerConfiguration) -> Void = { _ in }
    ) -> SchedulerClass {
        SchedulerClass(
            name, reads: reads, takesTimeSpacing: true, takesSigmaFlags: takesSigmaFlags, defaults: defaults,
            sampler: { try $0.sigmaSampler($1, $2) })
    }

    private static let latentBetas: @Sendable (inout SchedulerConfiguration) -> Void = {
        ($0.betaStart, $0.betaEnd) = (0.00085, 0.012)
    }
}

// MARK: Log-SNR

extension SchedulerClass {
    /// Multistep DPM-Solver.
    public static let dpmSolverMultistep = logSNR("DPMSolverMultistepScheduler")
    /// The same from data to noise.
    public static let dpmSolverMultistepInverse = logSNR("DPMSolverMultistepInverseScheduler")
    /// Singlestep DPM-Solver.
    public static let dpmSolverSinglestep = logSNR(
        "DPMSolverSinglestepScheduler", takesTimeSpacing: false, defaults: { $0.lowersOrderAtEnd = false })
    /// UniPC.
    public static let uniPC = logSNR("UniPCMultistepScheduler", defaults: { $0.solverVariant = .bh2 })
    /// DEIS.
    public static let deis = logSNR(
        "DEISMultistepScheduler", defaults: { ($0.solverVariant, $0.algorithm) = (.logRho, .deis) })
    /// A stochastic Adams method.
    public static let stochasticAdams = logSNR(
        "SASolverScheduler", defaults: { $0.algorithm = .dataPrediction })

    private static func logSNR(
        _ name: String, takesTimeSpacing: Bool = true,
        defaults: @escaping @Sendable (inout SchedulerConfiguration) -> Void = { _ in }
    ) -> SchedulerClass {
        SchedulerClass(
            name, takesTimeSpacing: takesTimeSpacing, takesSigmaFlags: true,
            path: { $0.isFlow ? .straight : .variancePreserving }, defaults: defaults,
            sampler: { try $0.logSNRSampler($1, $2) })
    }
}

// MARK: Processes of their own

extension SchedulerClass {
    /// Improved pseudo numerical methods.
    public static let ipndm = SchedulerClass(
        "IPNDMScheduler", sampler: { configuration, steps, _ in configuration.sineSampler(steps) })
    /// EDM by Euler's method.
    public static let edmEuler = SchedulerClass(
        "EDMEulerScheduler", reads: [.eta, .churn], path: { _ in .varianceExploding },
        parameterization: { $0.preconditioned }, defaults: preconditionedDefaults,
        sampler: { try $0.preconditionedSampler($1, $2) })
    /// EDM by multistep DPM-Solver.
    public static let edmDPMSolverMultistep = SchedulerClass(
        "EDMDPMSolverMultistepScheduler", path: { _ in .varianceExploding },
        parameterization: { $0.preconditioned }, defaults: preconditionedDefaults,
        sampler: { try $0.logSNRSampler($1, $2) })
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
    public static let flowEuler = flow("FlowMatchEulerDiscreteScheduler", takesSigmaFlags: true)
    /// The straight path by Heun's method.
    public static let flowHeun = flow("FlowMatchHeunDiscreteScheduler", reads: [.churn])
    /// The straight path by consistency steps.
    public static let flowLCM = flow("FlowMatchLCMScheduler", takesSigmaFlags: true)

    private static func flow(
        _ name: String, reads: Set<SamplerOption> = [], takesSigmaFlags: Bool = false
    ) -> SchedulerClass {
        SchedulerClass(
            name, reads: reads, takesSigmaFlags: takesSigmaFlags, path: { _ in .straight },
            defaults: { $0.prediction = .flow }, sampler: { try $0.flowSampler($1, $2) })
    }

    private static let preconditionedDefaults: @Sendable (inout SchedulerConfiguration) -> Void = {
        ($0.sigmaMinimum, $0.sigmaMaximum) = (0.002, 80)
    }
}
