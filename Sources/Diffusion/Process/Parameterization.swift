import Tensors

/// What stands between a sample and a network: x̂₀ = skip·x + out·F(in·x; noise condition), as one value that
/// losses and sampling share.
///
/// A sample x = α·x₀ + σ·ε is brought to the network's scaling, multiplied with c_in, and handed over with a
/// time; the output's meaning makes data and noise of what the network gives.
/// Source: Karras et al. 2022 (arXiv:2206.00364), equation 7, of which the five predictions are special cases.
public struct Parameterization: Sendable {
    /// What the network's output means.
    public var output: any OutputMeaning
    /// The scaling of samples in which the output's formula is meant.
    public var scaling: SampleScaling
    /// c_in, what a sample in that scaling is multiplied with for the network.
    public var input: @Sendable (NoiseLevel) -> Double
    /// c_noise, what the network takes for the time of a level.
    public var time: @Sendable (NoiseLevel) -> Double

    /// A parameterization.
    /// - Parameters:
    ///   - input: c_in; samples are handed over as they are where it is left out.
    ///   - time: c_noise
    public init(
        _ output: any OutputMeaning, scaling: SampleScaling,
        input: @escaping @Sendable (NoiseLevel) -> Double = { _ in 1 },
        time: @escaping @Sendable (NoiseLevel) -> Double
    ) {
        self.output = output
        self.scaling = scaling
        self.input = input
        self.time = time
    }

    /// For a network whose times are those of a schedule: a level without a time gets the one of its log-SNR.
    public init(
        _ output: any OutputMeaning, scaling: SampleScaling = .variancePreserving,
        schedule: some NoiseSchedule
    ) {
        self.init(output, scaling: scaling) { level in
            level.time ?? schedule.time(logSNR: level.logSNR)
        }
    }

    /// A network's output without the further half of its channels, which some networks give for the variance of a
    /// step, and that half, `nil` where there is none.
    /// - Parameters:
    ///   - output: `[batch, channels or 2·channels, …]`
    ///   - x: the sample, `[batch, channels, …]`.
    public static func parts(of output: Tensor, for x: Tensor) -> (output: Tensor, variance: Tensor?) {
        guard output.rank > 1, output.shape[1] == 2 * x.shape[1] else { return (output, nil) }
        let halves = output.chunked(2, of: 1)
        return (halves[0], halves[1])
    }
}

/// The least relative difference from 1 of a scale that samples are divided by: one that differs by rounding alone
/// must not change them.
let leastScaling = 1e-12

extension Denoiser {
    /// A denoiser from a network `(c_in·x, time [1]) → F` and what stands between it and samples of any scaling.
    ///
    /// A network with twice the sample's channels gives the variance with the second half.
    public init(
        _ parameterization: Parameterization, network: @escaping (_ x: Tensor, _ time: Tensor) -> Tensor
    ) {
        self.init(parameterization, scaledNetwork: { x, time, _ in network(x, time) })
    }

    /// The same for a network that is given more than the sample and may have it scaled alike.
    /// - Parameter network: its last argument is what the sample was multiplied with.
    public init(
        _ parameterization: Parameterization,
        scaledNetwork network: @escaping (_ x: Tensor, _ time: Tensor, _ factor: Double) -> Tensor
    ) {
        self.init { x, level in
            let scale = parameterization.scaling.scale(of: level)
            let isScaled = abs(scale - 1) > leastScaling
            let (sample, own) = isScaled ? (x / scale, level.divided(by: scale)) : (x, level)
            let factor = parameterization.input(own)
            let time = Tensor.full(parameterization.time(level), [1], .float32, on: x.device)
            let raw = network(
                factor == 1 ? sample : sample * factor, time, isScaled ? factor / scale : factor)
            let (output, variance) = Parameterization.parts(of: raw, for: x)
            var estimate = parameterization.output.estimate(output, sample: sample, at: own)
            estimate.variance = variance
            return estimate
        }
    }
}
