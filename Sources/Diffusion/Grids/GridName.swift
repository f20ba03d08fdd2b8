import Foundation

/// How the steps of a run are spread, by the name that users type (`--grid`).
public enum GridName: String, Codable, Sendable, CaseIterable {
    case leading, trailing, linspace
    case karras, exponential, polyexponential, beta
    case sgmUniform = "sgm-uniform"
    case alignedSteps = "ays"
    case shifted

    /// `count` σ (for data of α = 1) from the noisiest level to the least noisy one of a schedule.
    /// - Throws: `DiffusionError` where a schedule has no such grid.
    func sigmas(count: Int, of schedule: some NoiseSchedule, from first: Double, to last: Double) throws
        -> [Double]
    {
        guard first.isFinite, last > 0 else {
            throw DiffusionError(
                "the grid '\(rawValue)' needs data at the process's start and noise at its end: choose another"
            )
        }
        switch self {
        case .karras: return karrasSigmas(count: count, from: first, to: last)
        case .exponential: return exponentialSigmas(count: count, from: first, to: last)
        case .polyexponential: return polyexponentialSigmas(count: count, from: first, to: last)
        case .beta: return betaSigmas(count: count, from: first, to: last)
        case .linspace, .sgmUniform:
            return uniformTimeSigmas(
                count: count, from: first, to: last, reachesEnd: self == .linspace,
                time: { schedule.time(logSNR: -2 * log($0)) },
                sigma: { schedule.noiseRatio(at: $0) })
        case .alignedSteps: return AlignedSteps.stableDiffusion.sigmas(count: count)
        case .leading, .trailing, .shifted:
            throw DiffusionError("this process has no grid '\(rawValue)': choose another")
        }
    }
}

extension NoiseSchedule {
    /// σ/α at a time.
    func noiseRatio(at time: Double) -> Double { level(at: time).noiseRatio }
}

extension SchedulerConfiguration {
    /// How a sample of this process is scaled, and so what path the process takes.
    public var path: SampleScaling {
        switch kind {
        case .flowEuler, .flowHeun, .flowLCM: .straight
        case .edmEuler, .edmDPMSolverMultistep, .consistency, .scoreSDEVarianceExploding: .varianceExploding
        case .dpmSolverMultistep, .dpmSolverMultistepInverse, .dpmSolverSinglestep, .uniPC, .deis,
            .stochasticAdams:
            isFlow ? .straight : .variancePreserving
        default: .variancePreserving
        }
    }

    /// The name of the grid that the flags say.
    public var gridName: GridName {
        if takesSigmaFlags {
            if usesKarrasSigmas { return .karras }
            if usesExponentialSigmas || usesLuLambdas { return .exponential }
            if usesBetaSigmas { return .beta }
        }
        switch path {
        case .straight: return .shifted
        case .varianceExploding: return sigmaSpacing == .karras ? .karras : .exponential
        case .variancePreserving, .subVariancePreserving: return GridName(spacing)
        }
    }

    /// The name of the method of this class; `nil` where none, or more than one, stands for it.
    public var solverName: SolverName? {
        let names = SolverName.allCases.filter { named($0)?.kind == kind }
        return names.count == 1 ? names[0] : nil
    }

    /// This configuration as the class of a method (`nil` for its own), with the flags of a grid where the
    /// class has them.
    public func configured(for name: SolverName?, grid: GridName?) -> SchedulerConfiguration {
        // The methods of k-diffusion run on the grid that diffusers' Euler uses.
        let own = name.map { named($0) ?? converted(to: .euler) } ?? self
        return grid.flatMap(own.flagged) ?? own
    }

