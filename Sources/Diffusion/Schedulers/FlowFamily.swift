// flow

extension SchedulerConfiguration {
    func flowSampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        throw DiffusionError("\(kind.rawValue) is not sampled yet")
    }
}
