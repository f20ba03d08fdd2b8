import Synchronization

/// How many steps of a batch are taken, which a loop says and a network reads whose conditions depend on it.
final class StepCount: Sendable {
    private let count = Mutex(0)
    /// The number of steps that are taken.
    var taken: Int {
        get { count.withLock { $0 } }
        set { count.withLock { $0 = newValue } }
    }
}
