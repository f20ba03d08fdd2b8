import Tensors

/// A score network: samples `[batch, …]` to ∇ ln p of each.
public typealias ScoreFunction = (_ x: Tensor) throws -> Tensor

/// Losses whose minimiser is the score of the data's density, none of which knows that density.
///
/// Each is one number an example, `[batch]`, and a constant apart from the Fisher divergence
/// ½·E‖s(x) − ∇ ln p(x)‖².
public enum ScoreMatching {
    /// ½·‖s − s*‖² of each example, where the true score s* is known.
    /// Source: Hyvärinen 2005, equation 2.
    public static func fisherDivergence(_ score: Tensor, from truth: Tensor) -> Tensor {
        0.5 * (score - truth).squared().sumPerExample()
    }

    /// ½·‖s‖² + tr ∇s, the trace exact: one differentiation for each element of an example.
    /// Source: Hyvärinen 2005, theorem 1.
    /// - Throws: `TensorError` where the network carries an error.
    public static func explicit(_ x: Tensor, score: ScoreFunction) throws -> Tensor {
        let point = x.requiringGradient()
        let value = try score(point)
        return try (0.5 * value.squared().sumPerExample()) + divergence(of: value, at: point)
    }

    /// ½·‖s(x + σε) + ε/σ‖², the score of the data blurred by σ.
    /// Source: Vincent 2011, section 4; Song and Ermon 2019 (arXiv:1907.05600), equation 5.
    /// - Throws: what the score function throws.
    public static func denoising(
        _ x: Tensor, noise: Tensor, sigma: Double, score: ScoreFunction
    ) rethrows -> Tensor {
        let difference = try score(x.adding(noise, scale: sigma)) + noise / sigma
        return 0.5 * difference.squared().sumPerExample()
    }

    /// vᵀ∇s·v + ½·(vᵀs)² along a direction for each example, two differentiations whatever the dimension.
    ///
    /// With `reducesVariance` the second term is taken in closed form, ½·‖s‖²: for directions of
    /// covariance 1 only.
    /// Source: Song et al. 2019 (arXiv:1905.07088), section 3.
    /// - Parameter directions: v, shaped as x, of zero mean and covariance 1.
    /// - Throws: `TensorError` where the network carries an error.
    public static func sliced(
        _ x: Tensor, directions: Tensor, reducesVariance: Bool = true, score: ScoreFunction
    ) throws -> Tensor {
        let point = x.requiringGradient()
        let value = try score(point)
        let square =
            reducesVariance
            ? value.squared().sumPerExample() : (value * directions).sumPerExample().squared()
        return try (0.5 * square) + divergence(of: value, at: point, along: directions)
    }

    /// tr ∇s of each example, `[batch]`, exact, and differentiable again.
    /// - Parameters:
    ///   - value: s(x), recorded for gradients.
    ///   - point: x, for which gradients are recorded.
    /// - Precondition: s of an example depends on that example alone.
    /// - Throws: `TensorError` where a tensor carries an error.
    static func divergence(of value: Tensor, at point: Tensor) throws -> Tensor {
        let (outputs, width) = (value.flattened(from: 1), point.flattened(from: 1).shape[1])
        var trace = Tensor.zeros([point.shape[0]], point.elementType, on: point.device)
        guard value.requiresGradient else { return trace }
        for index in 0..<width {
            let slope = try gradients(
                of: [outputs.select(index, of: 1).sum()], withRespectTo: [point], differentiable: true)[0]
            guard let slope else { continue }
            trace = trace + slope.flattened(from: 1).select(index, of: 1)
        }
        return trace
    }

    /// vᵀ∇s·v of each example, `[batch]`: Hutchinson's estimate of the trace, differentiable again.
    /// Source: Hutchinson 1989; Song et al. 2019 (arXiv:1905.07088), section 3.
    /// - Throws: `TensorError` where a tensor carries an error.
    static func divergence(of value: Tensor, at point: Tensor, along directions: Tensor) throws -> Tensor {
        let none = Tensor.zeros([point.shape[0]], point.elementType, on: point.device)
        guard value.requiresGradient else { return none }
        let slope = try gradients(
            of: [(value * directions).sum()], withRespectTo: [point], differentiable: true)[0]
        return slope.map { ($0 * directions).sumPerExample() } ?? none
    }
}
