import Dispatch
import Synchronization

/// The batches of a data set in an order, some of them prepared on other threads ahead of time.
///
/// What comes out depends neither on how many are prepared nor on the number of threads: batches come in their order, an
/// error comes with the batch that it belongs to, and ``position`` does not count batches that were not handed out yet.
public final class BatchLoader {
    /// Where the order stands after the last batch that was handed out; what a run saves.
    public private(set) var position: BatchOrder.Position
    /// How long the calls of ``next()`` have waited for batches, all together.
    public private(set) var waited = Duration.zero
    /// How long a call waits before `onStall` is called, and then again.
    private static let patience = 60.0
    private let planner: Planner
    private let ahead: Int
    private let onStall: (_ seconds: Double) -> Void
    /// What was begun and not yet handed out.
    private var begun: [Preparation] = []
    /// One decision after the other.
    private let planning = DispatchQueue(label: "langevin.batches.order")
    /// One for each worker, in turn. Queues of their own have threads of their own, however busy the shared ones are.
    private let making: [DispatchQueue]
    private var turn = 0

    /// A loader that begins nothing before the first call of ``next()``.
    ///
    /// - Parameters:
    ///   - configuration: Everything that decides the order.
    ///   - position: Where to begin.
    ///   - ahead: How many batches are prepared while one is in use, at least as many as there are workers; with 0, each
    ///     is made in the call of ``next()``.
    ///   - workers: How many batches are made at a time, a thread each.
    ///   - onStall: Is called whenever a batch has been waited for another minute, with the seconds so far.
    /// - Throws: ``DatasetError`` where the order cannot be met.
    public init(
        _ dataset: any Dataset, _ configuration: BatchOrder.Configuration,
        at position: BatchOrder.Position = BatchOrder.Position(), ahead: Int, workers: Int = 1,
        onStall: @escaping (_ seconds: Double) -> Void = { _ in }
    ) throws {
        let planner = Planner { try dataset.batches(configuration, at: $0) }
        try planner.begin(at: position)
        (self.planner, self.position, self.onStall) = (planner, position, onStall)
        self.ahead = ahead == 0 ? 0 : max(ahead, workers)
        making = (0..<workers).map { DispatchQueue(label: "langevin.batches.\($0)") }
    }

    deinit { stop() }

    /// The next batch; those after it are begun.
    ///
    /// - Throws: ``DatasetError`` where a file of this batch can no longer be read.
    public func next() throws -> Batch {
        let start = ContinuousClock.now
        defer { waited += ContinuousClock.now - start }
        guard ahead > 0 else {
            let (make, position) = try planner.next()
            self.position = position
            return try make()
        }
        while begun.count <= ahead { begin() }
        let preparation = begun.removeFirst()
        let (batch, position) = preparation.wait(for: Self.patience, onStall)
        self.position = position ?? self.position
        return try batch.get()
    }

    /// Has the batch after those that were begun prepared.
    private func begin() {
        let preparation = Preparation()
        let worker = making[turn]
        turn = (turn + 1) % making.count
        planning.async { [planner] in
            guard preparation.isWanted else { return }
            do {
                let (make, position) = try planner.next()
                worker.async { preparation.finish(position, make) }
            } catch {
                preparation.finish(nil) { throw error }
            }
        }
        begun.append(preparation)
    }

    /// Gives up what was begun, and returns when nothing runs any more. The next batch is the one that would
    /// have been handed out.
    public func stop() {
        for preparation in begun { preparation.giveUp() }
        planning.sync {}
        for worker in making { worker.sync {} }
        guard !begun.isEmpty else { return }
        begun = []
        planner.goBack(to: position)
    }
}

/// What decides on batches. Only one thread at a time calls it: the loader's, or that of its queue of decisions.
private final class Planner: @unchecked Sendable {
    private let open: (BatchOrder.Position) throws -> any BatchStream
    private var stream: (any BatchStream)?
    private var start = BatchOrder.Position()

    init(_ open: @escaping (BatchOrder.Position) throws -> any BatchStream) { self.open = open }

    func begin(at position: BatchOrder.Position) throws {
        (start, stream) = (position, try open(position))
    }

    func goBack(to position: BatchOrder.Position) { (start, stream) = (position, nil) }

    /// What makes the next batch, and where the order stands after it.
    func next() throws -> (make: @Sendable () throws -> Batch, position: BatchOrder.Position) {
        if stream == nil { try begin(at: start) }
        let make = try stream!.next()
        return (make, stream!.position)
    }
}

/// A batch that is being made.
private final class Preparation: Sendable {
    private struct State {
        var isWanted = true
        var result: Result<Batch, any Error>?
        var position: BatchOrder.Position?
    }

    private let state = Mutex(State())
    private let isDone = DispatchSemaphore(value: 0)

    var isWanted: Bool { state.withLock { $0.isWanted } }

    func giveUp() { state.withLock { $0.isWanted = false } }

    /// Makes the batch, unless nobody wants it any more.
    /// - Parameter position: where the order stands after it.
    func finish(_ position: BatchOrder.Position?, _ make: () throws -> Batch) {
        guard isWanted else { return }
        let result = Result(catching: make)
        state.withLock { ($0.result, $0.position) = (result, position) }
        isDone.signal()
    }

    func wait(
        for patience: Double, _ onStall: (Double) -> Void
    ) -> (batch: Result<Batch, any Error>, position: BatchOrder.Position?) {
        var seconds = 0.0
        while isDone.wait(timeout: .now() + patience) == .timedOut {
            seconds += patience
            onStall(seconds)
        }
        return state.withLock { ($0.result!, $0.position) }
    }
}
