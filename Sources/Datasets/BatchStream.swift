/// Batches without an end, in an order that a seed decides.
///
/// What decides on a batch is apart from what makes it: the first goes on in order, one batch after the other; the second,
/// which decodes pictures, can be done on several threads at a time.
public protocol BatchStream {
    /// Where the stream stands after the batches that were decided on: all that is needed to go on from there.
    var position: BatchOrder.Position { get }
    /// Decides what the next batch holds and moves on. What is returned makes the batch, on any thread.
    ///
    /// - Throws: ``DatasetError`` where a file can no longer be read; the stream is of no use then.
    mutating func next() throws -> @Sendable () throws -> Batch
}

/// The batches of a data set whose examples are had by their numbers.
struct NumberedBatches: BatchStream {
    let dataset: any Dataset
    var order: BatchOrder

    var position: BatchOrder.Position { order.position }

    mutating func next() -> @Sendable () throws -> Batch {
        let draw = order.next()
        return { [dataset] in try dataset.batch(for: draw) }
    }
}
