import Networks
import Yams

/// The kind of a network in a recipe: a row of the networks that denoise.
public struct NetworkKind: RecipeRow {
    /// The network.
    let type: any DenoisingNetwork.Type

    /// The kind of a network.
    public init(_ type: any DenoisingNetwork.Type) { self.type = type }

    /// The word in a recipe.
    public var word: String { type.word }

    /// Every kind.
    public static var choices: [NetworkKind] { KnownNetworks.denoising.map(NetworkKind.init) }

    /// The names of the classes in `config.json`.
    public static var synonyms: [String: NetworkKind] {
        let pairs = choices.flatMap { kind in
            ([kind.type.className] + kind.type.olderClassNames).map { ($0, kind) }
        }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    /// What follows from the defaults of its configuration.
    var traits: NetworkTraits { NetworkConfiguration(defaultsOf: type).traits }

    /// Whether it can be given classes.
    var takesClasses: Bool {
        var demands = NetworkDemands()
        demands.classes = 2
        let fitted = try? NetworkConfiguration(defaultsOf: type).fitted(to: demands)
        return fitted?.traits.labels != nil
    }
}

/// A network's configuration, and which of its keys are left to the data.
public struct RecipeNetwork: Sendable, Equatable {
    /// The configuration; what it holds under keys that are left to the data does not count.
    public let configuration: NetworkConfiguration
    /// The keys that data can decide and that are given all the same.
    public let given: Set<String>

    /// A network with every default; what the data can decide is left to them.
    public init(_ kind: NetworkKind) {
        configuration = NetworkConfiguration(defaultsOf: kind.type)
        given = []
    }

    /// A network of a configuration. Of what the data can decide, values that are the defaults are left to them.
    public init(_ configuration: NetworkConfiguration) {
        self.configuration = configuration
        given = configuration.keysAwayFromDefaults
    }

    /// Reads the keys that a recipe gives; those that are `null` or missing and that the data can decide are left to
    /// them.
    /// - Throws: `NetworkError` that names the key.
    init(_ kind: NetworkKind, given values: [(name: String, value: Node)]) throws {
        let named = Set(values.filter { !$0.value.isAbsent }.map(\.name))
        given = kind.type.fittedKeys.intersection(named)
        let node = Node(
            values.filter { !$0.value.isAbsent || !kind.type.fittedKeys.contains($0.name) }
                .map { (Node($0.name), $0.value) })
        let decoder = try YAMLDecoder().decode(DecoderItself.self, from: node).decoder
        configuration = try NetworkConfiguration(
            of: kind.type, from: decoder, leaving: kind.type.fittedKeys.subtracting(given))
    }

    private init(fitted configuration: NetworkConfiguration) {
        self.configuration = configuration
        given = configuration.type.fittedKeys
    }

    /// The kind.
    public var kind: NetworkKind { NetworkKind(configuration.type) }
    /// The keys that are left to the data.
    var open: Set<String> { configuration.type.fittedKeys.subtracting(given) }

    /// Every key of the configuration; those that are left to the data are `null`.
    var tree: Node.Mapping {
        get throws {
            try TreeEncoder.tree(of: Written(configuration: configuration, open: open)).mapping ?? [:]
        }
    }

    /// Every key with a value of its type.
    var typedTree: Node.Mapping {
        get throws {
            try TreeEncoder.tree(of: Written(configuration: configuration, open: [])).mapping ?? [:]
        }
    }

    /// The network with what the data demand of it.
    /// - Throws: `NetworkError` where the result describes no network.
    func fitted(to demands: NetworkDemands) throws -> RecipeNetwork {
        var demands = demands
        demands.given = given
        return RecipeNetwork(fitted: try configuration.fitted(to: demands))
    }

    private struct Written: Encodable {
        let configuration: NetworkConfiguration
        let open: Set<String>
        func encode(to encoder: any Encoder) throws { try configuration.encode(to: encoder, leaving: open) }
    }

    /// Keeps the decoder, which reads the keys that its caller knows.
    private struct DecoderItself: Decodable {
        let decoder: any Decoder
        init(from decoder: any Decoder) { self.decoder = decoder }
    }
}
