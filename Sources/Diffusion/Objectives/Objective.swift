import Tensors

/// What a network learns: a draw of the level, the noisy sample, the target, the loss.
///
/// One value for every process, prediction, density of times and weighting.
public struct Objective: Sendable {
    /// The process.
    public let schedule: any NoiseSchedule
    /// What the network's output means.
    public let prediction: Prediction
    /// How much each level counts.
    public let weighting: LossWeighting
    /// How levels are drawn.
    public let times: any TimeSampling
    private let levels: LevelTable

    /// An objective over the times of a discrete process, each as likely as the others where no other draw
    /// is given.
    public init(
        schedule: DiscreteSchedule, prediction: Prediction, weighting: LossWeighting = .simple,
        times: (any TimeSampling)? = nil, elementType: ElementType = .float32, on device: Device = .cpu
    ) {
        self.schedule = schedule
        self.prediction = prediction
        self.weighting = weighting
        self.times = times ?? UniformSteps(count: schedule.count)
        levels = .stored(schedule, prediction, weighting, elementType, device)
    }

    /// An objective over the real times of a continuous process. The network is told them as `elementType`.
    public init(
        schedule: some ContinuousSchedule, prediction: Prediction, weighting: LossWeighting = .simple,
        times: any TimeSampling = TimeDensity.uniform, elementType: ElementType = .float32,
        on device: Device = .cpu
    ) {
        self.schedule = schedule
        self.prediction = prediction
        self.weighting = weighting
        self.times = times
        levels = .computed(schedule, prediction, weighting, elementType, device)
    }

    /// The loss of each example, its mean over elements: `[batch]`.
    ///
    /// Losses are multiplied by the importance of their draw.
    /// Source: Ho et al. 2020 (arXiv:2006.11239), algorithm 1.
    /// - Parameters:
    ///   - data: x₀ `[batch, …]`
    ///   - generator: draws the times, then the noise.
    ///   - network: `(x_t, times [batch]) → output`
    public func loss(
        _ data: Tensor, _ generator: RandomGenerator, network: (_ x: Tensor, _ times: Tensor) -> Tensor
    ) -> Tensor {
        times.losses(of: data, generator) { noise, times in
            loss(data, noise: noise, times: times, network: network)
        }
    }

    /// The loss of each example for a given draw: `[batch]`.
    public func loss(
        _ data: Tensor, noise: Tensor, times: Tensor, network: (_ x: Tensor, _ times: Tensor) -> Tensor
    ) -> Tensor {
        let level = levels(times)
        let (alpha, sigma) = level.scales(toRank: data.rank)
        let output = network(noised(data, noise: noise, times: times), levels.told(times))
        let target = prediction.target(data: data, noise: noise, alpha: alpha, sigma: sigma)
        let loss = (output - target).squared().meanPerExample()
        return weighting.isSimple ? loss : loss * level.weight
    }

    /// The sample at given times: x_t = α·x₀ + σ·ε.
    /// Source: Ho et al. 2020 (arXiv:2006.11239), equation 4.
    public func noised(_ data: Tensor, noise: Tensor, times: Tensor) -> Tensor {
        let (alpha, sigma) = levels(times).scales(toRank: data.rank)
        return alpha * data + sigma * noise
    }
}

/// α, σ and weights of the times of a batch, as tensors.
private struct LevelTable: Sendable {
    struct Row {
        /// `[batch]` each
        let alpha: Tensor
        let sigma: Tensor
        let weight: Tensor

        func scales(toRank rank: Int) -> (alpha: Tensor, sigma: Tensor) {
            (alpha.broadcast(toRank: rank), sigma.broadcast(toRank: rank))
        }
    }

    private let lookUp: @Sendable (Tensor) -> Row
    /// The times as the network is told them.
    let told: @Sendable (Tensor) -> Tensor

    func callAsFunction(_ times: Tensor) -> Row { lookUp(times) }

    /// Tables of all times on the device, for whole times.
    static func stored(
        _ schedule: DiscreteSchedule, _ prediction: Prediction, _ weighting: LossWeighting,
        _ type: ElementType, _ device: Device
    ) -> LevelTable {
        let levels = (0..<schedule.count).map { schedule.level(at: Double($0)) }
        let all = row(levels, prediction, weighting, type, device)
        return LevelTable(
            lookUp: { times in
                Row(
                    alpha: all.alpha.gathered(times), sigma: all.sigma.gathered(times),
                    weight: all.weight.gathered(times))
            }, told: { $0 })
    }

    /// Levels worked out for the times of each batch.
    static func computed(
        _ schedule: some ContinuousSchedule, _ prediction: Prediction, _ weighting: LossWeighting,
        _ type: ElementType, _ device: Device
    ) -> LevelTable {
        LevelTable(
            lookUp: { times in
                // Times that could not be computed hand on their error.
                guard let values = try? times.array(of: Double.self) else {
                    return Row(alpha: times, sigma: times, weight: times)
                }
                return row(values.map(schedule.level(at:)), prediction, weighting, type, device)
            }, told: { $0.to(type) })
    }

    private static func row(
        _ levels: [NoiseLevel], _ prediction: Prediction, _ weighting: LossWeighting, _ type: ElementType,
        _ device: Device
    ) -> Row {
        func column(_ value: (NoiseLevel) -> Double) -> Tensor {
            Tensor(levels.map(value)).to(type).to(device)
        }
        return Row(
            alpha: column(\.alpha), sigma: column(\.sigma),
            weight: column { weighting.weight(on: prediction, at: $0) })
    }
}
