import Diffusion

// DDPM, DDIM and its inversion, unCLIP: whole times of a discrete process, variance-preserving.

extension SchedulerConfiguration {
    /// The sampler of `DDPMScheduler`.
    func ancestralSampler(_ steps: Int) throws -> Sampler {
        // diffusers takes the root of ln β for fixed_large_log, which is NaN.
        let variance = try variance(
            among: .fixedSmall, .fixedSmallLog, .fixedLarge, .learned, .learnedRange)
        return Sampler(
            try grid(steps: steps), DDPMSolver(variance: variance), thresholding: thresholding)
    }

    /// The sampler of `DDIMScheduler`.
    func implicitSampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        Sampler(
            try grid(steps: steps), DDIMSolver(eta: try share(options.eta, or: 0)),
            thresholding: thresholding)
    }

    /// The sampler of `DDIMInverseScheduler`.
    func inversionSampler(_ steps: Int) throws -> Sampler {
        Sampler(try grid(steps: steps), DDIMSolver(), thresholding: clipping)
    }

    /// The sampler of `UnCLIPScheduler`.
    func unCLIPSampler(_ steps: Int) throws -> Sampler {
        let grid = try grid(steps: steps)
        try requirePrediction(.noise, .data)
        guard betaSchedule == .cosine else {
            throw DiffusionError(
                "UnCLIPScheduler does not know beta_schedule '\(betaSchedule.rawValue)': it takes 'squaredcos_cap_v2'"
            )
        }
        return Sampler(
            grid, DDPMSolver(variance: try variance(among: .fixedSmallLog, .learnedRange)),
            thresholding: clipping)
    }

    /// The grid of a run of `steps` steps of DDPM, DDIM, its inversion or unCLIP.
    ///
    /// The class decides where each step ends. Ancestral sampling ends it where the next one begins;
    /// diffusers' DDIM always T/n earlier, whatever the spacing.
    /// - Throws: `DiffusionError` where the process has no such times.
    public func grid(steps: Int) throws -> StepGrid {
        try checkSteps(steps)
        let times = try kind == .unCLIP ? evenTimes(steps) : wholeTimes(steps)
        let schedule = kind == .unCLIP ? unCLIPSchedule : self.schedule
        if kind == .ddimInverse { return try climbingGrid(times, stride: trainSteps / steps, schedule) }
        let ends = kind == .ddim ? times.map { $0 - trainSteps / steps } : times.dropFirst() + [-1]
        return StepGrid(
            steps: zip(times, ends).map { time, end in
                StepGrid.Step(from: startLevel(at: time, schedule), to: endLevel(at: end, schedule))
            })
    }

    /// diffusers' inversion calls the network at the time that it climbs to, of a sample T/n before it.
    private func climbingGrid(_ times: [Int], stride: Int, _ schedule: DiscreteSchedule) throws -> StepGrid {
        guard spacing != .linspace else {
            throw DiffusionError(
                "timestep_spacing 'linspace' has no inversion: use 'leading' or 'trailing'")
        }
        return StepGrid(
            steps: times.reversed().map { time in
                let to = startLevel(at: time, schedule)
                var from = endLevel(at: min(time - stride, trainSteps - 1), schedule)
                from.time = to.time
                return StepGrid.Step(from: from, to: to)
            })
    }

    /// The times of unCLIP: evenly from T−1 to 0, both included.
    private func evenTimes(_ steps: Int) throws -> [Int] {
        guard steps > 1 else {
            throw DiffusionError("UnCLIPScheduler cannot take 1 step: its grid needs at least 2")
        }
        let stride = Double(trainSteps - 1) / Double(steps - 1)
        return (0..<steps).reversed().map { Int((Double($0) * stride).rounded(.toNearestOrEven)) }
    }

    private func variance(among known: ReverseVariance...) throws -> ReverseVariance {
        let chosen = variance ?? (kind == .unCLIP ? .fixedSmallLog : .fixedSmall)
        guard known.contains(chosen) else {
            let names = known.map(\.rawValue).joined(separator: ", ")
            throw DiffusionError(
                "variance_type '\(chosen.rawValue)' gives \(kind.rawValue) no finite step: use one of \(names)"
            )
        }
        return chosen
    }

    /// How estimated data are kept in range by classes that only cut them off.
    private var clipping: Thresholding? { clipsData ? .fixed(range: clipRange) : nil }
}

// MARK: - What classes with whole times share

extension SchedulerConfiguration {
    /// The times of a run as `timestep_spacing` has them, most noise first.
    /// - Throws: `DiffusionError` where they begin past the last time of the process.
    func wholeTimes(_ steps: Int) throws -> [Int] {
        let times = spacing.times(steps: steps, of: trainSteps, offset: stepsOffset)
        guard let first = times.max(), first < trainSteps else {
            throw DiffusionError(
                "with steps_offset \(stepsOffset), \(steps) steps start past the last time of the process: use fewer steps"
            )
        }
        return times
    }

    /// The level at a time where the network is called. Time −1, which `trailing` can give, reads
    /// diffusers' table from its end.
    func startLevel(at time: Int, _ schedule: DiscreteSchedule) -> NoiseLevel {
        var level = schedule.level(at: time < 0 ? schedule.start : Double(time))
        level.time = Double(time)
        return level
    }

    /// The level at a time where a step ends; before time 0 it is the data, or time 0 again without
    /// `set_alpha_to_one`.
    func endLevel(at time: Int, _ schedule: DiscreteSchedule) -> NoiseLevel {
        if time >= 0 { return schedule.level(at: Double(time)) }
        if kind == .unCLIP { return unCLIPEnd }
        if kind == .ddpm || endsAtData { return .data }
        let first = schedule.level(at: 0)
        return NoiseLevel(time: -1, alpha: first.alpha, sigma: first.sigma)
    }

    /// Throws where a class of diffusers does not know this prediction.
    func requirePrediction(_ known: Prediction...) throws {
        guard !known.contains(prediction) else { return }
        let names = known.map { "'\($0.rawValue)'" }.joined(separator: " or ")
        throw DiffusionError(
            "\(kind.rawValue) does not know prediction_type '\(prediction.rawValue)': it takes \(names)")
    }

    /// η, a share from 0 to 1.
    func share(_ eta: Double?, or usual: Double) throws -> Double {
        let eta = eta ?? usual
        guard (0...1).contains(eta) else { throw DiffusionError("η is \(eta): it must be between 0 and 1") }
        return eta
    }
}
