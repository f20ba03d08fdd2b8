// DDPM, DDIM and its inversion, unCLIP: whole times of a discrete process, variance-preserving.

extension SchedulerConfiguration {
    /// The sampler of `DDPMScheduler`, `DDIMScheduler`, `DDIMInverseScheduler` and `UnCLIPScheduler`.
    func ancestralSampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        let grid = try grid(steps: steps)
        switch kind {
        case .ddpm:
            return Sampler(grid, DDPMSolver(variance: try fixedVariance()), thresholding: thresholding)
        case .ddim:
            return Sampler(grid, DDIMSolver(eta: options.eta ?? 0), thresholding: thresholding)
        default: throw DiffusionError("\(kind.rawValue) is not sampled yet")
        }
    }

    private func fixedVariance() throws -> DDPMSolver.Variance {
        let variance = variance ?? .fixedSmall
        guard [.fixedSmall, .fixedSmallLog, .fixedLarge].contains(variance) else {
            throw DiffusionError("variance_type '\(variance.rawValue)' is not sampled")
        }
        return variance
    }

    /// The grid of a run of `steps` steps of DDPM or DDIM.
    ///
    /// The sampler named decides where each step ends. Ancestral sampling ends it where the next one
    /// begins; diffusers' DDIM always T/n earlier, whatever the spacing.
    /// - Throws: `DiffusionError` where the process has no such times.
    public func grid(steps: Int) throws -> StepGrid {
        try checkSteps(steps)
        let times = spacing.times(steps: steps, of: trainSteps, offset: stepsOffset)
        guard let first = times.max(), first < trainSteps else {
            throw DiffusionError(
                "with steps_offset \(stepsOffset), \(steps) steps start past the last time of the process: use fewer steps"
            )
        }
        let schedule = self.schedule
        let ends = kind == .ddim ? times.map { $0 - trainSteps / steps } : times.dropFirst() + [-1]
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
