import Tensors

/// Classifier-free guidance: away from what the model gives without a condition.
///
/// ε̂ = ε∅ + s·(ε_c − ε∅): s = 0 is unconditional, 1 conditional only. The paper's w is s − 1.
/// Source: Ho and Salimans 2022 (arXiv:2207.12598), equation 6.
public struct ClassifierFreeGuidance: Sendable, Equatable {
    /// s
    public var scale: Double

    /// Guidance of a scale.
    public init(scale: Double) {
        self.scale = scale
    }

    /// Whether the unconditional branch is needed at all.
    public var needsUnconditional: Bool { scale != 1 }

    /// The guided estimate. Estimates of data and noise are both linear in what the network gave, so
    /// the formula holds for each whatever the network predicts. A learned variance is the conditional one.
    public func callAsFunction(conditional: Estimate, unconditional: Estimate) -> Estimate {
        if scale == 1 { return conditional }
        if scale == 0 { return unconditional }
        return Estimate(
            data: mixed(conditional.data, unconditional.data),
            noise: mixed(conditional.noise, unconditional.noise), variance: conditional.variance)
    }

    private func mixed(_ conditional: Tensor, _ unconditional: Tensor) -> Tensor {
        unconditional.adding(conditional - unconditional, scale: scale)
    }

    /// Two denoisers as one.
    public func denoiser(conditional: Denoiser, unconditional: Denoiser) -> Denoiser {
        Denoiser { x, level in
            self(conditional: conditional(x, level), unconditional: unconditional(x, level))
        }
    }

    /// One denoiser that takes both branches in a batch of twice the size: the first half without the
    /// condition, the second half with it. Same numbers, one pass through the network.
    public func denoiser(batched both: Denoiser) -> Denoiser {
        Denoiser { x, level in
            let estimate = both(concatenated([x, x]), level)
            let data = estimate.data.chunked(2, of: 0)
            let noise = estimate.noise.chunked(2, of: 0)
            let variance = estimate.variance?.chunked(2, of: 0)
            return self(
                conditional: Estimate(data: data[1], noise: noise[1], variance: variance?[1]),
                unconditional: Estimate(data: data[0], noise: noise[0], variance: variance?[0]))
        }
    }
}
