import Tensors

/// Guidance by a classifier of noisy samples: up the gradient of its log-probability.
///
/// The texts' γ, the inverse temperature of p(y|x)^γ, is `scale`. The temperature of the classifier's own
/// softmax, which is normalised again over the classes, is a matter of the log-probability: see
/// `init(scale:temperature:labels:logits:)`.
public struct ClassifierGuidance: Sendable {
    /// s
    public var scale: Double
    /// ln p(y|x) of samples `[batch, …]` at a level, `[batch]`, differentiable in the samples.
    public var logProbability: @Sendable (_ x: Tensor, _ level: NoiseLevel) -> Tensor

    /// Guidance by a log-probability.
    public init(
        scale: Double, logProbability: @escaping @Sendable (_ x: Tensor, _ level: NoiseLevel) -> Tensor
    ) {
        self.scale = scale
        self.logProbability = logProbability
    }

    /// Guidance of each example to its class by a classifier's logits `[batch, classes]`:
    /// p(y|x) = softmax(logits / temperature).
    /// - Parameter labels: y, `[batch]`, int64.
    public init(
        scale: Double, temperature: Double = 1, labels: Tensor,
        logits: @escaping @Sendable (_ x: Tensor, _ level: NoiseLevel) -> Tensor
    ) {
        self.init(scale: scale) { x, level in
            (logits(x, level) / temperature).logSoftmax(1).taken(labels.unsqueezed(1), along: 1).squeezed(1)
        }
    }

    /// ∇ₓ ln p(y|x), of the shape of the samples.
    public func gradient(_ x: Tensor, at level: NoiseLevel) -> Tensor {
        valueAndGradient(of: { logProbability($0, level) }, at: x).gradient
    }

    /// A denoiser whose score is the given one's plus s·∇ ln p(y|x): ε̂ = ε − s·σ·∇, x̂₀ = x̂₀ + s·(σ²/α)·∇.
    ///
    /// A sample without data (α = 0) says nothing of its class: the estimate stays as it is there.
    /// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), algorithm 2, for any (α, σ).
    public func denoiser(_ unconditional: Denoiser) -> Denoiser {
        unconditional.map { estimate, x, level in
            guard scale != 0, level.alpha > 0 else { return estimate }
            let gradient = gradient(x, at: level)
            let dataScale = scale * level.sigma * level.sigma / level.alpha
            return Estimate(
                data: estimate.data.adding(gradient, scale: dataScale),
                noise: estimate.noise.adding(gradient, scale: -scale * level.sigma))
        }
    }

    /// A denoiser whose estimate stays, and by which ancestral steps move their mean by s·Σ·∇ ln p(y|x), Σ being the variance
    /// of each step, a learned one included.
    /// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), algorithm 1.
    public func moving(_ denoiser: Denoiser) -> Denoiser {
        denoiser.map { estimate, x, level in
            var moved = estimate
            moved.meanShift = gradient(x, at: level) * scale
            return moved
        }
    }

    /// A solver whose ancestral steps have their mean shifted by s·Σ·∇ ln p(y|x_t).
    public func shifting<Base: Solver>(
        _ base: Base, variance: MeanShiftedSolver<Base>.Variance = .posterior
    ) -> MeanShiftedSolver<Base> {
        MeanShiftedSolver(base: base, guidance: self, variance: variance)
    }
}
