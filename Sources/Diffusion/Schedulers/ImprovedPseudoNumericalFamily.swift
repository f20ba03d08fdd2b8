// iPNDM

extension SchedulerConfiguration {
    func improvedPseudoNumericalSampler(_ steps: Int) throws -> Sampler {
        throw DiffusionError("\(kind.rawValue) is not sampled yet")
    }
}
