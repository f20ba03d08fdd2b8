import Networks
import Yams

/// A network's kind and its configuration, with the keys that are left to the data.
public struct RecipeNetwork: Sendable, Equatable {
    /// The kind.
    public let kind: NetworkKind
    /// The configuration, a value of the kind's type; what it holds under the `unset` keys does not count.
    public let configuration: any Codable & Sendable
    /// The keys that are left to the data.
    public let unset: Set<String>

    /// A network with every default; what the data can decide is left to them.
    public init(_ kind: NetworkKind) {
        self.kind = kind
        unset = Set(kind.dataKeys.all)
        guard let defaults = try? kind.type.decodedConfiguration(Node([] as [(Node, Node)])) else {
            preconditionFailure("a configuration has a default for every key, and they make a network")
        }
        configuration = defaults
    }

    /// A network of a configuration. What it leaves open and the data can decide, such as the number of classes, is left
    /// to them.
    public init<Network: ConfiguredNetwork>(_ type: Network.Type, _ configuration: Network.Configuration) {
        let kind = NetworkKind.choices.first { $0.type == type }
        precondition(kind != nil, "\(type) is no network of recipes: they are built as parts of a trainer")
        self.kind = kind!
        self.configuration = configuration
        let tree = (try? TreeEncoder.tree(of: configuration).mapping) ?? nil
        unset = Set(
            kind!.dataKeys.all.filter { name in
                tree?.contains { $0.key.scalar?.string == name && $0.value.isAbsent } ?? false
            })
    }

    /// Reads the keys that a recipe gives; those that are `null` or missing and that the data can decide are left to
    /// them.
    /// - Throws: `NetworkError` that names the key.
    init(_ kind: NetworkKind, given: [(name: String, value: Node)]) throws {
        self.kind = kind
        let left = Set(kind.dataKeys.all).subtracting(given.filter { !$0.value.isAbsent }.map(\.name))
        unset = left
        configuration = try kind.type.decodedConfiguration(
            Node(given.filter { !left.contains($0.name) }.map { (Node($0.name), $0.value) }))
    }

    /// Every key of the configuration; those that are left to the data are `null`.
    var tree: Node.Mapping {
        get throws {
            let pairs = try TreeEncoder.tree(of: configuration).mapping.map { Array($0) } ?? []
            return Node.Mapping(
                pairs.map { ($0.key, unset.contains($0.key.scalar?.string ?? "") ? .absent : $0.value) })
        }
    }

    /// The settings with values for keys that are left to the data.
    /// - Throws: `NetworkError` that names the key.
    func filled(with values: [String: Node]) throws -> RecipeNetwork {
        let given = try tree.map { key, value in
            let name = key.scalar?.string ?? ""
            return (name: name, value: unset.contains(name) ? values[name] ?? .absent : value)
        }
        return try RecipeNetwork(kind, given: given)
    }

    /// Settings are equal where what they write is.
    public static func == (one: Self, other: Self) -> Bool {
        guard one.kind == other.kind, one.unset == other.unset else { return false }
        return (try? one.tree == other.tree) ?? false
    }
}

extension ConfiguredNetwork {
    fileprivate static func decodedConfiguration(_ node: Node) throws -> any Codable & Sendable {
        try YAMLDecoder().decode(Configuration.self, from: node)
    }
}
