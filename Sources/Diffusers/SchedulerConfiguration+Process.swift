import Diffusion
import Tensors

// A class of diffusers as a process, and a process as a class.

extension SchedulerConfiguration {
    /// The process that networks of this configuration were trained on, sampled as diffusers' class does it.
    public var process: Process {
        Process(schedule: trainedSchedule, parameterization: parameterization, sampling: self)
    }

    /// What stands between samples and networks of this process.
    public var parameterization: Parameterization {
        if let own = kind.parameterization { return own(self) }
        let (scaling, schedule) = (path, trainedSchedule)
        return Parameterization(prediction, scaling: scaling) { level in
            level.time ?? schedule.time(logSNR: level.logSNR)
        }
    }

    /// The schedule whose times are those of the network.
    private var trainedSchedule: any NoiseSchedule {
        switch path {
        case .straight: StretchedSchedule(base: StraightSchedule(), factor: Double(trainSteps))
        case .varianceExploding:
            EDMSchedule(sigmaMinimum: sigmaMinimum ?? 0.002, sigmaMaximum: sigmaMaximum ?? 80, rho: rho)
        case .variancePreserving, .subVariancePreserving: schedule
        }
    }

    /// EDM's preconditioning; with `v_prediction` its output has the other sign.
    var preconditioned: Parameterization {
        let edm = EDMPreconditioning(sigmaData: sigmaData)
        var parameterization = edm.parameterization
        if prediction == .velocity { parameterization.output = NegatedOutput(edm) }
        return parameterization
    }

    /// The configuration as a network of an element type is sampled with it: by diffusers' tables in single precision,
    /// unless it computes in float64.
    public func computed(in elementType: ElementType) -> SchedulerConfiguration {
        var own = self
        own.hasSingleTables = elementType != .float64
        return own
    }

    /// The class of diffusers for a process that networks are trained on; `nil` where diffusers has none.
    /// - Parameter method: how pictures are sampled.
    init?(_ description: ProcessDescription, sampledBy method: Method?) {
        guard description.kind.word == ProcessKind.betas.word,
            let prediction = description.prediction.flatMap(Prediction.init(word:)), prediction != .score,
            let table = description["schedule"].word.flatMap(BetaSchedule.init(rawValue:)),
            let steps = description["train_steps"].number, let first = description["beta_start"].number,
            let last = description["beta_end"].number
        else { return nil }
        self.init(.ddpm)
        (trainSteps, betaStart, betaEnd, betaSchedule) = (Int(steps), first, last, table)
        self.prediction = prediction
        zeroTerminalSNR = description["zero_terminal_snr"].flag ?? false
        // diffusers' DDIM cuts the data off and leaves the noise as it was, and the two then disagree: guided
        // samples fall apart. Ancestral steps read the data alone and gain from it.
        clipsData = method == .ddpm
        // A process without signal at its end must be sampled from that end.
        if zeroTerminalSNR { spacing = .trailing }
    }
}

extension Process {
    /// The process as a network of an element type is sampled on it.
    public func computed(in elementType: ElementType) -> Process {
        guard case .scheduler(let configuration)? = stored else { return self }
        return configuration.computed(in: elementType).process
    }
}

extension SchedulerConfiguration: SamplerSource {
    /// The class.
    public var name: String { kind.name }

    /// The words for a run.
    public func words(for method: Method?, grid: Grid?) -> SamplingWords {
        let used = configured(for: method, grid: grid)
        return SamplingWords(
            process: used.kind.name, method: (method ?? used.solverName)?.name,
            grid: (grid ?? used.gridName).name)
    }

    /// A thousand of ancestral sampling, one of consistency models and 50 of others, and no more than the process has.
    public func usualSteps(_ method: Method?) -> Int {
        let used = configured(for: method, grid: nil).kind
        return min(used == .ddpm ? 1000 : used == .consistency ? 1 : 50, trainSteps)
    }
}

/// A schedule whose times are multiplied.
private struct StretchedSchedule<Base: ContinuousSchedule>: ContinuousSchedule {
    let base: Base
    let factor: Double

    var start: Double { base.start * factor }

    func level(at time: Double) -> NoiseLevel {
        var level = base.level(at: time / factor)
        level.time = time
        return level
    }

    func rates(at time: Double) -> (alpha: Double, sigma: Double) {
        let rates = base.rates(at: time / factor)
        return (rates.alpha / factor, rates.sigma / factor)
    }

    func time(logSNR: Double) -> Double { base.time(logSNR: logSNR) * factor }
}
