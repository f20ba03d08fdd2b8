import Tensors

/// Mean 0 and variance 1 over each group of channels. Parameters `weight`, `bias` `[channels]`.
/// Source: Wu and He 2018 (arXiv:1803.08494).
public struct GroupNorm: Sendable {
    let weight: Tensor
    let bias: Tensor
    let groups: Int
    let epsilon: Double
    let name: String

    /// A norm of `channels` channels in `groups` groups.
    public init(groups: Int, channels: Int, epsilon: Double = 1e-5, _ weights: Weights) {
        precondition(
            channels % groups == 0, "\(weights.path): \(groups) groups do not divide \(channels) channels")
        // Few numbers, and rounded to bfloat16 they cost a decoder as much precision as all its matrices: kernels
        // take them in float32.
        let weights = weights.isPrepared ? weights.inFloat32 : weights
        weight = weights.parameter("weight", [channels], .ones)
        bias = weights.parameter("bias", [channels], .zeros)
        self.groups = groups
        self.epsilon = epsilon
        name = weights.path
    }

    /// `[batch, channels, …]`, the shape stays.
    public func callAsFunction(_ x: Tensor) -> Tensor { self(x, then: nil) }

    /// activation(norm(x)): `[batch, channels, …]`, the shape stays. SiLU costs no pass over memory of its own where
    /// there is a kernel.
    package func callAsFunction(_ x: Tensor, then activation: Activation?) -> Tensor {
        if activation == .silu || activation == .swish, LayerWatch.current == nil {
            return x.groupNormalized(
                groups: groups, weight: weight, bias: bias, epsilon: epsilon, thenSiLU: true)
        }
        let normed = watched(
            x.groupNormalized(groups: groups, weight: weight, bias: bias, epsilon: epsilon, thenSiLU: false),
            name, "GroupNorm")
        return activation?(normed) ?? normed
    }
}

/// Mean 0 and variance 1 over the innermost dimension. Parameters `weight`, `bias` `[width]`.
/// Source: Ba et al. 2016 (arXiv:1607.06450).
public struct LayerNorm: Sendable {
    let weight: Tensor?
    let bias: Tensor?
    let width: Int
    let epsilon: Double
    let name: String

    /// A norm of `width` features; without `affine` it has no parameters.
    public init(width: Int, epsilon: Double = 1e-5, affine: Bool = true, _ weights: Weights) {
        weight = affine ? weights.parameter("weight", [width], .ones) : nil
        bias = affine ? weights.parameter("bias", [width], .zeros) : nil
        self.width = width
        self.epsilon = epsilon
        name = weights.path
    }

    /// `[…, width]`, the shape stays.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        precondition(
            x.failure != nil || x.shape.extents.last == width, "a norm of \(width) features for \(x.shape)")
        return watched(
            x.layerNormalized(weight: weight, bias: bias, epsilon: epsilon, shift: nil, scale: nil), name,
            "LayerNorm")
    }

    /// norm(x) · (1 + scale) + shift.
    /// - Parameters:
    ///   - x: `[batch, tokens, width]`, the shape stays.
    ///   - shift, scale: `[batch, 1, width]`
    public func callAsFunction(_ x: Tensor, shift: Tensor, scale: Tensor) -> Tensor {
        watched(
            x.layerNormalized(weight: weight, bias: bias, epsilon: epsilon, shift: shift, scale: scale), name,
            "LayerNorm")
    }
}

/// Root mean square 1 over the innermost dimension, means left alone. Parameter `weight` `[width]`.
/// Source: Zhang and Sennrich 2019 (arXiv:1910.07467), equation 4.
public struct RMSNorm: Sendable {
    let weight: Tensor
    let epsilon: Double
    let name: String

    /// A norm of `width` features.
    public init(width: Int, epsilon: Double = 1e-6, _ weights: Weights) {
        weight = weights.parameter("weight", [width], .ones)
        self.epsilon = epsilon
        name = weights.path
    }

    /// `[…, width]`, the shape stays. Squares are summed in `float32` at least; the result has the type
    /// of the weights.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        let wide = x.elementType == .float64 ? x : x.to(.float32)
        let meanSquare = wide.squared().mean([-1], keepingDimensions: true)
        return watched(
            weight * (wide * (meanSquare + epsilon).inverseSquareRoot()).to(weight.elementType), name,
            "RMSNorm")
    }
}
