import Layers
import Tensors

/// What stands between the two layers of a feed-forward network, under diffusers' names.
public enum FeedForwardActivation: String, Codable, Sendable, CaseIterable {
    case gelu
    case geluApproximate = "gelu-approximate"
    case geglu
    /// x · sigmoid(1.702 x), in spite of its name without a gate.
    case quickGELU = "geglu-approximate"
    case swiglu
    case silu = "linear-silu"

    /// Whether one half of the features gates the other.
    var isGated: Bool { self == .geglu || self == .swiglu }

    /// The same as what a linear layer can do right after its product, `nil` where it cannot.
    var afterProduct: AfterProduct? {
        switch self {
        case .gelu: .gelu
        case .geluApproximate: .approximateGELU
        case .geglu: .geglu
        case .silu: .silu
        case .quickGELU, .swiglu: nil
        }
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        switch self {
        case .gelu: return x.gelu()
        case .geluApproximate: return x.gelu(approximate: true)
        case .quickGELU: return x * (1.702 * x).sigmoid()
        case .silu: return x.silu()
        case .geglu, .swiglu:
            let halves = x.chunked(2, of: -1)
            return halves[0] * (self == .geglu ? halves[1].gelu() : halves[1].silu())
        }
    }
}

extension FeedForwardActivation: Named {}

/// The two-layer network that a transformer applies to each token, four times as wide inside.
/// Parameters `net.0.proj.*`, `net.2.*`.
/// Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.3; gates: Shazeer 2020 (arXiv:2002.05202).
struct FeedForward {
    let input: Linear
    let output: Linear
    let activation: FeedForwardActivation
    let dropout: Dropout

    init(width: Int, _ activation: FeedForwardActivation, dropout: Double = 0, _ weights: Weights) {
        let inner = 4 * width
        input = Linear(
            inputs: width, outputs: activation.isGated ? 2 * inner : inner, weights["net"][0]["proj"])
        output = Linear(inputs: inner, outputs: width, weights["net"][2])
        self.activation = activation
        self.dropout = Dropout(dropout)
    }

    /// residual + gate · feedForward(x).
    /// - Parameters:
    ///   - x: `[…, width]`, the shape stays.
    ///   - residual: of that shape.
    ///   - gate: `[batch, 1, width]`
    func callAsFunction(
        _ x: Tensor, adding residual: Tensor, gatedBy gate: Tensor, dropout generator: RandomGenerator? = nil
    ) -> Tensor {
        let hidden = activation.afterProduct.map { input(x, then: $0) } ?? activation(input(x))
        return output(dropout(hidden, generator), then: .nothing, adding: residual, gatedBy: gate)
    }
}
