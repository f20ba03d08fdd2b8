/// A discrete process and how to sample it, as diffusers writes it in `scheduler_config.json`.
///
/// A value: it makes a schedule, a grid and a solver and keeps no state of its own.
public struct SchedulerConfiguration: Codable, Sendable, Equatable {
    /// The samplers that a configuration can name.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        case ddpm = "DDPMScheduler"
        case ddim = "DDIMScheduler"
    }

    /// The sampler.
    public var kind: Kind
    /// T, the number of steps of the process.
    public var trainSteps = 1000
    /// β of the first step.
    public var betaStart = 0.0001
    /// β of the last step.
    public var betaEnd = 0.02
    /// The table of β.
    public var betaSchedule = BetaSchedule.linear
    /// β of every step, instead of a named table.
    public var trainedBetas: [Double]?
    /// What the network's output means.
    public var prediction = Prediction.noise
    /// The variance of ancestral sampling.
    public var variance = DDPMSolver.Variance.small
    /// Whether estimated data are cut off at ±`clipRange`.
    public var clipsData = true
    /// Where estimated data are cut off.
    public var clipRange = 1.0
    /// Whether estimated data are cut off dynamically; goes before `clipsData`.
    public var thresholds = false
    /// The quantile of dynamic thresholding.
    public var thresholdQuantile = 0.995
    /// The largest limit of dynamic thresholding.
    public var thresholdMaximum = 1.0
    /// How the times of a grid are chosen.
    public var spacing = TimeSpacing.leading
    /// Added to the times of `leading` spacing.
    public var stepsOffset = 0
    /// Whether DDIM's last step ends at the data itself rather than at time 0.
    public var endsAtData = true
    /// Whether the last time is to carry no signal.
    public var zeroTerminalSNR = false

    /// A configuration with diffusers' defaults.
    public init(_ kind: Kind) {
        self.kind = kind
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case kind = "_class_name"
        case trainSteps = "num_train_timesteps"
        case betaStart = "beta_start"
        case betaEnd = "beta_end"
        case betaSchedule = "beta_schedule"
        case trainedBetas = "trained_betas"
        case prediction = "prediction_type"
        case variance = "variance_type"
        case clipsData = "clip_sample"
        case clipRange = "clip_sample_range"
        case thresholds = "thresholding"
        case thresholdQuantile = "dynamic_thresholding_ratio"
        case thresholdMaximum = "sample_max_value"
        case spacing = "timestep_spacing"
        case stepsOffset = "steps_offset"
        case endsAtData = "set_alpha_to_one"
        case zeroTerminalSNR = "rescale_betas_zero_snr"
    }

    /// The keys of the file form that have a meaning here.
    public static var keys: [String] { CodingKeys.allCases.map(\.rawValue) }

    /// Reads the file form; what it leaves out takes diffusers' default.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(try values.decode(Kind.self, forKey: .kind))
        func read<Value: Decodable>(_ property: inout Value, _ key: CodingKeys) throws {
            if values.contains(key) { property = try values.decode(Value.self, forKey: key) }
        }
        try read(&trainSteps, .trainSteps)
        try read(&betaStart, .betaStart)
        try read(&betaEnd, .betaEnd)
        try read(&betaSchedule, .betaSchedule)
        trainedBetas = try values.decodeIfPresent([Double].self, forKey: .trainedBetas)
        try read(&prediction, .prediction)
        try read(&variance, .variance)
        try read(&clipsData, .clipsData)
        try read(&clipRange, .clipRange)
        try read(&thresholds, .thresholds)
        try read(&thresholdQuantile, .thresholdQuantile)
        try read(&thresholdMaximum, .thresholdMaximum)
        try read(&spacing, .spacing)
        try read(&stepsOffset, .stepsOffset)
        try read(&endsAtData, .endsAtData)
        try read(&zeroTerminalSNR, .zeroTerminalSNR)
        try validate()
    }

    /// Throws what makes this configuration meaningless.
    public func validate() throws {
        guard (1...1_000_000).contains(trainSteps) else {
            throw DiffusionError("num_train_timesteps is \(trainSteps): it must be between 1 and 1000000")
        }
        if let trainedBetas, trainedBetas.count != trainSteps {
            throw DiffusionError(
                "trained_betas has \(trainedBetas.count) entries and num_train_timesteps is \(trainSteps): they must agree"
            )
        }
        let betas = trainedBetas ?? [betaStart, betaEnd]
        guard betas.allSatisfy({ $0 > 0 && $0 < 1 }) else {
            throw DiffusionError("every β (beta_start, beta_end, trained_betas) must lie between 0 and 1")
        }
        guard trainedBetas != nil || betaStart <= betaEnd else {
            throw DiffusionError(
                "beta_end (\(betaEnd)) is less than beta_start (\(betaStart)): exchange them")
        }
        guard clipRange > 0, thresholdMaximum > 0, (0...1).contains(thresholdQuantile) else {
            throw DiffusionError(
                "clip_sample_range and sample_max_value must be positive and dynamic_thresholding_ratio in 0 … 1"
            )
        }
        guard (0..<trainSteps).contains(stepsOffset) else {
            throw DiffusionError(
                "steps_offset is \(stepsOffset): it must be at least 0 and below num_train_timesteps")
        }
    }
}

