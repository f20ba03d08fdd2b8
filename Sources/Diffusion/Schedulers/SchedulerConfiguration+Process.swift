extension SchedulerConfiguration: SamplerSource {
    /// The process that a network with this configuration was trained on.
    public var process: Process {
        Process(
            schedule: schedule, parameterization: Parameterization(prediction, schedule: schedule),
            sampling: self)
    }
}
