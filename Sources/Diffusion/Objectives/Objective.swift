import Tensors

/// How much the loss at a level counts.
public enum LossWeighting: String, Codable, Sendable, CaseIterable {
    /// The same everywhere, in the network's own unit: L_simple.
    /// Source: Ho et al. 2020 (arXiv:2006.11239), equation 14.
    case simple
}

/// What a network learns: a draw of the level, the noisy sample, the target, the loss.
public struct Objective: Sendable {
    /// The process.
    public let schedule: DiscreteSchedule
    /// What the network's output means.
    public let prediction: Prediction
    /// How much each level counts.
    public let weighting: LossWeighting
    private let alphas: Tensor
    private let sigmas: Tensor

    /// An objective over all times of a discrete process, each as likely as the others.
    public init(
        schedule: DiscreteSchedule, prediction: Prediction, weighting: LossWeighting = .simple,
        elementType: ElementType = .float32, on device: Device = .cpu
    ) {
        self.schedule = schedule
        self.prediction = prediction
        self.weighting = weighting
        let tables = schedule.tables(elementType)
        alphas = tables.alpha.to(device)
        sigmas = tables.sigma.to(device)
    }

    /// The loss of each example, its mean over elements: `[batch]`.
    /// Source: Ho et al. 2020 (arXiv:2006.11239), algorithm 1.
    /// - Parameters:
    ///   - data: x₀ `[batch, …]`
    ///   - generator: draws the times, then the noise.
    ///   - network: `(x_t, times [batch]) → output`
    public func loss(
        _ data: Tensor, _ generator: RandomGenerator, network: (_ x: Tensor, _ times: Tensor) -> Tensor
    ) -> Tensor {
        let times = generator.integers([data.shape[0]], in: 0..<schedule.count).to(data.device)
        let noise = generator.normal(data.shape, data.elementType).to(data.device)
        return loss(data, noise: noise, times: times, network: network)
    }

    /// The loss of each example for a given draw: `[batch]`.
    public func loss(
        _ data: Tensor, noise: Tensor, times: Tensor, network: (_ x: Tensor, _ times: Tensor) -> Tensor
    ) -> Tensor {
        let output = network(noised(data, noise: noise, times: times), times)
        let (alpha, sigma) = scales(at: times, rank: data.rank)
        let target = prediction.target(data: data, noise: noise, alpha: alpha, sigma: sigma)
        return (output - target).squared().meanPerExample()
    }

    /// The sample at given times: x_t = α·x₀ + σ·ε.
    /// Source: Ho et al. 2020 (arXiv:2006.11239), equation 4.
    public func noised(_ data: Tensor, noise: Tensor, times: Tensor) -> Tensor {
        let (alpha, sigma) = scales(at: times, rank: data.rank)
        return alpha * data + sigma * noise
    }

    /// α and σ of each example, `[batch, 1, …]`.
    private func scales(at times: Tensor, rank: Int) -> (alpha: Tensor, sigma: Tensor) {
        (
            alphas.gathered(times).broadcast(toRank: rank),
            sigmas.gathered(times).broadcast(toRank: rank)
        )
    }
}
