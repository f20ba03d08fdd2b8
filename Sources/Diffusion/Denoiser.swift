import Tensors

/// What a denoiser believes of a sample: the data and the noise in it.
///
/// The two are tied by x = α·data + σ·noise until something (clipping) changes the data alone.
public struct Estimate: Sendable {
    /// x̂₀
    public var data: Tensor
    /// ε̂
    public var noise: Tensor

    /// An estimate.
    public init(data: Tensor, noise: Tensor) {
        self.data = data
        self.noise = noise
    }
}

/// A sample and its noise level to an estimate of the data: the single currency of this room.
///
/// A network, what its output means and how it is told the level are closed into one; solvers and
/// guidance know nothing else.
public struct Denoiser {
    private let body: (Tensor, NoiseLevel) -> Estimate

    /// A denoiser from a function.
    public init(_ body: @escaping (_ x: Tensor, _ level: NoiseLevel) -> Estimate) {
        self.body = body
    }

    /// A denoiser from a network `(x, time [1]) → output`, told the level's own time.
    public init(_ prediction: Prediction, network: @escaping (_ x: Tensor, _ time: Tensor) -> Tensor) {
        self.init { x, level in
            let time = Tensor.full(level.time, [1], .float32, on: x.device)
            return prediction.estimate(network(x, time), sample: x, at: level)
        }
    }

    /// The estimate for a sample `[batch, …]` at a level.
    public func callAsFunction(_ x: Tensor, _ level: NoiseLevel) -> Estimate { body(x, level) }

    /// A denoiser whose estimates pass through a function.
    public func map(_ transform: @escaping (Estimate, _ x: Tensor, NoiseLevel) -> Estimate) -> Denoiser {
        Denoiser { x, level in transform(self(x, level), x, level) }
    }
}
