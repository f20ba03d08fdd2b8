// EDM, consistency, VE

extension SchedulerConfiguration {
    func explodingSampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        throw DiffusionError("\(kind.rawValue) is not sampled yet")
    }
}
