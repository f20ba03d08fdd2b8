private let attention = Operator("aten::scaled_dot_product_attention")

/// softmax(Q·Kᵀ·scale + mask)·V over `[batch, heads, tokens, head size]`, by the fastest kernel there is.
///
/// - Parameters:
///   - mask: added to the scores (or `false` = not seen), broadcast to `[batch, heads, queries, keys]`.
///   - isCausal: whether a query sees only keys at or before its own place.
///   - scale: 1/√(head size) where `nil`.
/// Source: Vaswani et al. 2017 (arXiv:1706.03762), equation 1.
public func scaledDotProductAttention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor? = nil, isCausal: Bool = false,
    scale: Double? = nil
) -> Tensor {
    attention(
        .tensor(query), .tensor(key), .tensor(value), .optional(mask), .double(0), .bool(isCausal),
        scale.map { .double($0) } ?? .none)
}
