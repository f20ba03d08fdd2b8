import Tensors

/// A non-linearity, under the names that configurations use.
public enum Activation: String, Codable, Sendable, CaseIterable {
    case silu
    case swish
    case mish
    case gelu
    /// x · sigmoid(1.702 x), near `gelu`. Source: Hendrycks and Gimpel 2016 (arXiv:1606.08415), section 2.
    case quickGELU = "quick_gelu"
    /// `gelu` by the approximation with a hyperbolic tangent of the same source.
    case newGELU = "gelu_new"
    case relu

    /// The function, element by element.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .silu, .swish: x.silu()
        case .mish: x.mish()
        case .gelu: x.gelu()
        case .quickGELU: x * (x * 1.702).sigmoid()
        case .newGELU: x.gelu(approximate: true)
        case .relu: x.relu()
        }
    }
}

/// Sets elements to 0 with a probability and scales the rest to keep the mean, while training.
/// Source: Srivastava et al. 2014, section 4.
public struct Dropout: Sendable {
    package let probability: Double

    /// - Parameter probability: of an element to be dropped, from 0 up to but not including 1.
    public init(_ probability: Double) {
        self.probability = probability
    }

    /// - Parameter generator: decides what is dropped; `nil` outside training, where nothing is.
    public func callAsFunction(_ x: Tensor, _ generator: RandomGenerator?) -> Tensor {
        guard let generator, probability > 0 else { return x }
        let kept = generator.coin(x.shape, probability: 1 - probability).to(x.elementType)
        return x * kept.sent(to: x.device) / (1 - probability)
    }
}
