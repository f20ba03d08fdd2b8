import Tensors

/// What guidance steers between: one value for each condition that the model is evaluated under.
///
/// A negative condition that replaces the unconditional branch (C = "what is not wanted" in place of no
/// condition at all) is simply given as `unconditional`.
public struct Branches<Value> {
    /// Under the wanted condition.
    public var conditional: Value
    /// Under no condition, a negative one, or from a worse model: what to steer away from.
    public var unconditional: Value
    /// Under unwanted conditions, for methods that take them beside the unconditional branch.
    public var negatives: [Value]

    /// The branches.
    public init(conditional: Value, unconditional: Value, negatives: [Value] = []) {
        self.conditional = conditional
        self.unconditional = unconditional
        self.negatives = negatives
    }

    /// The branches with a function applied to each.
    public func map<Result>(_ transform: (Value) -> Result) -> Branches<Result> {
        Branches<Result>(
            conditional: transform(conditional), unconditional: transform(unconditional),
            negatives: negatives.map(transform))
    }
}

/// A way to make one estimate of several, and so one `Denoiser` of several; the loop never knows.
///
/// Guidances compose: one that changes another's result (`RescaledGuidance`, `LimitedGuidance`) is made
/// from it and is a guidance itself.
public protocol Guidance: Sendable {
    /// Whether the guided estimate at a level is the conditional one, so that the other branches need
    /// not be evaluated.
    func isConditional(at level: NoiseLevel) -> Bool

    /// The guided estimate for a sample `[batch, …]` at a level.
    func callAsFunction(_ branches: Branches<Estimate>, sample x: Tensor, at level: NoiseLevel) -> Estimate
}

extension Guidance {
    /// A guidance that says nothing else steers at every level.
    public func isConditional(at level: NoiseLevel) -> Bool { false }

    /// Several denoisers as one. Where only the conditional branch counts, only that is evaluated.
    public func denoiser(_ branches: Branches<Denoiser>) -> Denoiser {
        Denoiser { x, level in
            if isConditional(at: level) { return branches.conditional(x, level) }
            return self(branches.map { $0(x, level) }, sample: x, at: level)
        }
    }

    /// Two denoisers as one.
    public func denoiser(conditional: Denoiser, unconditional: Denoiser) -> Denoiser {
        denoiser(Branches(conditional: conditional, unconditional: unconditional))
    }

    /// One denoiser that takes all branches in one batch: the first part without a condition, the second
    /// with the wanted one, then the negative ones. Same numbers, one pass through the network.
    public func denoiser(batched all: Denoiser, negatives: Int = 0) -> Denoiser {
        Denoiser { x, level in
            let count = 2 + negatives
            let estimate = all(concatenated(Array(repeating: x, count: count)), level)
            let (data, noise) = (estimate.data.chunked(count, of: 0), estimate.noise.chunked(count, of: 0))
            let variance = estimate.variance?.chunked(count, of: 0)
            let parts = (0..<count).map {
                Estimate(data: data[$0], noise: noise[$0], variance: variance?[$0])
            }
            let branches = Branches(
                conditional: parts[1], unconditional: parts[0], negatives: Array(parts.dropFirst(2)))
            return self(branches, sample: x, at: level)
        }
    }
}
