import Tensors

/// Conditional flow matching: the squared error of the velocity dx/dt that follows from what a network predicts, on
/// paths between data and noise. The flow of the velocity learned, E[dx_t/dt | x_t], carries noise to data.
///
/// Data and noise are paired by a coupling, or are the pairs of an example with noise of its own (reflow); the points
/// between them are those of the interpolant. The network may predict anything of which data follow: the velocity of an estimate
/// is û = α′·x̂₀ + σ′·ε̂ with the rates of the process, which for the straight path and `flow` is the network's output.
/// Source: Lipman et al. 2022 (arXiv:2210.02747), equation 9 and theorem 2; Liu et al. 2022
/// (arXiv:2209.03003), equation 1; Tong et al. 2023 (arXiv:2302.00482), section 3.2, for couplings.
public struct FlowMatchingObjective: TimedObjective {
    /// What is trained: its schedule is that of the interpolant against noise.
    public let process: Process
    /// The process that the trained network is sampled on: the one that was given, with its own schedule. Where that is
    /// another path than the interpolant's, the network's time is that of the interpolant's level with the same log-SNR,
    /// or its last one where it has none.
    public private(set) var samplingProcess: Process
    /// The paths.
    public let interpolant: Interpolant
    /// How data meet noise.
    public let coupling: Coupling
    /// How times are drawn.
    public let times: any TimeSampling

    /// An objective.
    /// - Parameters:
    ///   - process: how the network takes a sample and what it predicts.
    ///   - interpolant: the path that is trained on, in place of the process's own.
    ///   - times: the draw of the interpolant's times; by default all alike.
    public init(
        _ process: Process, interpolant: Interpolant,
        coupling: Coupling = .independent, times: (any TimeSampling)? = nil
    ) {
        let schedule = interpolant.schedule
        var (trained, sampled) = (process, process)
        trained.schedule = schedule
        sampled.parameterization.time = { level in
            var level = level
            let time = level.alpha > 0 ? schedule.time(logSNR: level.logSNR) : schedule.start
            level.time = min(max(time, 0), schedule.start)
            return process.parameterization.time(level)
        }
        (self.process, samplingProcess) = (trained, sampled)
        self.interpolant = interpolant
        self.coupling = coupling
        self.times = times ?? schedule.uniformTimes
    }

    /// An objective on the path of a process, which is that of its samples, too.
    /// - Parameter times: the draw of times; by default all alike.
    /// - Throws: `DiffusionError` where the process has whole steps alone.
    public init(
        _ process: Process, coupling: Coupling = .independent, times: (any TimeSampling)? = nil
    ) throws {
        guard let path = process.schedule as? any ContinuousSchedule else {
            throw DiffusionError(
                "flow matching needs a velocity at every time, and the process has whole steps alone: use one with a level at every time, or the denoising objective"
            )
        }
        self.init(process, interpolant: Interpolant(of: path), coupling: coupling, times: times)
        samplingProcess = process
    }

    /// ‖û − dx/dt‖², the mean over the elements of each example. Draws the noise where the example has none, then
    /// the latent noise where the interpolant has any.
    public func losses(
        _ example: Example, _ roles: Roles, at times: [Double], _ generator: RandomGenerator
    ) throws -> Losses {
        let data = example.data
        let noise = try pairedNoise(example, generator)
        let latent = interpolant.latent.isNone ? nil : example.normal(generator)
        let point = interpolant.point(data: data, other: noise, latent: latent, times: times)
        let batch = ProcessBatch(process, times: times, like: data)
        let x = batch.scaled(point.sample)
        let output = try batch.output(roles.student, x)
        let velocity = batch.combination(try velocityFactors(batch, times), of: x, output)
        return Losses((velocity - point.velocity).squared().meanPerExample())
    }

    private func pairedNoise(_ example: Example, _ generator: RandomGenerator) throws -> Tensor {
        guard let noise = example.noise else {
            return try coupling.paired(
                example.data, with: example.normal(generator), labels: example.labels)
        }
        guard coupling == .independent else {
            throw DiffusionError(
                "the examples come with their noise, which the coupling \(coupling.rawValue) would pair anew: use the coupling independent"
            )
        }
        return noise
    }

    /// The factors of x, in the network's scaling, and of the output F in the velocity, at each example's time.
    ///
    /// With x̂₀ = skip·x + out·F and ε̂ = (x − α·x̂₀)/σ, û = (σ′/σ)·x + (α′ − σ′·α/σ)·x̂₀ in the process's own α and σ.
    private func velocityFactors(
        _ batch: ProcessBatch, _ times: [Double]
    ) throws -> [ProcessBatch.Factors] {
        zip(try batch.dataFactors(), zip(batch.levels, times)).map { factors, place in
            let (own, time) = place
            let (level, rates) = (interpolant.schedule.level(at: time), interpolant.schedule.rates(at: time))
            let turn = rates.alpha * level.sigma - rates.sigma * level.alpha
            // The network's x is the process's, divided by this.
            let scale = level.sigma / own.sigma
            return ProcessBatch.Factors(
                sample: (rates.sigma * scale + turn * factors.skip) / level.sigma,
                output: turn * factors.out / level.sigma)
        }
    }
}