    /// The sampler of a run by a named method, or by the configuration's own class, on a named grid, or on
    /// its own.
    ///
    /// A grid for which the method's class has a flag is what that flag makes. Any other takes the place of
    /// the class's σ, as diffusers' `set_timesteps(sigmas=…)` does, and ends at the data.
    /// - Throws: `DiffusionError` where method, process and grid do not fit.
    public func sampler(
        _ name: SolverName?, steps: Int, grid: GridName?, options: SamplerOptions = SamplerOptions()
    ) throws -> Sampler {
        guard let grid else { return try sampler(name, steps: steps, options: options) }
        let configuration = configured(for: name, grid: nil)
        if let flagged = configuration.flagged(grid) {
            return try flagged.sampler(name, steps: steps, options: options)
        }
        guard configuration.path == .variancePreserving else {
            throw DiffusionError(
                "the grid '\(grid.rawValue)' does not fit \(configuration.kind.rawValue): choose another")
        }
        var sampler = try configuration.sampler(name, steps: steps, options: options)
        let schedule = configuration.schedule
        let sigmas = try grid.sigmas(
            count: steps, of: schedule, from: schedule.noiseRatio(at: schedule.start),
            to: schedule.noiseRatio(at: 0))
        // The class's own scaling of samples: α = 1 or α² + σ² = 1.
        let isExploding = sampler.grid.steps.first?.from.alpha == 1
        let levels = sigmas.map { sigma in
            let scale = isExploding ? 1 : (1 + sigma * sigma).squareRoot()
            return NoiseLevel(
                time: schedule.time(logSNR: -2 * log(sigma)), alpha: 1 / scale, sigma: sigma / scale)
        }
        let taken = StepGrid(through: levels + [.data], startScale: isExploding ? sigmas[0] : 1)
        // Methods without a class, and those whose class is made for its own grid, are made anew.
        let isTied = configuration.kind == .pndm || configuration.kind == .ipndm
        if let method = name ?? configuration.solverName, isTied || named(method) == nil {
            let made = try method.sampler(on: taken, options)
            (sampler.grid, sampler.solver) = (made.grid, made.solver)
        } else {
            sampler.grid = taken
        }
        return try sampler.checked()
    }

    /// This configuration with the flags that make a grid; `nil` where the class has no such flag.
    private func flagged(_ grid: GridName) -> SchedulerConfiguration? {
        var changed = self
        changed.usesLuLambdas = false
        (changed.usesKarrasSigmas, changed.usesExponentialSigmas) = (grid == .karras, grid == .exponential)
        changed.usesBetaSigmas = grid == .beta
        switch grid {
        case .leading, .trailing, .linspace:
            // These two classes know no other.
            let isOwn = grid == .linspace && (kind == .dpmSolverSinglestep || kind == .ipndm)
            guard takesTimeSpacing || isOwn else { return nil }
            changed.spacing = TimeSpacing(rawValue: grid.rawValue)!
        case .karras, .exponential, .beta:
            if path == .varianceExploding, grid != .beta {
                changed.sigmaSpacing = grid == .karras ? .karras : .exponential
            } else if !takesSigmaFlags {
                return nil
            }
        case .shifted:
            guard path == .straight else { return nil }
        case .polyexponential, .sgmUniform, .alignedSteps: return nil
        }
        return changed
    }

    /// Whether the class reads `timestep_spacing`.
    private var takesTimeSpacing: Bool {
        switch kind {
        case .ddpm, .ddim, .ddimInverse, .pndm, .lcm, .tcd, .euler, .eulerAncestral, .heun, .dpm2,
            .dpm2Ancestral, .lms, .dpmSolverSDE, .dpmSolverMultistep, .dpmSolverMultistepInverse, .uniPC,
            .deis, .stochasticAdams:
            path == .variancePreserving
        case .dpmSolverSinglestep, .unCLIP, .ipndm, .edmEuler, .edmDPMSolverMultistep, .consistency,
            .flowEuler, .flowHeun, .flowLCM, .scoreSDEVarianceExploding:
            false
        }
    }

    /// Whether the class reads `use_karras_sigmas`, `use_exponential_sigmas` and `use_beta_sigmas`.
    private var takesSigmaFlags: Bool {
        switch kind {
        case .euler, .heun, .dpm2, .dpm2Ancestral, .lms, .dpmSolverSDE, .dpmSolverMultistep,
            .dpmSolverMultistepInverse, .dpmSolverSinglestep, .uniPC, .deis, .stochasticAdams, .flowEuler,
            .flowLCM:
            true
        case .ddpm, .ddim, .ddimInverse, .pndm, .lcm, .tcd, .unCLIP, .eulerAncestral, .ipndm, .edmEuler,
            .edmDPMSolverMultistep, .consistency, .flowHeun, .scoreSDEVarianceExploding:
            false
        }
    }
}

extension GridName {
    /// The grid of a `timestep_spacing`.
    init(_ spacing: TimeSpacing) {
        self =
            switch spacing {
            case .leading: .leading
            case .trailing: .trailing
            case .linspace: .linspace
            }
    }
}
