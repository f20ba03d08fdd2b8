/// The classes of diffusers that a configuration can name.
public enum SchedulerKind: String, Codable, Sendable, CaseIterable {
    case ddpm = "DDPMScheduler"
    case ddim = "DDIMScheduler"
    case ddimInverse = "DDIMInverseScheduler"
    case pndm = "PNDMScheduler"
    case lcm = "LCMScheduler"
    case tcd = "TCDScheduler"
    case unCLIP = "UnCLIPScheduler"
    case euler = "EulerDiscreteScheduler"
    case eulerAncestral = "EulerAncestralDiscreteScheduler"
    case heun = "HeunDiscreteScheduler"
    case dpm2 = "KDPM2DiscreteScheduler"
    case dpm2Ancestral = "KDPM2AncestralDiscreteScheduler"
    case lms = "LMSDiscreteScheduler"
    case dpmSolverSDE = "DPMSolverSDEScheduler"
    case dpmSolverMultistep = "DPMSolverMultistepScheduler"
    case dpmSolverMultistepInverse = "DPMSolverMultistepInverseScheduler"
    case dpmSolverSinglestep = "DPMSolverSinglestepScheduler"
    case uniPC = "UniPCMultistepScheduler"
    case deis = "DEISMultistepScheduler"
    case stochasticAdams = "SASolverScheduler"
    case ipndm = "IPNDMScheduler"
    case edmEuler = "EDMEulerScheduler"
    case edmDPMSolverMultistep = "EDMDPMSolverMultistepScheduler"
    case consistency = "CMStochasticIterativeScheduler"
    case flowEuler = "FlowMatchEulerDiscreteScheduler"
    case flowHeun = "FlowMatchHeunDiscreteScheduler"
    case flowLCM = "FlowMatchLCMScheduler"
    case scoreSDEVarianceExploding = "ScoreSdeVeScheduler"

    /// Writes the defaults in which this class differs from the others.
    func setDefaults(_ configuration: inout SchedulerConfiguration) {
        switch self {
        case .ddpm, .ddim, .ddimInverse:
            configuration.clipsData = true
            configuration.spacing = .leading
            if self == .ddpm { configuration.variance = .fixedSmall }
        case .pndm:
            configuration.spacing = .leading
            configuration.endsAtData = false
        case .lcm, .tcd:
            (configuration.betaStart, configuration.betaEnd) = (0.00085, 0.012)
            configuration.betaSchedule = .scaledLinear
            configuration.spacing = .leading
        case .unCLIP:
            configuration.betaSchedule = .cosine
            configuration.variance = .fixedSmallLog
            configuration.clipsData = true
        case .heun, .dpm2, .dpm2Ancestral, .dpmSolverSDE:
            (configuration.betaStart, configuration.betaEnd) = (0.00085, 0.012)
        case .dpmSolverSinglestep: configuration.lowersOrderAtEnd = false
        case .uniPC: configuration.solverVariant = .bh2
        case .deis:
            configuration.solverVariant = .logRho
            configuration.algorithm = .deis
        case .stochasticAdams: configuration.algorithm = .dataPrediction
        case .edmEuler, .edmDPMSolverMultistep:
            (configuration.sigmaMinimum, configuration.sigmaMaximum) = (0.002, 80)
        case .consistency:
            configuration.trainSteps = 40
            (configuration.sigmaMinimum, configuration.sigmaMaximum) = (0.002, 80)
        case .scoreSDEVarianceExploding:
            configuration.trainSteps = 2000
            (configuration.sigmaMinimum, configuration.sigmaMaximum) = (0.01, 1348)
        case .flowEuler, .flowHeun, .flowLCM: configuration.prediction = .flow
        case .euler, .eulerAncestral, .lms, .dpmSolverMultistep, .dpmSolverMultistepInverse, .ipndm: break
        }
    }
}
