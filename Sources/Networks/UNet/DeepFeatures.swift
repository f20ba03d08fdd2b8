import Tensors

/// What the deep layers of a U-Net said, kept for the calls that follow: from one step to the next they change little.
///
/// Every so many calls the whole network runs and leaves what its last block on the way up reads from below; the calls
/// between run the first block down and the last one up alone. That saves most of the work, and changes the picture.
/// Source: Ma et al. 2023 (arXiv:2312.00858), section 3.2.
public final class DeepFeatures {
    private let interval: Int
    private var calls = 0
    private var kept: Tensor?

    /// Features that are made anew in the first of every `interval` calls; 1 keeps none.
    public init(every interval: Int) {
        precondition(interval >= 1, "an interval of \(interval) calls")
        self.interval = interval
    }

    /// What this call may use, made with the batch of an earlier one; `nil` where it makes its own.
    func reused(for x: Tensor) -> Tensor? {
        defer { calls += 1 }
        guard calls % interval != 0, let kept, kept.shape[0] == x.shape[0] else {
            calls = 0
            return nil
        }
        return kept
    }

    func keep(_ features: Tensor) { kept = interval > 1 ? features : nil }
}
