import Datasets
import Networks

// Pictures of several sizes, and networks that are conditioned on sizes.

extension Recipe {
    /// Checks that pictures of every bucket can pass through a network.
    /// - Throws: `RecipeError` that names the keys.
    func checkBuckets(_ traits: NetworkTraits) throws {
        guard let step = data.buckets, let size = data.size else { return }
        guard step % traits.sizeMultiple == 0 else {
            throw RecipeError(
                "data.buckets is \(step): the network halves pictures down to 1/\(traits.sizeMultiple), so write a multiple of \(traits.sizeMultiple)."
            )
        }
        let buckets = try AspectBuckets(size: size, step: step, ratio: data.bucketRatio ?? 2)
        let longest = buckets.sizes.map { max($0.width, $0.height) }.max() ?? 0
        guard traits.patch == nil || longest <= traits.largestSide ?? 0 else {
            throw RecipeError(
                traits.largestSide.map {
                    "data.buckets: a side is \(longest), and the network has places for \($0) pixels a side: make data.size, data.bucket_ratio or model.pos_embed_max_size another."
                } ?? "data.buckets: a \(model.kind.word) network keeps places of one size: leave buckets out."
            )
        }
    }

    /// Checks that a network that reads sizes is given what it reads.
    /// - Throws: `RecipeError` that names the keys.
    func checkNumbers(_ numbers: NetworkTraits.Numbers, _ demands: NetworkDemands) throws {
        guard data.kind.hasPictureFiles else {
            throw RecipeError(
                "model: this \(model.kind.word) network reads the sizes of pictures, and data.kind \(data.kind.word) has none beside them: use folder or webdataset, or set addition_embed_type to null."
            )
        }
        let wanted = SizeConditioner.count * numbers.width + (demands.pooledWidth ?? 0)
        guard numbers.total == wanted else {
            throw RecipeError(
                "model.\(numbers.key) is \(numbers.total): six sizes of \(numbers.width) features and a text of \(demands.pooledWidth ?? 0) are \(wanted)."
            )
        }
    }
}
