/// A value of a JSON file.
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number written as an integer that fits 64 bits.
    case integer(Int)
    /// Any other number. Not finite only where the reader allows it.
    case number(Double)
    case string(String)
    case array([JSONValue])
    // Indirect, so that all other values take less memory.
    indirect case object(JSONObject)

    /// Parses a JSON text strictly; see `JSONScanner`.
    ///
    /// - Parameters:
    ///   - text: UTF-8, without byte-order mark.
    ///   - place: what to call the text in messages, usually the file.
    ///   - allowsNonFinite: whether `NaN`, `Infinity` and `-Infinity` count as numbers. diffusers writes
    ///     them into `scheduler_config.json`.
    /// - Throws: `ContentError` with line and column.
    public init(parsing text: some Sequence<UInt8>, place: String, allowsNonFinite: Bool = false) throws {
        self = try Array(text).withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes, place: place, allowsNonFinite: allowsNonFinite)
            let value = try scanner.value()
            try scanner.end()
            return value
        }
    }

    /// The most bytes a configuration or an index may have: far above real ones, and small enough that
    /// parsing a hostile one stays harmless.
    public static let maximalFileByteCount = 16 << 20

    /// Reads a JSON file.
    /// - Throws: `ContentError` when it is no regular file, is larger than 16 MiB, or is not strict JSON.
    public init(file path: String, allowsNonFinite: Bool = false) throws {
        let file = try RegularFile(opening: path)
        guard file.byteCount <= Self.maximalFileByteCount else {
            throw ContentError(
                path, "it has \(file.byteCount) bytes; a JSON file may have \(Self.maximalFileByteCount)")
        }
        let text = try file.read(file.byteCount, at: 0)
        if let other = mistakenFile(text) { throw ContentError(path, other) }
        try self.init(parsing: text, place: path, allowsNonFinite: allowsNonFinite)
    }

    /// What kind of value it is, for messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): "the string \(quoted(value))"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

extension JSONScanner {
    /// Reads any value as a tree.
    package mutating func value() throws -> JSONValue {
        beginTree()
        return try tree()
    }

    private mutating func tree() throws -> JSONValue {
        switch peek() {
        case UInt8.openBrace: return .object(try members())
        case UInt8.openBracket:
            var elements: [JSONValue] = []
            try reserve(64)
            try array {
                try $0.reserve(2 * MemoryLayout<JSONValue>.stride)
                elements.append(try $0.tree())
            }
            return .array(elements)
        case UInt8.quote:
            let text = try string()
            // Short strings stand in the value itself.
            if text.utf8.count > 15 { try reserve(text.utf8.count + 32) }
            return .string(text)
        default: break
        }
        if word("null") { return .null }
        if word("true") { return .bool(true) }
        if word("false") { return .bool(false) }
        if allowsNonFinite, word("NaN") { return .number(.nan) }
        return try number()
    }

    private mutating func members() throws -> JSONObject {
        var members = NameTable<JSONValue>()
        try reserve(320)
        try object { scanner, key in
            let start = scanner.position
            let key = key.text
            try scanner.reserve(3 * MemoryLayout<JSONValue>.stride + 64 + key.utf8.count)
            guard members.append(key, try scanner.tree()) else {
                throw scanner.failure("the key \(quoted(key)) stands twice in one object", at: start)
            }
        }
        return JSONObject(members, place: place)
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    /// `null`
    public init(nilLiteral: ()) { self = .null }
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An integer.
    public init(integerLiteral value: Int) { self = .integer(value) }
    /// A number.
    public init(floatLiteral value: Double) { self = .number(value) }
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A list.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// An object. A repeated key is a mistake of the programmer and traps.
    public init(dictionaryLiteral members: (String, JSONValue)...) { self = .object(JSONObject(members)) }
}
