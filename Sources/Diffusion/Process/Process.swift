/// What a network was trained on and how it is sampled: shared by loss and sampling, so that they cannot differ.
public struct Process: Sendable {
    /// Time to noise level.
    public var schedule: any NoiseSchedule
    /// What stands between a sample and the network.
    public var parameterization: Parameterization
    /// What makes samplers.
    public var sampling: any SamplerSource

    /// A process.
    public init(
        schedule: any NoiseSchedule, parameterization: Parameterization, sampling: any SamplerSource
    ) {
        self.schedule = schedule
        self.parameterization = parameterization
        self.sampling = sampling
    }
}
