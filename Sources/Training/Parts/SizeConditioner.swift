import Datasets
import Networks
import Tensors

/// The sizes of pictures beside another condition: original size, corner of what was cut out, size in the batch, as SDXL's
/// networks read them. They are not hidden where the other condition is.
/// Source: Podell et al. 2023 (arXiv:2307.01952), section 2.2.
public struct SizeConditioner: Conditioner {
    /// The number of sizes.
    static let count = 2 * Batch.sizeNames.count
    /// What is conditioned on beside.
    public let base: any Conditioner

    /// A conditioner on sizes and something else.
    public init(_ base: any Conditioner) { self.base = base }

    /// Those of the other condition.
    public func classes(of batch: Batch) -> Tensor? { base.classes(of: batch) }

    /// The other condition, and six numbers for each picture.
    /// - Throws: `RecipeError` where the batch has no sizes.
    public func conditions(of batch: Batch, hiding generator: RandomGenerator?, on device: Device) throws
        -> Conditions
    {
        var conditions = try base.conditions(of: batch, hiding: generator, on: device)
        let sizes = Batch.sizeNames.compactMap { batch.tensors[$0] }
        guard sizes.count == Batch.sizeNames.count else {
            throw RecipeError("model: the network reads the sizes of pictures, and the data have none.")
        }
        conditions[.numbers] = concatenated(sizes, along: 1).sent(to: device)
        return conditions
    }
}
