// Euler, Heun, DPM2, LMS

extension SchedulerConfiguration {
    func sigmaSampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        throw DiffusionError("\(kind.rawValue) is not sampled yet")
    }
}
