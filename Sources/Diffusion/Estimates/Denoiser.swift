import Tensors

/// A denoiser's estimate of the data and the noise in a sample.
///
/// The two are tied by x = α·data + σ·noise until something (clipping) changes the data alone. They are the
/// same for a sample however it is scaled.
public struct Estimate: Sendable {
    /// x̂₀
    public var data: Tensor
    /// ε̂
    public var noise: Tensor
    /// What a network's further channels give for the variance of a step, as they are; `nil` where it has none.
    /// What they mean is `ReverseVariance`.
    public var variance: Tensor?

    /// An estimate.
    public init(data: Tensor, noise: Tensor, variance: Tensor? = nil) {
        self.data = data
        self.noise = noise
        self.variance = variance
    }
}

/// A sample and its noise level to an estimate of the data: the single currency of this room.
///
/// A network and its `Parameterization` are closed into one; solvers and guidance know nothing else.
public struct Denoiser {
    private let body: (Tensor, NoiseLevel) -> Estimate

    /// A denoiser from a function.
    public init(_ body: @escaping (_ x: Tensor, _ level: NoiseLevel) -> Estimate) {
        self.body = body
    }

    /// The estimate for a sample `[batch, …]` at a level.
    public func callAsFunction(_ x: Tensor, _ level: NoiseLevel) -> Estimate { body(x, level) }

    /// A denoiser whose estimates pass through a function.
    public func map(_ transform: @escaping (Estimate, _ x: Tensor, NoiseLevel) -> Estimate) -> Denoiser {
        Denoiser { x, level in transform(self(x, level), x, level) }
    }
}
