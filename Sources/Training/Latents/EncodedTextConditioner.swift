import Datasets
import Networks
import Tensors

/// The embedding of each example's caption, computed before (`LatentEncoding`), some of them hidden behind that of the
/// empty text. It draws what `TextConditioner` draws.
/// Source: Ho and Salimans 2022 (arXiv:2207.12598), algorithm 1.
public struct EncodedTextConditioner: Conditioner {
    /// Part of the examples whose text is hidden.
    public let dropout: Double
    /// Whether the network reads the text as a whole beside its tokens.
    public let givesPooled: Bool

    /// A conditioner.
    public init(dropout: Double, givesPooled: Bool) {
        (self.dropout, self.givesPooled) = (dropout, givesPooled)
    }

    /// The labels, where the data have any.
    public func classes(of batch: Batch) -> Tensor? { batch.labels }

    /// The embeddings in the batch. Draws one number an example.
    /// - Throws: `RecipeError` where the batch has none.
    public func conditions(of batch: Batch, hiding generator: RandomGenerator?, on device: Device) throws
        -> Conditions
    {
        let count = batch.data.shape[0]
        let hidden = generator?.coin([count], probability: dropout)
        func shown(_ name: String) throws -> Tensor {
            guard let own = batch.tensors[name], let empty = batch.tensors["empty_\(name)"] else {
                throw RecipeError("data.captions is file: the data hold no embeddings of captions.")
            }
            guard let hidden else { return own.sent(to: device) }
            let mask = hidden.reshaped(Shape([count] + own.shape.extents.dropFirst().map { _ in 1 }))
            return mask.choosing(empty, otherwise: own).sent(to: device)
        }
        return try Conditions(
            context: shown("context"), pooledText: givesPooled ? shown("pooled") : nil)
    }
}
