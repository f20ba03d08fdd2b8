// DPM-Solver, UniPC, DEIS

extension SchedulerConfiguration {
    func logSNRSampler(_ steps: Int, _ options: SamplerOptions) throws -> Sampler {
        throw DiffusionError("\(kind.rawValue) is not sampled yet")
    }
}
