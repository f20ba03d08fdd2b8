import Diffusion
import Tensors

/// Arithmetic of CLIP's embeddings, which are directions.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125), sections 3.2 and 3.3.
public enum EmbeddingGeometry {
    /// Directions, `[…, features]`, each of length 1.
    public static func directions(_ embeddings: Tensor) -> Tensor {
        embeddings / length(embeddings)
    }

    /// Embeddings `[…, features]` brought to the length √features, so that features have about unit variance: how the models
    /// that are trained here take them.
    public static func scaled(_ embeddings: Tensor) -> Tensor {
        let features = embeddings.shape[embeddings.rank - 1]
        return directions(embeddings) * Double(features).squareRoot()
    }

    /// Embeddings on the great circle between two, their lengths in between.
    /// - Parameters:
    ///   - first: at share 0, `[1, features]`.
    ///   - last: at share 1, likewise.
    /// - Returns: a row for each share, `[shares, features]`.
    public static func between(_ first: Tensor, _ last: Tensor, shares: [Double]) -> Tensor {
        let (a, b) = (directions(first), directions(last))
        return concatenated(
            shares.map { share in
                let length = length(first) * (1 - share) + length(last) * share
                return sphericallyInterpolated(a, b, weight: share) * length
            })
    }

    /// The direction that leads from one text to another: the difference of their directions, of length 1.
    public static func difference(from: Tensor, to: Tensor) -> Tensor {
        directions(directions(to) - directions(from))
    }

    /// An embedding turned towards a direction; it keeps its length.
    /// - Parameters:
    ///   - embedding: `[1, features]`, at share 0.
    ///   - direction: `[1, features]` of length 1, at share 1.
    /// - Returns: a row for each share, `[shares, features]`.
    public static func turned(_ embedding: Tensor, to direction: Tensor, shares: [Double]) -> Tensor {
        let own = directions(embedding)
        return concatenated(
            shares.map { sphericallyInterpolated(own, direction, weight: $0) * length(embedding) })
    }

    /// The row of each group whose embedding has the largest cosine with a text.
    /// - Parameters:
    ///   - candidates: `[batch, candidates, features]`.
    ///   - texts: `[batch, features]`.
    /// - Returns: `[batch, features]`
    public static func best(of candidates: Tensor, for texts: Tensor) -> Tensor {
        let cosines = (directions(candidates) * directions(texts).unsqueezed(1)).sum([2])
        let rows = Tensor.range(to: Double(candidates.shape[0]), .int64, on: candidates.device)
        return candidates.indexed([rows, cosines.indexOfMax(1)])
    }

    private static func length(_ x: Tensor) -> Tensor { x.norm([-1], keepingDimensions: true) }
}
