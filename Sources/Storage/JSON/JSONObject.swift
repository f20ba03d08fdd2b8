/// The members of a JSON object, with typed access whose errors name the file and the key.
public struct JSONObject: Sendable {
    /// The members in the order of the file.
    public private(set) var members: NameTable<JSONValue>
    /// The file it came from, for messages; empty when it was made here.
    public let place: String

    /// Makes an object with no members.
    /// - Parameter place: what to call it in messages, usually a file.
    public init(place: String = "") {
        self.members = NameTable()
        self.place = place
    }

    init(_ members: NameTable<JSONValue>, place: String) {
        self.members = members
        self.place = place
    }

    /// The keys in the order of the file.
    public var keys: [String] { members.names }

    /// The value under a key as it stands, nil when the key is absent. Setting nil does nothing.
    public subscript(key: String) -> JSONValue? {
        get { members[key] }
        set { if let newValue { members.set(key, newValue) } }
    }

    /// The value under a key.
    /// - Throws: `ContentError` when the key is absent or its value has another type.
    public func required<Value: JSONReadable>(_ key: String, as type: Value.Type = Value.self) throws -> Value
    {
        guard let value = members[key] else {
            throw ContentError(place, "the key \(quoted(key)) is missing; add it as \(Value.jsonKind)")
        }
        return try read(value, key)
    }

    /// The value under a key, nil when the key is absent or `null`.
    /// - Throws: `ContentError` when its value has another type.
    public func optional<Value: JSONReadable>(_ key: String, as type: Value.Type = Value.self) throws
        -> Value?
    {
        guard let value = members[key], value != .null else { return nil }
        return try read(value, key)
    }

    private func read<Value: JSONReadable>(_ value: JSONValue, _ key: String) throws -> Value {
        guard let result = Value(json: value) else {
            throw ContentError(
                place, "the key \(quoted(key)) must be \(Value.jsonKind), it is \(value.kind)")
        }
        return result
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// An object. A repeated key is a mistake of the programmer and traps.
    public init(dictionaryLiteral members: (String, JSONValue)...) { self.init(members) }

    package init(_ members: [(String, JSONValue)]) {
        self.init()
        for (key, value) in members {
            let isNew = self.members.append(key, value)
            precondition(isNew, "the key \(key) is written twice")
        }
    }
}

extension JSONObject: Equatable {
    /// The same members in any order; where they came from does not count.
    public static func == (left: Self, right: Self) -> Bool { left.members == right.members }
}

/// A type that a JSON value can be read as, without conversions: `1.0` is no integer, `"1"` no number.
public protocol JSONReadable {
    /// What the value must be, for messages: "an integer".
    static var jsonKind: String { get }
    /// The value, nil when it is of another type.
    init?(json: JSONValue)
}

extension Int: JSONReadable {
    /// What a value of this type is called.
    public static var jsonKind: String { "an integer" }
    /// The value, nil when it is of another type.
    public init?(json: JSONValue) {
        guard case .integer(let value) = json else { return nil }
        self = value
    }
}

extension Double: JSONReadable {
    /// What a value of this type is called.
    public static var jsonKind: String { "a number" }
    /// Integers are numbers too.
    public init?(json: JSONValue) {
        switch json {
        case .integer(let value): self = Double(value)
        case .number(let value): self = value
        default: return nil
        }
    }
}

extension Bool: JSONReadable {
    /// What a value of this type is called.
    public static var jsonKind: String { "true or false" }
    /// The value, nil when it is of another type.
    public init?(json: JSONValue) {
        guard case .bool(let value) = json else { return nil }
        self = value
    }
}

extension String: JSONReadable {
    /// What a value of this type is called.
    public static var jsonKind: String { "a string" }
    /// The value, nil when it is of another type.
    public init?(json: JSONValue) {
        guard case .string(let value) = json else { return nil }
        self = value
    }
}

extension JSONObject: JSONReadable {
    /// What a value of this type is called.
    public static var jsonKind: String { "an object" }
    /// The value, nil when it is of another type.
    public init?(json: JSONValue) {
        guard case .object(let value) = json else { return nil }
        self = value
    }
}

extension JSONValue: JSONReadable {
    /// What a value of this type is called.
    public static var jsonKind: String { "any value" }
    /// The value, nil when it is of another type.
    public init?(json: JSONValue) { self = json }
}

extension Array: JSONReadable where Element: JSONReadable {
    /// What a value of this type is called.
    public static var jsonKind: String { "a list, each element \(Element.jsonKind)" }
    /// The value, nil when it is of another type.
    public init?(json: JSONValue) {
        guard case .array(let values) = json else { return nil }
        self.init()
        for value in values {
            guard let element = Element(json: value) else { return nil }
            append(element)
        }
    }
}
