import Tensors

/// What a batch costs: one number for each example.
public struct Losses: Sendable {
    /// The loss of each example, `[batch]`; its mean is what is made small.
    public var total: Tensor
    /// What is logged beside it by name, `[batch]` each: the parts that it is the sum of, or an accuracy.
    public var parts: [(name: String, values: Tensor)]

    /// Losses.
    public init(_ total: Tensor, parts: [(name: String, values: Tensor)] = []) {
        self.total = total
        self.parts = parts
    }

    /// Every number multiplied by the factor of its example, `[batch]`.
    func multiplied(by factors: Tensor) -> Losses {
        let factors = factors.to(total.elementType).sent(to: total.device)
        return Losses(total * factors, parts: parts.map { ($0.name, $0.values * factors) })
    }
}
