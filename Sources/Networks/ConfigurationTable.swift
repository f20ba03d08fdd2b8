import Checkpoints
import Storage

/// A configuration whose keys stand in a table: what a file leaves out keeps its default, and every key is written,
/// `null` included, because a library's default for an absent key is not always `null`.
package protocol ConfigurationTable: Codable, SendableMetatype {
    /// The defaults.
    init()
    /// The keys, as `config.json` has them.
    static var keys: [ConfigurationKey<Self>] { get }
    /// The library's keys that change nothing here, or are refused where they would.
    static var otherKeys: Set<String> { get }
    /// Throws the library's keys that make another network of it.
    static func refuseOthers(_ values: KeyedDecodingContainer<ConfigurationName>) throws
    /// Throws what makes the configuration meaningless.
    func validate() throws
}

extension ConfigurationTable {
    /// None.
    package static var otherKeys: Set<String> { [] }

    /// The keys of an object that neither this configuration nor every configuration of its library has; those in the
    /// objects of its parts behind the part's name.
    static func foreignKeys(in object: JSONObject, common: Set<String>) -> [String] {
        let known = otherKeys.union(common).union(keys.map(\.name))
        let own = object.keys.filter { !$0.hasPrefix("_") && !known.contains($0) }
        return keys.reduce(own) { found, key in
            guard let part = key.part, case .object(let inner) = object[key.name] else { return found }
            return found + part.foreignKeys(in: inner, common: common).map { "\(key.name).\($0)" }
        }
    }

    /// None.
    package static func refuseOthers(_ values: KeyedDecodingContainer<ConfigurationName>) throws {}

    /// Reads a `config.json`; keys that are absent keep the library's defaults, and those that change nothing here
    /// are passed over.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public init(from decoder: any Decoder) throws {
        try self.init(from: decoder, leaving: [])
        try validate()
    }

    /// Reads all keys but the `open` ones, which keep their defaults, and does not check the whole.
    package init(from decoder: any Decoder, leaving open: Set<String>) throws {
        self.init()
        let values = try decoder.container(keyedBy: ConfigurationName.self)
        try Self.refuseOthers(values)
        for key in Self.keys where !open.contains(key.name) { try key.read(&self, values) }
    }

    /// Writes every key.
    public func encode(to encoder: any Encoder) throws { try encode(to: encoder, leaving: []) }

    /// Writes every key, with `null` for the `open` ones.
    package func encode(to encoder: any Encoder, leaving open: Set<String>) throws {
        var values = encoder.container(keyedBy: ConfigurationName.self)
        for key in Self.keys {
            if open.contains(key.name) {
                try values.encodeNil(forKey: ConfigurationName(key.name))
            } else {
                try key.write(self, &values)
            }
        }
    }
}

/// A key of a configuration: its name in the file, and the property that holds it.
package struct ConfigurationKey<Configuration>: Sendable {
    typealias Values = KeyedDecodingContainer<ConfigurationName>
    typealias Written = KeyedEncodingContainer<ConfigurationName>
    typealias Path<Value> = any WritableKeyPath<Configuration, Value> & Sendable

    /// The name in the file.
    package let name: String
    let read: @Sendable (inout Configuration, Values) throws -> Void
    let write: @Sendable (Configuration, inout Written) throws -> Void
    /// What kind of configuration stands under it, nil where it is none of a part.
    private(set) var part: (any ConfigurationTable.Type)?

    /// A number, a truth, a list of them, or a part.
    init<Value: Codable & SendableMetatype>(_ name: String, _ path: Path<Value>) {
        let key = ConfigurationName(name)
        self.name = name
        read = { try $1.read(key, into: &$0[keyPath: path]) }
        write = { try $1.encode($0[keyPath: path], forKey: key) }
    }

    /// The configuration of a part; `null` leaves its defaults.
    init<Part: Codable & SendableMetatype>(_ name: String, part path: Path<Part>, isWritten: Bool = true) {
        let key = ConfigurationName(name)
        self.name = name
        self.part = Part.self as? any ConfigurationTable.Type
        read = { try $1.readPart(key, into: &$0[keyPath: path]) }
        write = { if isWritten { try $1.encode($0[keyPath: path], forKey: key) } }
    }

    /// One of a few words.
    init<Choice: Named & SendableMetatype>(_ name: String, choice path: Path<Choice>) {
        let key = ConfigurationName(name)
        self.name = name
        read = { try $1.readChoice(key, into: &$0[keyPath: path]) }
        write = { try $1.encode($0[keyPath: path].rawValue, forKey: key) }
    }

    /// One of a few words, or `null`.
    init<Choice: Named & SendableMetatype>(_ name: String, optionalChoice path: Path<Choice?>) {
        let key = ConfigurationName(name)
        self.name = name
        read = { try $1.readChoice(key, into: &$0[keyPath: path]) }
        write = { try $1.encode($0[keyPath: path]?.rawValue, forKey: key) }
    }

    /// A list of words.
    init<Choice: Named & SendableMetatype>(_ name: String, choices path: Path<[Choice]>) {
        let key = ConfigurationName(name)
        self.name = name
        read = { try $1.readChoices(key, into: &$0[keyPath: path]) }
        write = { try $1.encode($0[keyPath: path].map(\.rawValue), forKey: key) }
    }

    /// A key that is always the same, because its other values are of other networks.
    init<Value: Codable & Equatable & Sendable>(_ name: String, always own: Value, _ problem: String) {
        let key = ConfigurationName(name)
        self.name = name
        read = { _, values in
            var value = own
            try values.read(key, into: &value)
            guard value == own else { throw NetworkError(name, problem) }
        }
        write = { try $1.encode(own, forKey: key) }
    }

    private init(
        name: String, read: @escaping @Sendable (inout Configuration, Values) throws -> Void,
        write: @escaping @Sendable (Configuration, inout Written) throws -> Void
    ) {
        (self.name, self.read, self.write) = (name, read, write)
    }

    /// The same key of a configuration that this one is a part of, and whose keys stand beside its own.
    func within<Whole>(_ path: any WritableKeyPath<Whole, Configuration> & Sendable) -> ConfigurationKey<
        Whole
    > {
        ConfigurationKey<Whole>(
            name: name, read: { [read] in try read(&$0[keyPath: path], $1) },
            write: { [write] in try write($0[keyPath: path], &$1) })
    }
}

/// The name of a key in a file.
package struct ConfigurationName: CodingKey, ExpressibleByStringLiteral {
    package let stringValue: String
    package var intValue: Int? { nil }
    package init(_ name: String) { stringValue = name }
    package init(stringLiteral name: String) { stringValue = name }
    package init(stringValue name: String) { stringValue = name }
    package init?(intValue: Int) { nil }
}
