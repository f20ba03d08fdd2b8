import Tensors

/// How the examples of a batch meet the noise of a batch.
public enum Coupling: String, Codable, Sendable, CaseIterable {
    /// As they come.
    case independent
    /// By the assignment of least total squared distance within the batch.
    /// Source: Tong et al. 2023 (arXiv:2302.00482), section 3.2.
    case optimalTransport = "optimal_transport"

    /// The second batch in the order in which it meets the first, both `[batch, …]`.
    /// - Throws: the error that a tensor carries.
    public func paired(_ data: Tensor, with other: Tensor) throws -> Tensor {
        switch self {
        case .independent: return other
        case .optimalTransport:
            let assignment = Assignment(try Assignment.squaredDistances(from: data, to: other))
            return other.gathered(Tensor(assignment.columns).to(other.device))
        }
    }
}

/// Conditional flow matching: a network learns E[dx_t/dt | x_t], whose flow carries one density to another.
/// Source: Lipman et al. 2022 (arXiv:2210.02747), equation 9 and theorem 2; Liu et al. 2022
/// (arXiv:2209.03003), equation 1.
public struct FlowMatching: Sendable {
    /// The path.
    public let interpolant: Interpolant
    /// How pairs are made.
    public let coupling: Coupling
    /// How times are drawn.
    public let times: any TimeSampling

    /// An objective; the default is rectified flow.
    public init(
        _ interpolant: Interpolant = Interpolant(StraightSchedule()), coupling: Coupling = .independent,
        times: any TimeSampling = TimeDensity.uniform
    ) {
        self.interpolant = interpolant
        self.coupling = coupling
        self.times = times
    }

    /// The loss of each example against fresh noise: `[batch]`. Draws the times, the noise, then z.
    /// - Throws: the error that a tensor carries.
    public func loss(
        _ data: Tensor, _ generator: RandomGenerator, network: (_ x: Tensor, _ times: Tensor) -> Tensor
    ) throws -> Tensor {
        try loss(data, from: nil, generator, network: network)
    }

    /// The loss of each example against a batch of other data, or fresh noise where `nil`: `[batch]`.
    /// - Throws: the error that a tensor carries.
    public func loss(
        _ data: Tensor, from other: Tensor?, _ generator: RandomGenerator,
        network: (_ x: Tensor, _ times: Tensor) -> Tensor
    ) throws -> Tensor {
        func normal() -> Tensor { generator.normal(data.shape, data.elementType).to(data.device) }
        let draw = times.draw(data.shape[0], generator)
        let met = try coupling.paired(data, with: other ?? normal())
        let latent = interpolant.latent == .none ? nil : normal()
        return draw.weighed(try loss(data, other: met, latent: latent, times: draw.times, network: network))
    }

    /// The loss of each example for given pairs and times, its mean over elements: `[batch]`.
    /// - Parameter network: `(x_t, times [batch]) → velocity`
    /// - Throws: the error that `times` carries.
    public func loss(
        _ data: Tensor, other: Tensor, latent: Tensor? = nil, times: Tensor,
        network: (_ x: Tensor, _ times: Tensor) -> Tensor
    ) throws -> Tensor {
        let point = try interpolant.point(data: data, other: other, latent: latent, times: times)
        let told = times.to(data.elementType).to(data.device)
        return (network(point.sample, told) - point.velocity).squared().meanPerExample()
    }
}
