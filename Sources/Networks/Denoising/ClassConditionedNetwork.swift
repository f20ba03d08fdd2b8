import Layers
import Tensors

/// A denoising network that is conditioned on classes or on nothing.
public protocol ClassConditionedNetwork: DenoisingNetwork {
    /// The network's output for a batch.
    /// - Parameters:
    ///   - x: `[batch, channels, height, width]` or `[batch, dimension]`, in the element type of the weights.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - labels: `[batch]` as `int64`, where the configuration has classes, and only there.
    func callAsFunction(_ x: Tensor, time: Tensor, labels: Tensor?) -> Tensor
}

extension ClassConditionedNetwork {
    /// The network's output for a batch; it reads the labels.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        conditions.checkRead([Conditions.Key.labels.name], by: Self.className)
        return self(x, time: time, labels: conditions[.labels])
    }

    /// The network's output for a batch without classes.
    public func callAsFunction(_ x: Tensor, time: Tensor) -> Tensor { self(x, time: time, labels: nil) }
}

/// What classes add to the embedded time: a row of a table for each, or nothing where there are none. Parameter
/// `weight`.
/// Source: Dhariwal and Nichol 2021 (arXiv:2105.05233), section 3.
struct ClassTable: Sendable {
    private let rows: Embedding?

    init(count: Int?, width: Int, _ weights: Weights) {
        rows = count.map { Embedding(count: $0, width: width, weights) }
    }

    /// - Parameters:
    ///   - labels: `[batch]` as `int64`, where there is a table, and only there.
    ///   - time: the embedded time, `[batch, width]` or `[1, width]`.
    func adding(_ labels: Tensor?, to time: Tensor) -> Tensor {
        precondition(
            (labels != nil) == (rows != nil), "labels go with a class embedding, and with nothing else")
        guard let rows, let labels else { return time }
        return time + rows(labels)
    }
}

extension NetworkTraits.Labels {
    /// The labels of a `ClassTable`; `nil` without one.
    init?(classes count: Int?) {
        guard let count else { return nil }
        self.init(count: count, isRequired: true)
    }
}
