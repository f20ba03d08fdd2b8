import Tensors

extension Conditions {
    /// These conditions and, in the rows after them, others of the same parts.
    public func followed(by others: Conditions) -> Conditions {
        func joined(_ part: KeyPath<Conditions, Tensor?>) -> Tensor? {
            guard let first = self[keyPath: part], let second = others[keyPath: part] else { return nil }
            return concatenated([first, second])
        }
        precondition(control == nil && others.control == nil, "control is joined where it is made")
        return Conditions(
            labels: joined(\.labels), context: joined(\.context), contextMask: joined(\.contextMask),
            pooled: joined(\.pooled), numbers: joined(\.numbers), guidance: joined(\.guidance))
    }

    /// The conditions with their numbers in another element type.
    public func to(_ type: ElementType) -> Conditions {
        map { $0.elementType.isFloatingPoint ? $0.to(type) : $0 }
    }

    /// The conditions with every part passed through a function.
    public func map(_ transform: (Tensor) -> Tensor) -> Conditions {
        precondition(control == nil, "control is made for the batch that it is for")
        return Conditions(
            labels: labels.map(transform), context: context.map(transform),
            contextMask: contextMask.map(transform), pooled: pooled.map(transform),
            numbers: numbers.map(transform), guidance: guidance.map(transform))
    }
}
