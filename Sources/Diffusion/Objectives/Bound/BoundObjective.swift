import Tensors

/// The variational bound itself as a loss, in bits per dimension: T times the term of the drawn time, so that its
/// mean over even times is the bound but for L_T, which nothing can change.
///
/// A network that learns its variance has twice the channels of its sample, as for `HybridObjective`.
/// Source: Ho et al. 2020 (arXiv:2006.11239), equation 5; Nichol and Dhariwal 2021 (arXiv:2102.09672), section
/// 3.3, where importance-sampled times make it trainable.
public struct BoundObjective: TimedObjective {
    /// What is trained, and how its network takes a sample.
    public let process: Process
    /// How times are drawn.
    public let times: any TimeSampling
    /// The bound.
    public let bound: VariationalBound

    /// An objective.
    /// - Throws: `DiffusionError` where the process is no table of at least two steps.
    public init(
        _ process: Process, variance: VariationalBound.Variance = .learnedRange,
        decoder: VariationalBound.Decoder = .pixels, times: (any TimeSampling)? = nil
    ) throws {
        self.process = process
        self.times = times ?? process.schedule.uniformTimes
        bound = try VariationalBound(process, variance: variance, decoder: decoder)
    }

    /// T·L_{t−1}, or T·L₀ at the first time. Draws the noise where the example has none.
    public func losses(
        _ example: Example, _ roles: Roles, at times: [Double], _ generator: RandomGenerator
    ) throws -> Losses {
        let noisy = NoisyExample(example, on: process, at: times, generator)
        let output = try bound.output(of: roles.student, for: noisy)
        return Losses(bound.scaledTerm(of: noisy, at: times, output: output))
    }
}