/// Why a process or a run of it makes no sense.
public struct DiffusionError: Error, Sendable, CustomStringConvertible {
    /// One sentence: what, and what to do.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}

// MARK: - What it makes

extension SchedulerConfiguration {
    /// The process.
    public var schedule: DiscreteSchedule {
        let betas = trainedBetas ?? betaSchedule.betas(count: trainSteps, from: betaStart, to: betaEnd)
        let schedule = DiscreteSchedule(betas: betas)
        return zeroTerminalSNR ? schedule.rescaledToZeroTerminalSNR() : schedule
    }

    /// How estimated data are kept in range, `nil` where they are not.
    public var thresholding: Thresholding? {
        if thresholds { return .dynamic(quantile: thresholdQuantile, maximum: thresholdMaximum) }
        return clipsData ? .fixed(range: clipRange) : nil
    }

    /// The grid of a run of `steps` steps.
    ///
    /// The sampler named decides where each step ends. Ancestral sampling ends it where the next one
    /// begins; diffusers' DDIM always T/n earlier, whatever the spacing.
    /// - Throws: `DiffusionError` where the process has no such times.
    public func grid(steps: Int) throws -> StepGrid {
        guard (1...trainSteps).contains(steps) else {
            throw DiffusionError("--steps is \(steps): this process allows 1 to \(trainSteps)")
        }
        let times = spacing.times(steps: steps, of: trainSteps, offset: stepsOffset)
        guard let first = times.max(), first < trainSteps else {
            throw DiffusionError(
                "with steps_offset \(stepsOffset), \(steps) steps start past the last time of the process: use fewer steps"
            )
        }
        let schedule = self.schedule
        let ends: [Int] =
            switch kind {
            case .ddpm: times.dropFirst() + [-1]
            case .ddim: times.map { $0 - trainSteps / steps }
            }
        return StepGrid(
            steps: zip(times, ends).map { time, end in
                StepGrid.Step(from: startLevel(at: time, schedule), to: endLevel(at: end, schedule))
            })
    }

    /// The level of a time of the grid. Time −1, which `trailing` can give, reads diffusers' table from
    /// its end.
    private func startLevel(at time: Int, _ schedule: DiscreteSchedule) -> NoiseLevel {
        var level = schedule.level(at: time < 0 ? schedule.start : Double(time))
        level.time = Double(time)
        return level
    }

    private func endLevel(at time: Int, _ schedule: DiscreteSchedule) -> NoiseLevel {
        if time >= 0 { return schedule.level(at: Double(time)) }
        if kind == .ddpm || endsAtData { return .data }
        let first = schedule.level(at: 0)
        return NoiseLevel(time: -1, alpha: first.alpha, sigma: first.sigma)
    }
}
