import Yams

/// Turns an `Encodable` value into a YAML tree in which every key stands, in the order of the type.
///
/// Yams' own encoder leaves absent values out and keeps 15 digits of a number; here an absent value is
/// `null` and every number reads back as the same bits, whatever the locale.
package final class TreeEncoder: Encoder {
    private enum Content {
        case empty
        case scalar(Node)
        case mapping([(key: String, value: TreeEncoder)])
        case sequence([TreeEncoder])
    }

    package let codingPath: [any CodingKey]
    package let userInfo: [CodingUserInfoKey: Any] = [:]
    private var content = Content.empty

    private init(codingPath: [any CodingKey]) {
        self.codingPath = codingPath
    }

    /// The tree of `value`.
    package static func tree(of value: some Encodable) throws -> Node {
        let encoder = TreeEncoder(codingPath: [])
        try encoder.fill(with: value)
        return encoder.node
    }

    private var node: Node {
        switch content {
        case .empty: Node([] as [(Node, Node)])
        case .scalar(let node): node
        case .mapping(let pairs): Node(pairs.map { (Node($0.key), $0.value.node) }, .implicit, .block)
        // Lists of a recipe are short: on one line.
        case .sequence(let items): Node(items.map(\.node), .implicit, .flow)
        }
    }

    fileprivate func fill(with value: some Encodable) throws {
        switch value {
        case let value as Bool: content = .scalar(Node(truth: value))
        case let value as Int: content = .scalar(Node(whole: value))
        case let value as Double: content = .scalar(Node(number: value))
        case let value as String: content = .scalar(Node(text: value))
        default: try value.encode(to: self)
        }
    }

    fileprivate func fillWithNull() {
        content = .scalar(.absent)
    }

    fileprivate func child(_ key: any CodingKey) -> TreeEncoder {
        let child = TreeEncoder(codingPath: codingPath + [key])
        if case .mapping(var pairs) = content {
            pairs.append((key.stringValue, child))
            content = .mapping(pairs)
        }
        return child
    }

    fileprivate func item() -> TreeEncoder {
        let child = TreeEncoder(codingPath: codingPath)
        if case .sequence(var items) = content {
            items.append(child)
            content = .sequence(items)
        }
        return child
    }

    fileprivate var itemCount: Int {
        if case .sequence(let items) = content { items.count } else { 0 }
    }

    package func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        // A type may encode into the container of the one that holds it: the keys go on.
        if case .mapping = content {} else { content = .mapping([]) }
        return KeyedEncodingContainer(Keyed<Key>(encoder: self))
    }

    package func unkeyedContainer() -> any UnkeyedEncodingContainer {
        content = .sequence([])
        return Unkeyed(encoder: self)
    }

    package func singleValueContainer() -> any SingleValueEncodingContainer {
        Single(encoder: self)
    }
}

private struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: TreeEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil(forKey key: Key) { encoder.child(key).fillWithNull() }

    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        try encoder.child(key).fill(with: value)
    }

    func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws {
        if let value { try encode(value, forKey: key) } else { encodeNil(forKey: key) }
    }
    // The compiler's own code calls these; without them an absent value would be left out.
    func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try present(value, key) }
    func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try present(value, key) }
    func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try present(value, key) }
    func encodeIfPresent(_ value: String?, forKey key: Key) throws { try present(value, key) }

    private func present(_ value: (some Encodable)?, _ key: Key) throws {
        if let value { try encode(value, forKey: key) } else { encodeNil(forKey: key) }
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        encoder.child(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        encoder.child(key).unkeyedContainer()
    }

    func superEncoder() -> any Encoder { encoder }
    func superEncoder(forKey key: Key) -> any Encoder { encoder.child(key) }
}

private struct Unkeyed: UnkeyedEncodingContainer {
    let encoder: TreeEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }
    var count: Int { encoder.itemCount }

    func encodeNil() { encoder.item().fillWithNull() }
    func encode<T: Encodable>(_ value: T) throws { try encoder.item().fill(with: value) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        encoder.item().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoder.item().unkeyedContainer() }
    func superEncoder() -> any Encoder { encoder }
}

private struct Single: SingleValueEncodingContainer {
    let encoder: TreeEncoder
    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil() { encoder.fillWithNull() }
    func encode<T: Encodable>(_ value: T) throws { try encoder.fill(with: value) }
}
