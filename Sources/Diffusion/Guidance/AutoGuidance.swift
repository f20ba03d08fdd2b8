import Tensors

/// Guidance of a model by a worse version of itself (smaller, or trained for less long), asked under the
/// same condition: away from the errors that both make.
///
/// D_w = D₀ + w·(D₁ − D₀), D₀ being the worse model: `conditional` is the model, `unconditional` the worse.
/// Source: Karras et al. 2024 (arXiv:2406.02507), section 4.
public struct AutoGuidance: Guidance, Equatable {
    private let extrapolation: ClassifierFreeGuidance

    /// Guidance of weight w; 1 is the model alone.
    public init(weight: Double) {
        extrapolation = ClassifierFreeGuidance(scale: weight)
    }

    /// w
    public var weight: Double { extrapolation.scale }

    /// At w = 1 only the model itself counts.
    public func isConditional(at level: NoiseLevel) -> Bool { extrapolation.isConditional(at: level) }

    /// The guided estimate, data and noise alike.
    public func callAsFunction(_ branches: Branches<Estimate>, sample x: Tensor, at level: NoiseLevel)
        -> Estimate
    {
        extrapolation(branches, sample: x, at: level)
    }

    /// A model and a worse one as one denoiser.
    public func denoiser(_ model: Denoiser, worse: Denoiser) -> Denoiser {
        denoiser(conditional: model, unconditional: worse)
    }
}
