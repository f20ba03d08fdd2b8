import Tensors

/// L_simple + λ·L_vlb for a network that learns its variance: the bound moves the variance alone, for
/// no gradient goes through its mean.
///
/// Both parts come from one draw of time and noise; L_vlb is T times the drawn term, as λ = 0.001 means it.
/// Source: Nichol and Dhariwal 2021 (arXiv:2102.09672), equation 16 and section 3.1.
public struct HybridObjective: Sendable {
    /// The bound, with a learned variance.
    public let bound: VariationalBound
    /// λ
    public let boundWeight: Double
    /// How times are drawn.
    public let times: any TimeSampling
    private let simple: Objective

    /// An objective over a bound.
    /// - Precondition: the bound learns its variance.
    public init(
        _ bound: VariationalBound, boundWeight: Double = 0.001, times: (any TimeSampling)? = nil,
        elementType: ElementType = .float32, on device: Device = .cpu
    ) {
        precondition(bound.learnsVariance, "the hybrid loss is for a learned variance")
        self.bound = bound
        self.boundWeight = boundWeight
        self.times = times ?? UniformSteps(count: bound.schedule.count)
        simple = Objective(
            schedule: bound.schedule, prediction: bound.prediction, elementType: elementType, on: device)
    }

    /// The loss of each example: `[batch]`. Draws the times, then the noise.
    public func loss(
        _ data: Tensor, _ generator: RandomGenerator, network: (_ x: Tensor, _ times: Tensor) -> Tensor
    ) -> Tensor {
        times.losses(of: data, generator) { noise, times in
            loss(data, noise: noise, times: times, network: network)
        }
    }

    /// The loss of each example for a given draw: `[batch]`.
    /// - Parameter network: `(x_t, times [batch]) → [batch, 2·channels, …]`
    public func loss(
        _ data: Tensor, noise: Tensor, times: Tensor, network: (_ x: Tensor, _ times: Tensor) -> Tensor
    ) -> Tensor {
        let x = simple.noised(data, noise: noise, times: times)
        let (predicted, share) = bound.parts(network(x, times))
        let error = simple.loss(data, noise: noise, times: times) { _, _ in predicted }
        let still = concatenated([predicted.detached(), share!], along: 1)
        let term = bound.term(data, sample: x, times: times, output: still)
        return error.adding(term, scale: boundWeight * Double(bound.schedule.count))
    }
}
