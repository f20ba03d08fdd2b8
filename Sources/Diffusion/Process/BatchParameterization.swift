import Tensors

/// A schedule and a parameterization over batches whose examples have times of their own, for losses: the formulas
/// that `Denoiser` samples by, at one level an example.
///
/// Levels are computed in float64 and rounded once. Those of a discrete schedule are tables, kept on the device.
public struct BatchParameterization: Sendable {
    /// What stands between samples and the network.
    public let parameterization: Parameterization
    private let schedule: any NoiseSchedule
    private let columns: [@Sendable (NoiseLevel) -> Double]
    private let elementType: ElementType
    private let device: Device
    /// The levels of all whole times of a discrete schedule.
    private let table: BatchLevels?

    /// A parameterization for batches.
    /// - Parameters:
    ///   - columns: further numbers of a level, such as the weight of its loss.
    ///   - elementType: that of the tensors.
    ///   - device: where they are.
    public init(
        _ schedule: any NoiseSchedule, _ parameterization: Parameterization,
        columns: [@Sendable (NoiseLevel) -> Double] = [], elementType: ElementType = .float32,
        on device: Device = .cpu
    ) {
        (self.schedule, self.parameterization) = (schedule, parameterization)
        (self.columns, self.elementType, self.device) = (columns, elementType, device)
        table = (schedule as? DiscreteSchedule).map { schedule in
            let levels = (0..<schedule.count).map { schedule.level(at: Double($0)) }
            return BatchLevels(levels, parameterization, columns, elementType, device)
        }
    }

    /// The parameterization of a process for batches.
    public init(
        _ process: Process, columns: [@Sendable (NoiseLevel) -> Double] = [],
        elementType: ElementType = .float32, on device: Device = .cpu
    ) {
        self.init(
            process.schedule, process.parameterization, columns: columns, elementType: elementType,
            on: device)
    }

    /// The levels of a batch.
    /// - Parameter times: `[batch]`, times of the schedule: whole ones (int64) of a discrete schedule.
    public func levels(at times: Tensor) -> BatchLevels {
        if let table { return table.gathered(times) }
        // Times that could not be computed hand on their error.
        guard let values = try? times.array(of: Double.self) else {
            return BatchLevels(failed: times, columns.count, parameterization.output)
        }
        return BatchLevels(values.map(schedule.level(at:)), parameterization, columns, elementType, device)
    }
}

/// The levels of a batch of examples, and what a parameterization makes of samples, noise and outputs there.
public struct BatchLevels: Sendable {
    /// α of the noisy samples, `[batch]`.
    public let alpha: Tensor
    /// σ of the noisy samples, `[batch]`.
    public let sigma: Tensor
    /// What the network takes for their times, `[batch]`.
    public let time: Tensor
    /// The further numbers of each level, `[batch]` each.
    public let columns: [Tensor]
    private let output: any OutputMeaning
    /// The size of samples in the network's scaling and α and σ there; `nil` where samples have that scaling.
    private let own: (scale: Tensor, alpha: Tensor, sigma: Tensor)?
    /// c_in, `nil` where it is 1.
    private let factor: Tensor?

    fileprivate init(
        _ levels: [NoiseLevel], _ parameterization: Parameterization,
        _ columns: [@Sendable (NoiseLevel) -> Double], _ type: ElementType, _ device: Device
    ) {
        func column(_ values: [Double]) -> Tensor { Tensor(values).to(type).to(device) }
        let scales = levels.map(parameterization.scaling.scale(of:))
        let isScaled = scales.contains { abs($0 - 1) > leastScaling }
        let own = isScaled ? zip(levels, scales).map { $0.divided(by: $1) } : levels
        let factors = own.map(parameterization.input)
        alpha = column(levels.map(\.alpha))
        sigma = column(levels.map(\.sigma))
        time = column(levels.map(parameterization.time))
        self.columns = columns.map { value in column(levels.map(value)) }
        output = parameterization.output
        self.own = isScaled ? (column(scales), column(own.map(\.alpha)), column(own.map(\.sigma))) : nil
        factor = factors.contains { $0 != 1 } ? column(factors) : nil
    }

    fileprivate init(failed times: Tensor, _ count: Int, _ output: any OutputMeaning) {
        (alpha, sigma, time, self.output) = (times, times, times, output)
        columns = Array(repeating: times, count: count)
        (own, factor) = (nil, nil)
    }

    private init(
        _ all: BatchLevels, _ pick: (Tensor) -> Tensor
    ) {
        (alpha, sigma, time, output) = (pick(all.alpha), pick(all.sigma), pick(all.time), all.output)
        columns = all.columns.map(pick)
        own = all.own.map { (pick($0.scale), pick($0.alpha), pick($0.sigma)) }
        factor = all.factor.map(pick)
    }

    fileprivate func gathered(_ times: Tensor) -> BatchLevels { BatchLevels(self) { $0.gathered(times) } }

    /// α and σ in the scaling of the output's formula, to multiply with tensors of a rank.
    private func scales(toRank rank: Int) -> (alpha: Tensor, sigma: Tensor) {
        let (alpha, sigma) = (own?.alpha ?? self.alpha, own?.sigma ?? self.sigma)
        return (alpha.broadcast(toRank: rank), sigma.broadcast(toRank: rank))
    }

    private func scaled(_ x: Tensor) -> Tensor {
        own.map { x / $0.scale.broadcast(toRank: x.rank) } ?? x
    }

    /// The noisy samples α·x₀ + σ·ε, `[batch, …]`.
    /// Source: Ho et al. 2020 (arXiv:2006.11239), equation 4.
    public func noised(_ data: Tensor, by noise: Tensor) -> Tensor {
        alpha.broadcast(toRank: data.rank) * data + sigma.broadcast(toRank: data.rank) * noise
    }

    /// What the network takes for noisy samples `[batch, …]`: c_in·x in its scaling.
    public func input(_ x: Tensor) -> Tensor {
        let sample = scaled(x)
        return factor.map { sample * $0.broadcast(toRank: x.rank) } ?? sample
    }

    /// What the network's output should be, `[batch, …]`.
    public func target(data: Tensor, noise: Tensor) -> Tensor {
        let (alpha, sigma) = scales(toRank: data.rank)
        return output.target(data: data, noise: noise, alpha: alpha, sigma: sigma)
    }

    /// x̂₀ `[batch, …]` from the network's output for noisy samples.
    public func data(_ output: Tensor, sample x: Tensor) -> Tensor {
        let (alpha, sigma) = scales(toRank: x.rank)
        return self.output.data(output, sample: scaled(x), alpha: alpha, sigma: sigma)
    }
}
