import Diffusion

extension Sampler {
    /// The times at which the network is called in each step, in the order of diffusers' `timesteps`.
    /// - Parameter configuration: the class that made this sampler.
    package func callTimes(_ configuration: SchedulerConfiguration) -> [[Double]] {
        let schedule = configuration.schedule
        var times = grid.steps.map { step -> [Double] in
            let between = levelBetweenCalls(of: step).map { $0.time ?? schedule.time(logSNR: $0.logSNR) }
            return [step.from.time ?? 0] + (between.map { [$0] } ?? [])
        }
        // PNDM's first step asks at the second time, too.
        if configuration.kind == .pndm, configuration.skipsRungeKutta, times.count > 1 {
            times[0].append(times[1][0])
        }
        return times
    }
}
