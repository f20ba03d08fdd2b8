import Tensors

/// How a parameter begins when it is not loaded.
public enum Initializer: Sendable {
    /// One value everywhere.
    case constant(Double)
    /// Uniform in −bound … bound.
    case uniform(bound: Double)
    /// Normal around 0.
    case normal(deviation: Double)
    /// The values of a tensor of the same shape, made only where they are needed.
    case computed(@Sendable () -> Tensor)

    /// Zeros.
    public static let zeros = Initializer.constant(0)
    /// Ones.
    public static let ones = Initializer.constant(1)

    /// Uniform in ±1/√inputs, what PyTorch gives weights and biases of linear and convolution layers
    /// (He et al. 2015, arXiv:1502.01852, with a = √5).
    public static func fanIn(_ inputs: Int) -> Initializer {
        .uniform(bound: 1 / Double(max(inputs, 1)).squareRoot())
    }

    func fill(_ tensor: Tensor, _ generator: RandomGenerator) throws {
        switch self {
        case .constant(let value): try tensor.assign(value)
        case .uniform(let bound): try tensor.fillUniform(-bound...bound, generator)
        case .normal(let deviation): try tensor.fillNormal(mean: 0, deviation: deviation, generator)
        case .computed(let values): try tensor.assign(values())
        }
    }
}
