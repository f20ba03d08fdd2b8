import Tensors

// libtorch has no fast products of float16 on processors: they take ten times as long as those of float32. There,
// layers compute in float32, a copy of one layer's weights at a time, and round what they give. That costs a few
// per cent of the time of float32, keeps memory at half, and is nearer to the exact result.

extension Tensor {
    /// The result of a function of this tensor, computed in float32 where float16 is slow, in this tensor's type.
    package func computedWide(_ function: (Tensor) -> Tensor) -> Tensor {
        guard elementType == .float16, device.kind == .cpu else { return function(self) }
        return function(to(.float32)).to(.float16)
    }

    /// Another tensor in this one's element type.
    package func alike(_ other: Tensor) -> Tensor {
        other.elementType == .float16 ? other.to(elementType) : other
    }
}

/// `scaledDotProductAttention`, by kernels that are fast for the type on the device.
package func attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor? = nil, isCausal: Bool = false,
    scale: Double? = nil
) -> Tensor {
    if mask == nil, !isCausal, query.elementType != .float16 {
        return fusedAttention(query: query, key: key, value: value, scale: scale)
    }
    return query.computedWide { query in
        scaledDotProductAttention(
            query: query, key: query.alike(key), value: query.alike(value), mask: mask.map(query.alike),
            isCausal: isCausal, scale: scale)
    }
}
