private let groupNormalize = Operator("aten::group_norm")
private let layerNormalize = Operator("aten::layer_norm")

extension Tensor {
    /// Mean 0 and variance 1 over each group of channels, then scaled and shifted by channel.
    /// Source: Wu and He 2018 (arXiv:1803.08494), equation 1.
    public func groupNormalized(
        groups: Int, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
    ) -> Tensor {
        groupNormalize(
            .tensor(self), .int(groups), .optional(weight), .optional(bias), .double(epsilon))
    }

    /// Mean 0 and variance 1 over the innermost dimensions, then scaled and shifted.
    /// Source: Ba et al. 2016 (arXiv:1607.06450), equation 4.
    public func layerNormalized(
        over shape: Shape, weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
    ) -> Tensor {
        layerNormalize(
            .tensor(self), .ints(shape.extents), .optional(weight), .optional(bias), .double(epsilon))
    }
}
