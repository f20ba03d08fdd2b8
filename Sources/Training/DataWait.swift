import Foundation

/// How much of a run's time the data were waited for.
struct DataWait {
    private var start = ContinuousClock.now
    private var first = Duration.zero
    private var last = (time: ContinuousClock.now, waited: Duration.zero)

    /// Begins to measure.
    /// - Parameter waited: how long the loader has waited so far; likewise below.
    mutating func begin(_ waited: Duration) {
        (start, first) = (.now, waited)
        last = (start, waited)
    }

    /// The part of the time since the last call.
    mutating func share(_ waited: Duration) -> Double {
        let now = ContinuousClock.now
        defer { last = (now, waited) }
        return (waited - last.waited) / max(now - last.time, .nanoseconds(1))
    }

    /// A sentence where much of the time of a run was spent so.
    func sentence(_ waited: Duration) -> String? {
        let (waited, time) = (waited - first, ContinuousClock.now - start)
        guard waited > .seconds(5), waited > time * 0.05 else { return nil }
        let percent = Int((waited / time * 100).rounded())
        return
            "\(percent) % of the time was spent waiting for data: more data.workers, a larger training.prefetch or smaller picture files shorten it"
    }
}
