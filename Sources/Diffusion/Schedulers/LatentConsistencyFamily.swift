// LCM, TCD

extension SchedulerConfiguration {
    func latentConsistencySampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        throw DiffusionError("\(kind.rawValue) is not sampled yet")
    }
}
