import Dispatch
import Synchronization

/// The batches of a data set in an order, some of them prepared on another thread ahead of time.
///
/// What comes out does not depend on how many are prepared: batches come in their order, an error comes with the
/// batch that it belongs to, and ``order`` does not count batches that were not handed out yet.
public final class BatchLoader {
    /// Where the order stands after the last batch that was handed out; what a run saves.
    public private(set) var order: BatchOrder
    private let dataset: any Dataset
    private let ahead: Int
    /// Where the order stands after the last batch that was begun.
    private var planned: BatchOrder
    /// What was begun and not yet handed out.
    private var begun: [Preparation] = []
    /// One batch after the other: a data set that counts its damaged pictures meets them in order.
    private let queue = DispatchQueue(label: "langevin.batches")

    /// A loader that begins nothing before the first call of ``next()``.
    ///
    /// - Parameters:
    ///   - order: Where to begin.
    ///   - ahead: How many batches are prepared while one is in use; with 0, each is made in the call of ``next()``.
    public init(_ dataset: any Dataset, order: BatchOrder, ahead: Int) {
        self.dataset = dataset
        self.order = order
        self.ahead = ahead
        planned = order
    }

    deinit { stop() }

    /// The next batch; those after it are begun.
    ///
    /// - Throws: ``DatasetError`` where a file of this batch can no longer be read.
    public func next() throws -> Batch {
        guard ahead > 0 else { return try dataset.batch(for: order.next()) }
        while begun.count <= ahead {
            let draw = planned.next()
            let preparation = Preparation(after: planned) { [dataset] in try dataset.batch(for: draw) }
            queue.async(execute: preparation.work)
            begun.append(preparation)
        }
        let preparation = begun.removeFirst()
        order = preparation.order
        return try preparation.batch()
    }

    /// Gives up what was begun, and returns when nothing runs any more. The next batch is the one that would
    /// have been handed out.
    public func stop() {
        for preparation in begun { preparation.work.cancel() }
        queue.sync {}
        begun = []
        planned = order
    }
}

/// A batch that is being made.
private final class Preparation {
    /// Where the order stands after it.
    let order: BatchOrder
    let work: DispatchWorkItem
    private let result: Answer

    init(after order: BatchOrder, _ make: @escaping @Sendable () throws -> Batch) {
        self.order = order
        let answer = Answer()
        result = answer
        work = DispatchWorkItem { answer.value.withLock { $0 = Result(catching: make) } }
    }

    /// Waits for it.
    func batch() throws -> Batch {
        work.wait()
        return try result.value.withLock { $0! }.get()
    }

    /// What one thread leaves for another.
    private final class Answer: Sendable {
        let value = Mutex<Result<Batch, any Error>?>(nil)
    }
}
