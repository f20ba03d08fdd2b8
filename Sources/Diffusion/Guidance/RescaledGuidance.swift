import Tensors

/// Guidance whose result is brought back to the spread of the conditional branch, against the
/// overexposure of large scales.
///
/// It acts on what the network gives, and depends on what that means (`prediction`): o_φ = φ·o·std(o_c)/std(o) +
/// (1 − φ)·o, the deviations being each example's own.
/// Source: Lin et al. 2023 (arXiv:2305.08891), section 3.4, equations 14 to 16.
public struct RescaledGuidance<Base: Guidance>: Guidance {
    /// The guidance that is rescaled.
    public var base: Base
    /// φ, from 0 (not at all) to 1.
    public var share: Double
    /// The output that is rescaled.
    public var prediction: Prediction

    /// Only the condition counts where it does for the base: the ratio is 1 there.
    public func isConditional(at level: NoiseLevel) -> Bool { base.isConditional(at: level) }

    /// The rescaled estimate.
    public func callAsFunction(_ branches: Branches<Estimate>, sample x: Tensor, at level: NoiseLevel)
        -> Estimate
    {
        let guided = base(branches, sample: x, at: level)
        if share == 0 { return guided }
        let output = prediction.output(guided, at: level)
        let ratio =
            deviation(prediction.output(branches.conditional, at: level)) / deviation(output)
        let factor = (ratio * share + (1 - share)).broadcast(toRank: output.rank)
        return prediction.estimate(output * factor, sample: x, at: level)
    }

    private func deviation(_ output: Tensor) -> Tensor { output.flattened(from: 1).standardDeviation([1]) }
}

extension Guidance {
    /// This guidance brought back to the spread of the conditional output by a share φ.
    public func rescaled(_ share: Double, of prediction: Prediction) -> RescaledGuidance<Self> {
        RescaledGuidance(base: self, share: share, prediction: prediction)
    }
}
