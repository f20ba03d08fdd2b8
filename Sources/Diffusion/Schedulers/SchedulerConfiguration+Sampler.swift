import Storage
import Tensors

/// A process cut into steps, and the method that takes them: all that a run needs beside a denoiser.
public struct Sampler: Sendable {
    /// Where the method stops.
    public var grid: StepGrid
    /// The method.
    public var solver: any Solver
    /// How estimated data are kept in range, `nil` where they are not.
    public var thresholding: Thresholding?
    /// Whether the estimated noise follows the data that were kept in range.
    public var recomputesNoise: Bool

    /// A sampler.
    public init(
        _ grid: StepGrid, _ solver: any Solver, thresholding: Thresholding? = nil,
        recomputesNoise: Bool = false
    ) {
        self.grid = grid
        self.solver = solver
        self.thresholding = thresholding
        self.recomputesNoise = recomputesNoise
    }

    /// Checks that the network says something of data and noise wherever it is asked.
    ///
    /// Where no signal is left, a predicted noise makes the data infinite. Where they are cut off at ± a range
    /// their sign is left, which is what diffusers samples, too; but the noise that an exact model predicts there is
    /// the sample itself, and its data are 0/0.
    /// - Throws: `DiffusionError` that names the time.
    public func check(_ prediction: Prediction, isExact: Bool = false) throws {
        guard let step = grid.steps.first(where: { !prediction.isDefined(at: $0.from) }) else { return }
        if case .fixed? = thresholding, prediction == .noise, !isExact { return }
        let lost = step.from.alpha == 0 ? "the data where no signal is left" : "the noise where there is none"
        let time = step.from.time ?? 0
        throw DiffusionError(
            "predicted \(prediction.word) says nothing of \(lost), at time \(Int(exactly: time).map(String.init) ?? "\(time)"): use a model that predicts v, or another grid"
        )
    }

    /// This sampler, where every level that it passes is finite.
    /// - Throws: `DiffusionError` that names the first step where it is not.
    func checked() throws -> Sampler {
        try grid.checkFinite()
        return self
    }

    /// Checks that the method has the η that is asked for.
    /// - Throws: `DiffusionError` where it has none, or one that cannot be set.
    public func check(eta: Double?) throws {
        guard let eta, solver.noiseShare != eta else { return }
        throw DiffusionError(
            "--eta is \(eta), and this method does not read it: leave it out, or use a --solver that does, such as ddim"
        )
    }

    /// A denoiser with the data kept in range as this sampler wants them.
    public func ranged(_ denoiser: Denoiser) -> Denoiser {
        guard let thresholding else { return denoiser }
        return denoiser.thresholded(thresholding, recomputingNoise: recomputesNoise)
    }

    /// The run from unit noise `[batch, …]`.
    public func sampling(_ noise: Tensor, denoiser: Denoiser, source: NoiseSource) -> AnySequence<
        SamplingProgress
    > {
        solver.sampling(scaled(noise), through: grid, denoiser: ranged(denoiser), noise: source)
    }

    /// Unit noise as the sample that the grid starts with.
    public func scaled(_ noise: Tensor) -> Tensor {
        grid.startScale == 1 ? noise : noise * grid.startScale
    }
}

/// What a person may set of a method beside its name and number of steps.
public struct SamplerOptions: Sendable, Equatable {
    /// DDIM's η, and that of ancestral and consistency methods where it is given.
    public var eta: Double?
    /// The noise put back before each step of `euler`, `heun`, `dpm2` and `edm`.
    public var churn = Churn()
    /// μ of a shift that depends on the picture's size.
    public var shiftExponent: Double?
    /// r, the signal-to-noise ratio of Langevin steps.
    public var signalToNoise: Double?
    /// Langevin steps a level.
    public var langevinSteps: Int?
    /// ε/σ_L², the size of annealed Langevin steps.
    public var langevinStepSize: Double?
    /// The relative error that an adaptive method may make.
    public var relativeTolerance: Double?
    /// The absolute error that an adaptive method may make.
    public var absoluteTolerance: Double?
    /// How many of the first steps are left out, for a start in the middle.
    public var skippedSteps = 0

    /// Everything left to the method.
    public init() {}
}

extension SchedulerConfiguration {
    /// The sampler of a run of `steps` steps, as diffusers' class of that name makes it.
    /// - Throws: `DiffusionError` where the process has no such steps, or a combination of flags has no meaning.
    public func sampler(steps: Int, options: SamplerOptions = SamplerOptions()) throws -> Sampler {
        guard steps >= 1 else { throw DiffusionError("--steps is \(steps): give at least 1") }
        // PNDM starts anew wherever it starts.
        if kind == .pndm { return try pseudoNumericalSampler(steps, options).checked() }
        var sampler = try wholeSampler(steps, options)
        sampler.grid = sampler.grid.dropping(first: options.skippedSteps)
        return try sampler.checked()
    }

    private func wholeSampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        switch kind {
        case .ddpm, .ddim, .ddimInverse, .unCLIP: return try ancestralSampler(steps, options)
        case .pndm: return try pseudoNumericalSampler(steps, options)
        case .lcm, .tcd: return try latentConsistencySampler(steps, options)
        case .euler, .eulerAncestral, .heun, .dpm2, .dpm2Ancestral, .lms, .dpmSolverSDE:
            return try sigmaSampler(steps, options)
        case .edmEuler, .consistency: return try explodingSampler(steps, options)
        case .scoreSDEVarianceExploding: return try scoreSDESampler(steps)
        case .dpmSolverMultistep, .dpmSolverMultistepInverse, .dpmSolverSinglestep, .uniPC, .deis,
            .stochasticAdams, .edmDPMSolverMultistep:
            return try logSNRSampler(steps, options)
        case .ipndm: return improvedPseudoNumericalSampler(steps)
        case .flowEuler, .flowHeun, .flowLCM: return try flowSampler(steps, options)
        }
    }

    /// How estimated data are kept in range by classes that know both ways, `nil` where they are not.
    public var thresholding: Thresholding? {
        if thresholds { return .dynamic(quantile: thresholdQuantile, maximum: thresholdMaximum) }
        return clipsData ? .fixed(range: clipRange) : nil
    }

    /// The discrete process.
    public var schedule: DiscreteSchedule {
        let betas = trainedBetas ?? betaSchedule.betas(count: trainSteps, from: betaStart, to: betaEnd)
        let single = trainedBetas.map { Tensor($0).to(.float32) }
        let schedule =
            hasSingleTables
            ? DiscreteSchedule(
                single: single
                    ?? betaSchedule.singleBetas(count: trainSteps, from: betaStart, to: betaEnd))
            : DiscreteSchedule(betas: betas)
        return zeroTerminalSNR ? schedule.rescaledToZeroTerminalSNR() : schedule
    }

    /// Throws where a discrete process has fewer times than steps are asked for.
    func checkSteps(_ steps: Int) throws {
        guard steps <= trainSteps else {
            throw DiffusionError("--steps is \(steps): this process allows 1 to \(trainSteps)")
        }
    }
}
