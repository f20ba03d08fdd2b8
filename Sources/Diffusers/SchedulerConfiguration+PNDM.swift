import Diffusion

// PNDM: pseudo linear multistep, started by pseudo Runge–Kutta or by pseudo improved Euler.

extension SchedulerConfiguration {
    /// The sampler of `PNDMScheduler`.
    ///
    /// diffusers lets every multistep step end T/n before it begins, whatever the spacing, and asks some
    /// networks a little beside the sample that it hands them; both are kept.
    func pseudoNumericalSampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        try checkSteps(steps)
        try requirePrediction(.noise, .velocity)
        var plain = self
        // A key that this class does not know.
        plain.zeroTerminalSNR = false
        let stations = Stations(configuration: self, schedule: plain.schedule, stride: trainSteps / steps)
        let times = try wholeTimes(steps)
        if skipsRungeKutta {
            // diffusers asks at the second time twice, and leaves out the first of these calls.
            let calls = times.prefix(2) + times.dropFirst()
            return try stations.multistep(Array(calls.dropFirst(options.skippedSteps)))
        }
        guard options.skippedSteps == 0 else {
            throw DiffusionError(
                "PNDMScheduler with skip_prk_steps false cannot start in the middle: use another solver")
        }
        return try stations.rungeKutta(times)
    }
}

/// The places of PNDM's steps and stages.
private struct Stations {
    let configuration: SchedulerConfiguration
    let schedule: DiscreteSchedule
    /// T/n in whole numbers.
    let stride: Int

    /// The grid of calls at these times, the first two of which are an improved Euler step. Where calls are left
    /// out, that is a step from the first time as if it were T/n above the second, and the samples after it are
    /// noisier than the network is told; that is what diffusers does.
    func multistep(_ times: [Int]) throws -> Sampler {
        guard times.count > 1 else { return sampler(times.map(step), starts: []) }
        let first = PLMSSolver.Stage(asked: asked(times[0]), transfer: step(times[0]), weight: 0.5)
        let second = PLMSSolver.Stage(
            asked: asked(times[1]),
            transfer: StepGrid.Step(from: asked(try known(times[1] + stride)), to: end(times[1])),
            weight: 0.5)
        let start = StepGrid.Step(from: asked(times[0]), to: end(times[1]))
        return sampler([start] + times.dropFirst(2).map(step), starts: [[first, second]])
    }

    /// The process's grid with three Runge–Kutta steps to start with.
    func rungeKutta(_ times: [Int]) throws -> Sampler {
        guard times.count >= 4 else {
            throw DiffusionError(
                "PNDMScheduler with skip_prk_steps false was asked for \(times.count) steps: give at least 4"
            )
        }
        let half = stride / 2
        let starts = try (0..<3).map { index -> [PLMSSolver.Stage] in
            let (time, next) = (times[index], times[index + 1])
            let middle = try known(next + half)
            func stage(_ place: Int, to target: Int, _ weight: Double) -> PLMSSolver.Stage {
                PLMSSolver.Stage(
                    asked: asked(place), transfer: StepGrid.Step(from: asked(time), to: end(target)),
                    weight: weight)
            }
            return [
                stage(time, to: time - half, 1.0 / 6), stage(middle, to: middle, 1.0 / 3),
                stage(middle, to: middle - half, 1.0 / 3), stage(next, to: next, 1.0 / 6),
            ]
        }
        let steps = (0..<3).map { StepGrid.Step(from: asked(times[$0]), to: end(times[$0 + 1])) }
        return sampler(steps + times.dropFirst(3).map(step), starts: starts)
    }

    private func sampler(_ steps: [StepGrid.Step], starts: [[PLMSSolver.Stage]]) -> Sampler {
        Sampler(StepGrid(steps: steps), PLMSSolver(combining: configuration.prediction, starts: starts))
    }

    private func asked(_ time: Int) -> NoiseLevel { configuration.askedLevel(at: time, schedule) }
    private func end(_ time: Int) -> NoiseLevel { configuration.endLevel(at: time, schedule) }

    private func step(_ time: Int) -> StepGrid.Step {
        StepGrid.Step(from: asked(time), to: end(time - stride))
    }

    private func known(_ time: Int) throws -> Int {
        guard time < schedule.count else {
            throw DiffusionError(
                "PNDMScheduler asks for time \(time) of a process of \(schedule.count): use another timestep_spacing"
            )
        }
        return time
    }
}
