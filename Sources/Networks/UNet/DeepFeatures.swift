import Synchronization
import Tensors

/// The features of a U-Net's deep layers, kept for the calls that follow: from one step to the next they change little.
///
/// Every so many calls the whole network runs and leaves what its last block on the way up reads from below; the calls
/// between run the first block down and the last one up alone. That saves most of the work, and changes the picture.
/// Source: Ma et al. 2023 (arXiv:2312.00858), section 3.2.
public final class DeepFeatures: ConditionPart {
    private struct State {
        var calls = 0
        var kept: Tensor?
    }

    private let interval: Int
    private let state = Mutex(State())

    /// Features that are made anew in the first of every `interval` calls; 1 keeps none.
    public init(every interval: Int) {
        precondition(interval >= 1, "an interval of \(interval) calls")
        self.interval = interval
    }

    /// What this call may use, made with the batch of an earlier one; `nil` where it makes its own.
    func reused(for x: Tensor) -> Tensor? {
        state.withLock { state in
            defer { state.calls += 1 }
            guard state.calls % interval != 0, let kept = state.kept, kept.shape[0] == x.shape[0] else {
                state.calls = 0
                return nil
            }
            return kept
        }
    }

    func keep(_ features: Tensor) {
        state.withLock { $0.kept = interval > 1 ? features : nil }
    }

    /// None: they change from call to call.
    public var tensors: [Tensor] { [] }

    /// The same memory: it is a network's own, and not given to it.
    public func map(_ transform: (Tensor) -> Tensor) -> DeepFeatures { self }

    /// Not defined: deep features belong to one batch.
    public func followed(by other: DeepFeatures) -> DeepFeatures {
        preconditionFailure("deep features belong to one batch: add them after batches are joined")
    }
}
