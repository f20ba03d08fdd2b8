/// A value of the strict parser as `Decodable` types read it: numbers are what the file says, so 1.0 is no integer,
/// and infinities are numbers where the parser allowed them. Foundation's decoder knows neither.
struct JSONDecoding: Decoder, SingleValueDecodingContainer {
    let value: JSONValue
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(_ value: JSONValue, at path: [any CodingKey] = []) {
        self.value = value
        codingPath = path
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let object) = value else { throw mismatch([String: Any].self) }
        return KeyedDecodingContainer(JSONMembers(object: object, codingPath: codingPath))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = value else { throw mismatch([Any].self) }
        return JSONElements(elements: elements, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    func decodeNil() -> Bool { value == .null }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let found: Any?
        switch type {
        case is Bool.Type: found = Bool(json: value)
        case is String.Type: found = String(json: value)
        case is Double.Type: found = Double(json: value)
        case is Float.Type: found = Double(json: value).map { Float($0) }
        case let type as any FixedWidthInteger.Type:
            found = Int(json: value).flatMap { Self.integer($0, type) }
        default:
            do {
                return try Value(from: self)
            } catch DecodingError.dataCorrupted(let context) {
                // The standard library's own words for a choice that there is not.
                guard case .string(let text) = value, type is any (CaseIterable & RawRepresentable).Type
                else {
                    throw DecodingError.dataCorrupted(context)
                }
                let problem = "it is \(quoted(text)), and \(words(for: type)) is needed"
                throw DecodingError.dataCorrupted(.init(codingPath: codingPath, debugDescription: problem))
            }
        }
        guard let found = found as? Value else { throw mismatch(type) }
        return found
    }

    private static func integer<Number: FixedWidthInteger>(_ value: Int, _ type: Number.Type) -> Any? {
        Number(exactly: value)
    }

    private func mismatch(_ type: Any.Type) -> DecodingError {
        let context = DecodingError.Context(codingPath: codingPath, debugDescription: "it is \(value.kind)")
        return value == .null ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }
}

/// The members of an object, by keys of a type.
private struct JSONMembers<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let object: JSONObject
    let codingPath: [any CodingKey]

    var allKeys: [Key] { object.keys.compactMap { Key(stringValue: $0) } }

    func contains(_ key: Key) -> Bool { object[key.stringValue] != nil }

    private func member(_ key: some CodingKey) throws -> JSONDecoding {
        guard let value = object[key.stringValue] else {
            throw DecodingError.keyNotFound(
                key, .init(codingPath: codingPath, debugDescription: "it is missing"))
        }
        return JSONDecoding(value, at: codingPath + [key])
    }

    func decodeNil(forKey key: Key) throws -> Bool { try member(key).decodeNil() }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try member(key).decode(type)
    }

    func nestedContainer<Other: CodingKey>(
        keyedBy type: Other.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Other> { try member(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try member(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { try member(JSONPlace("super")) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try member(key) }
}

/// The elements of a list, one after the other.
private struct JSONElements: UnkeyedDecodingContainer {
    let elements: [JSONValue]
    let codingPath: [any CodingKey]
    var currentIndex = 0

    init(elements: [JSONValue], codingPath: [any CodingKey]) {
        (self.elements, self.codingPath) = (elements, codingPath)
    }

    var count: Int? { elements.count }
    var isAtEnd: Bool { currentIndex == elements.count }

    private func element(_ type: Any.Type) throws -> JSONDecoding {
        guard !isAtEnd else {
            let context = DecodingError.Context(
                codingPath: codingPath, debugDescription: "it has \(elements.count) elements")
            throw DecodingError.valueNotFound(type, context)
        }
        return JSONDecoding(elements[currentIndex], at: codingPath + [JSONPlace("\(currentIndex)")])
    }

    /// What a body makes of the next element, which is passed over where that went well.
    private mutating func next<Value>(_ type: Any.Type, _ body: (JSONDecoding) throws -> Value) throws
        -> Value
    {
        let value = try body(element(type))
        currentIndex += 1
        return value
    }

    mutating func decodeNil() throws -> Bool {
        guard try element(Any?.self).decodeNil() else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try next(type) { try $0.decode(type) }
    }

    mutating func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<
        Key
    > {
        try next(type) { try $0.container(keyedBy: type) }
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try next([Any].self) { try $0.unkeyedContainer() }
    }

    mutating func superDecoder() throws -> any Decoder { try next(Any.self) { $0 } }
}

/// Where a value stands that no key of a type names.
private struct JSONPlace: CodingKey {
    let stringValue: String
    var intValue: Int? { Int(stringValue) }
    init(_ place: String) { stringValue = place }
    init(stringValue: String) { self.init(stringValue) }
    init(intValue: Int) { self.init("\(intValue)") }
}
