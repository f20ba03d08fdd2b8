import Layers
import Tensors

/// Embeddings as sequences of whole numbers: the principal components of CLIP's embeddings of pictures, in the order of
/// decreasing eigenvalues, each put into one of equally wide buckets between the least and the largest value of the data.
/// Constants `mean` `[features]`, `components` `[components, features]`, `least` and `width` `[components]`, and `cosines`
/// `[buckets − 1]`, the ends of buckets of equally many of the data for the cosine of a text and its picture.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125), section 2.2.
public struct EmbeddingQuantizer: Sendable {
    /// Buckets of a component.
    public let buckets: Int
    let mean: Tensor
    let components: Tensor
    let least: Tensor
    let width: Tensor
    let cosines: Tensor

    /// A quantizer with its constants from a scope.
    init(features: Int, components count: Int, buckets: Int, _ weights: Weights) {
        self.buckets = buckets
        mean = weights.constant("mean", [features], .zeros)
        components = weights.constant("components", [count, features], .zeros)
        least = weights.constant("least", [count], .zeros)
        width = weights.constant("width", [count], .constant(1))
        cosines = weights.constant("cosines", [buckets - 1], .zeros)
    }

    /// Sets the constants to what data say.
    /// - Parameters:
    ///   - embeddings: of pictures, `[examples, features]`, two at least.
    ///   - texts: the cosine of each with its text, `[examples]`.
    /// - Returns: the share of the variance that the components hold.
    /// - Throws: the error that a tensor carries.
    @discardableResult
    public func fit(_ embeddings: Tensor, cosines found: Tensor) throws -> Double {
        let (data, count) = (embeddings.to(.float64), components.shape[0])
        let centre = data.mean([0])
        let (values, vectors) = (data - centre).covariance().symmetricEigen()
        let rows = vectors.transposed().flipped(0).slice(0..<count, of: 0)
        // An eigenvector has no sign: its largest number is made positive.
        let places = rows.magnitude().indexOfMax(1).unsqueezed(1)
        let sign = (rows.taken(places, along: 1) .< 0).to(.float64) * -2 + 1
        let axes = rows * sign
        let projected = (data - centre).matmul(axes.transposed())
        let low = projected.min([0])
        // A component without any spread has a bucket of some width all the same.
        let step = (projected.max([0]) - low).clamped(from: 1e-6) / Double(buckets)
        try mean.assign(centre)
        try components.assign(axes)
        try least.assign(low)
        try width.assign(step)
        let shares = (1..<buckets).map { Double($0) / Double(buckets) }
        let ends = shares.map { found.to(.float64).quantile($0, 0).reshaped([1]) }
        try cosines.assign(concatenated(ends))
        let kept = try values.flipped(0).slice(0..<count, of: 0).sum().item(Double.self)
        return try kept / values.sum().item(Double.self)
    }

    /// The buckets of embeddings `[batch, features]`: `[batch, components]` as `int64`.
    public func codes(of embeddings: Tensor) -> Tensor {
        let projected = (embeddings - mean).matmul(components.transposed())
        return ((projected - least) / width).floor().clamped(to: 0...Double(buckets - 1)).to(.int64)
    }

    /// The embeddings in the middle of buckets `[batch, components]`: `[batch, features]`.
    public func embeddings(of codes: Tensor) -> Tensor {
        let projected = (codes.to(least.elementType) + 0.5) * width + least
        return projected.matmul(components) + mean
    }

    /// The buckets of cosines `[batch]`: `[batch]` as `int64`.
    public func codes(ofCosines values: Tensor) -> Tensor {
        (values.unsqueezed(1) .>= cosines.unsqueezed(0)).to(.int64).sum([1])
    }
}
