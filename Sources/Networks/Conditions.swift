import Tensors

/// What a denoising network is conditioned on beside a noisy sample and its time: a collection of parts under typed keys.
///
/// A part has a row for each sample, or one row for all. A network takes the parts that it reads, and no others.
///
///     var conditions = Conditions(context: text)
///     conditions[.numbers] = sizes
public struct Conditions: Sendable {
    /// The name of a part, with the type of its value.
    public struct Key<Part: ConditionPart>: Hashable, Sendable {
        /// The name.
        public let name: String

        /// A key for parts of a name.
        public init(_ name: String) { self.name = name }
    }

    private var parts: [String: any ConditionPart] = [:]

    /// No conditions.
    public init() {}

    /// The conditions that most networks read.
    /// - Parameters:
    ///   - labels: classes `[batch]` as `int64`, or what else a class embedding takes.
    ///   - context: what attention reads, `[batch, tokens, width]`.
    ///   - pooledText: one vector for a whole text, `[batch, features]`.
    public init(labels: Tensor? = nil, context: Tensor? = nil, pooledText: Tensor? = nil) {
        self[.labels] = labels
        self[.context] = context
        self[.pooledText] = pooledText
    }

    /// The part of a key; `nil` where there is none.
    public subscript<Part>(key: Key<Part>) -> Part? {
        get {
            guard let part = parts[key.name] else { return nil }
            guard let typed = part as? Part else {
                preconditionFailure("the condition '\(key.name)' is a \(type(of: part)), not a \(Part.self)")
            }
            return typed
        }
        set { parts[key.name] = newValue }
    }

    /// The names of the parts that there are, in alphabetic order.
    public var names: [String] { parts.keys.sorted() }

    /// The tensors of all parts, in the order of the parts' names.
    package var tensors: [Tensor] { names.flatMap { parts[$0]!.tensors } }

    /// These conditions with the parts of others, which take the place of parts of their names.
    package func with(_ others: Conditions) -> Conditions {
        var joined = self
        joined.parts.merge(others.parts) { $1 }
        return joined
    }

    /// These conditions without parts of some names.
    package func without(_ names: Set<String>) -> Conditions {
        var left = self
        for name in names { left.parts[name] = nil }
        return left
    }

    // MARK: Rows

    /// The conditions with every tensor of every part passed through a function.
    public func map(_ transform: (Tensor) -> Tensor) -> Conditions {
        var mapped = self
        for (name, part) in parts { mapped.parts[name] = part.map(transform) }
        return mapped
    }

    /// The conditions with their numbers in another element type.
    public func to(_ type: ElementType) -> Conditions {
        map { $0.elementType.isFloatingPoint ? $0.to(type) : $0 }
    }

    /// These conditions and, in the rows after them, others of the same parts.
    public func followed(by others: Conditions) -> Conditions {
        precondition(
            names == others.names,
            "conditions \(names) cannot stand in one batch with conditions \(others.names)")
        var joined = self
        for (name, part) in parts {
            func followed<Part: ConditionPart>(_ part: Part) -> any ConditionPart {
                guard let other = others.parts[name] as? Part else {
                    preconditionFailure("the condition '\(name)' is of two types in one batch")
                }
                return part.followed(by: other)
            }
            joined.parts[name] = followed(part)
        }
        return joined
    }

    /// Checks that a network reads every part.
    /// - Parameters:
    ///   - names: the names of the parts that it reads.
    ///   - network: what the message calls it.
    package func checkRead(_ names: Set<String>, by network: String) {
        let unread = parts.keys.filter { !names.contains($0) }
        precondition(
            unread.isEmpty, "a \(network) reads the conditions \(names.sorted()), and not \(unread.sorted())")
    }
}

/// A part of `Conditions`: tensors with a row for each sample, or one row for all.
public protocol ConditionPart: Sendable {
    /// Its tensors, in an order of their own.
    var tensors: [Tensor] { get }
    /// The part with every tensor passed through a function.
    func map(_ transform: (Tensor) -> Tensor) -> Self
    /// This part and, in the rows after it, another one.
    func followed(by other: Self) -> Self
}

extension Tensor: ConditionPart {
    /// Itself.
    public var tensors: [Tensor] { [self] }
    /// The function's value.
    public func map(_ transform: (Tensor) -> Tensor) -> Tensor { transform(self) }
    /// Both, one below the other.
    public func followed(by other: Tensor) -> Tensor { concatenated([self, other]) }
}
