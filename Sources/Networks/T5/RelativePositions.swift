import Foundation
import Layers
import Tensors

/// What attention adds for the distance between two tokens: a learned number for each bucket of distances
/// and each head. Parameter `weight` `[buckets, heads]`.
///
/// Half of the buckets is for tokens that come later. Of each half, the first half has a bucket for every
/// distance; in the other, buckets grow as the logarithm of the distance up to `maxDistance`, and the last
/// takes all that is farther.
/// Source: Raffel et al. 2020 (arXiv:1910.10683), section 2.1.
struct RelativePositions {
    let table: Embedding
    let buckets: Int
    let maxDistance: Int

    init(_ configuration: T5Configuration, _ weights: Weights) {
        buckets = configuration.relativeAttentionNumBuckets
        maxDistance = configuration.relativeAttentionMaxDistance
        table = Embedding(count: buckets, width: configuration.numHeads, weights)
    }

    /// `[1, heads, count, count]`
    func callAsFunction(count: Int, on device: Device) -> Tensor {
        let places = Tensor.range(to: Double(count), .int64, on: device)
        let distances = places.unsqueezed(0) - places.unsqueezed(1)
        let kinds = relativePositionBuckets(distances, buckets: buckets, maxDistance: maxDistance)
        return table(kinds).permuted(2, 0, 1).unsqueezed(0)
    }
}

/// The bucket of each distance (`int64`, positive where the other token comes later).
package func relativePositionBuckets(_ distances: Tensor, buckets: Int, maxDistance: Int) -> Tensor {
    let half = buckets / 2
    let exact = half / 2
    let far = distances.magnitude()
    // In float32, as these networks were trained: where a logarithm is a whole number, rounding decides.
    let share = (far.to(.float32) / Double(exact)).log() / log(Double(maxDistance) / Double(exact))
    let logarithmic = (share * Double(half - exact)).clamped(from: 0).to(.int64) + Double(exact)
    let near = (far .< Double(exact)).choosing(far, otherwise: logarithmic.clamped(upTo: Double(half - 1)))
    return (near + (distances .> 0).to(.int64) * Double(half)).to(.int64)
}
