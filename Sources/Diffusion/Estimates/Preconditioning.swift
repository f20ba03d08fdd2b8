import Foundation
import Tensors

/// How a network wants a sample scaled before it sees it.
public enum SampleScaling: String, Sendable, CaseIterable {
    /// α² + σ² = 1, as in DDPM.
    case variancePreserving
    /// α = 1, as in score matching with Langevin dynamics.
    case varianceExploding
    /// α + σ = 1, as in rectified flow.
    case straight

    /// The size of a sample at a level in this scaling: divide by it.
    public func scale(of level: NoiseLevel) -> Double {
        switch self {
        case .variancePreserving: (level.alpha * level.alpha + level.sigma * level.sigma).squareRoot()
        case .varianceExploding: level.alpha
        case .straight: level.alpha + level.sigma
        }
    }
}

/// What stands between a level of the solver and a network: how the sample is scaled for it, and what
/// time it is told.
public struct Preconditioning: Sendable {
    /// How the sample is scaled.
    public var scaling: SampleScaling
    /// The time that the network is told; by default the level's own.
    public var time: @Sendable (NoiseLevel) -> Double

    /// A preconditioning.
    public init(_ scaling: SampleScaling, time: @escaping @Sendable (NoiseLevel) -> Double) {
        self.scaling = scaling
        self.time = time
    }

    /// For a network that was trained on a schedule: a level without a time gets the one of its log-SNR.
    public init(_ scaling: SampleScaling, schedule: some NoiseSchedule) {
        self.init(scaling) { level in level.time ?? schedule.time(logSNR: level.logSNR) }
    }
}

extension Denoiser {
    /// A denoiser from a network `(x, time [1]) → output` that wants its samples scaled in one way,
    /// whatever the scaling of the solver.
    ///
    /// A network with twice the sample's channels says with the second half what the variance is.
    public init(
        _ prediction: Prediction, preconditioning: Preconditioning,
        network: @escaping (_ x: Tensor, _ time: Tensor) -> Tensor
    ) {
        self.init { x, level in
            let scale = preconditioning.scaling.scale(of: level)
            // A scale that differs from 1 by rounding alone must not change the sample.
            let isScaled = abs(scale - 1) > 1e-12
            let (input, own) = isScaled ? (x / scale, level.divided(by: scale)) : (x, level)
            let time = Tensor.full(preconditioning.time(level), [1], .float32, on: x.device)
            let (output, variance) = parts(of: network(input, time), for: x)
            var estimate = prediction.estimate(output, sample: input, at: own)
            estimate.variance = variance
            return estimate
        }
    }
}

/// What a network gave, parted from what its further channels say of the variance.
private func parts(of output: Tensor, for x: Tensor) -> (output: Tensor, variance: Tensor?) {
    guard output.rank > 1, output.shape[1] == 2 * x.shape[1] else { return (output, nil) }
    let halves = output.chunked(2, of: 1)
    return (halves[0], halves[1])
}
