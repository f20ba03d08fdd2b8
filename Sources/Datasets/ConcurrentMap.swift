import Foundation

/// Maps on all cores and keeps the order; the first error in that order is thrown.
func concurrentMap<Input: Sendable, Output: Sendable>(
    _ inputs: [Input], _ body: @Sendable (Input) throws -> Output
) throws -> [Output] {
    let results = Results<Output>(count: inputs.count)
    withoutActuallyEscaping(body) { body in
        DispatchQueue.concurrentPerform(iterations: inputs.count) { index in
            guard !results.hasFailed else { return }
            results.set(index, Result { try body(inputs[index]) })
        }
    }
    return try results.values()
}

/// The results of a concurrent map; the lock makes it safe to share.
private final class Results<Output>: @unchecked Sendable {
    private let lock = NSLock()
    private var list: [Result<Output, any Error>?]
    private var failed = false

    init(count: Int) { list = [Result<Output, any Error>?](repeating: nil, count: count) }

    var hasFailed: Bool { lock.withLock { failed } }

    func set(_ index: Int, _ result: Result<Output, any Error>) {
        lock.withLock {
            list[index] = result
            if case .failure = result { failed = true }
        }
    }

    /// All results, or the first error among those that were reached.
    func values() throws -> [Output] {
        let results = lock.withLock { list }
        for case .failure(let error)? in results { throw error }
        return try results.compactMap { try $0?.get() }
    }
}
