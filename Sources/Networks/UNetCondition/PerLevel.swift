/// A setting of a network with levels: one value for all of them, or one for each.
public enum PerLevel<Value: Codable & Equatable & Sendable>: Equatable, Sendable {
    /// One value for all levels.
    case same(Value)
    /// The values of the levels, in order.
    case each([Value])

    /// The value of a level.
    public subscript(level: Int) -> Value {
        switch self {
        case .same(let value): value
        case .each(let values): values[level]
        }
    }

    /// Every value that occurs.
    var values: [Value] {
        switch self {
        case .same(let value): [value]
        case .each(let values): values
        }
    }

    /// The value of all levels, `nil` where they are listed one by one.
    public var common: Value? {
        guard case .same(let value) = self else { return nil }
        return value
    }

    /// The number of levels that it describes, `nil` where it does for any.
    var count: Int? {
        guard case .each(let values) = self else { return nil }
        return values.count
    }
}

extension PerLevel: Codable {
    /// A value, or a list of them.
    public init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        // The list comes first, because a value can itself be a list for the layers of a level.
        if let values = try? value.decode([Value].self) {
            self = .each(values)
        } else {
            self = .same(try value.decode(Value.self))
        }
    }

    /// As it was read.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .same(let value): try container.encode(value)
        case .each(let values): try container.encode(values)
        }
    }
}
