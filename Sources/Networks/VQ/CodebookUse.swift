import Tensors

/// How many vectors of a codebook stand for latents.
public struct CodebookUse: Sendable {
    /// How many latents each vector stands for, `[count]`, `float64`.
    public private(set) var counts: Tensor

    /// The use of a codebook of `count` vectors.
    /// - Parameter indices: of the vectors that stand for latents, `int64` of any shape.
    public init(of indices: Tensor, among count: Int) {
        counts = indices.flattened().counts(upTo: count, as: .float64)
    }

    /// The use by two batches.
    public static func + (first: CodebookUse, second: CodebookUse) -> CodebookUse {
        var sum = first
        sum.counts = first.counts + second.counts
        return sum
    }

    /// e to the entropy of the vectors: the number of vectors that an even use of as much information would have, a
    /// scalar.
    public var perplexity: Tensor {
        let shares = counts / counts.sum()
        return (-(shares * shares.clamped(from: 1e-300).log()).sum()).exp()
    }

    /// The share of vectors that stand for a latent at all, a scalar.
    public var usedShare: Tensor { (counts .> 0).to(.float64).mean() }
}
