import Datasets
import Networks
import Tensors

/// The class of each example as one token that the network attends to, by a table that is trained along; some of the
/// classes are hidden behind the one that stands for none.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 4.3.1.
public struct ClassTokenConditioner: Conditioner {
    /// The name under which the table's parameters stand in checkpoints.
    static let scope = "class_embedder"

    /// The table.
    public let table: ClassEmbedder
    /// What hides classes.
    public let classes: ClassConditioner

    /// A conditioner.
    public init(_ table: ClassEmbedder, _ classes: ClassConditioner) {
        (self.table, self.classes) = (table, classes)
    }

    /// The labels: what the network is given stays with its noise.
    public func classes(of batch: Batch) -> Tensor? { batch.labels }

    /// The tokens. Draws one number an example.
    /// - Throws: `RecipeError` where the batch has no labels.
    public func conditions(of batch: Batch, hiding generator: RandomGenerator?, on device: Device) throws
        -> Conditions
    {
        let labels = try classes.conditions(of: batch, hiding: generator, on: device)[.labels]
        return Conditions(context: labels.map { table($0) })
    }
}
