// PNDM

extension SchedulerConfiguration {
    func pseudoNumericalSampler(_ steps: Int) throws -> Sampler {
        throw DiffusionError("\(kind.rawValue) is not sampled yet")
    }
}
