import Tensors

/// A group norm with what follows it, not computed yet: `norm.deferred(x).then(.silu)`.
///
/// A convolution that reads it computes all of it in its own passes over memory where the processor has a kernel, and one
/// after the other elsewhere, with the same result to rounding.
package struct DeferredNorm {
    let x: Tensor
    private let norm: GroupNorm?
    private let modulation: (scale: Tensor, shift: Tensor)?
    private var activation: Activation?
    private var dropout: (layer: Dropout, generator: RandomGenerator)?

    init(_ x: Tensor, _ norm: GroupNorm, _ modulation: (scale: Tensor, shift: Tensor)?) {
        (self.x, self.norm, self.modulation) = (x, norm, modulation)
    }

    /// A norm of another kind, computed already, `[batch, channels, …]`.
    package init(computed x: Tensor) { (self.x, norm, modulation) = (x, nil, nil) }

    /// The same, then an activation.
    package func then(_ activation: Activation) -> DeferredNorm {
        precondition(self.activation == nil && dropout == nil, "one activation follows a norm")
        guard norm != nil else { return DeferredNorm(computed: activation(x)) }
        var result = self
        result.activation = activation
        return result
    }

    /// The same, then dropout.
    /// - Parameter generator: decides what is dropped; `nil` outside training, where nothing is.
    package func then(_ layer: Dropout, _ generator: RandomGenerator?) -> DeferredNorm {
        guard let generator, layer.probability > 0 else { return self }
        var result = self
        result.dropout = (layer, generator)
        return result
    }

    /// The result, computed now, `[batch, channels, …]`.
    package var value: Tensor {
        var hidden = x
        if let norm, let (scale, shift) = modulation {
            hidden = shift.broadcast(toRank: 4).adding(productOf: norm(x), scale.broadcast(toRank: 4) + 1)
            hidden = activation?(hidden) ?? hidden
        } else if let norm {
            hidden = norm(x, then: activation)
        }
        return dropout.map { $0.layer(hidden, $0.generator) } ?? hidden
    }

    /// Whether it is what kernels compute: a group norm, then SiLU, and nothing else.
    var isNormThenSiLU: Bool {
        norm != nil && dropout == nil && (activation == .silu || activation == .swish)
    }

    /// What a kernel multiplies each channel by and adds to it.
    var factors: Tensor? {
        norm.map { norm in
            x.groupNormFactors(
                groups: norm.groups, weight: norm.weight, bias: norm.bias, epsilon: norm.epsilon,
                scale: modulation?.scale.expanded(toRows: x.shape[0]),
                shift: modulation?.shift.expanded(toRows: x.shape[0]))
        }
    }
}

extension GroupNorm {
    /// The norm of a tensor for a convolution to compute, scaled by 1 + `scale` and shifted where there is a modulation.
    /// - Parameters:
    ///   - x: `[batch, channels, …]`
    ///   - modulation: `[batch, channels]` each, or one row for all.
    package func deferred(_ x: Tensor, modulatedBy modulation: (scale: Tensor, shift: Tensor)? = nil)
        -> DeferredNorm
    {
        DeferredNorm(x, self, modulation)
    }
}

extension Tensor {
    /// One row for all, or one for each of `count`, as `count` rows.
    fileprivate func expanded(toRows count: Int) -> Tensor {
        shape[0] == count ? self : expanded(to: [count, shape[1]])
    }
}
