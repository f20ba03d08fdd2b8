import Networks
import Yams

/// The configuration of a recipe's model, and which of its keys are left to the data.
public struct RecipeNetwork: Sendable {
    /// What kind of model it is.
    public let kind: ModelKind
    /// The configuration; what it holds under keys that are left to the data does not count.
    public let settings: any TrainableSettings
    /// The keys that data can decide and that are given all the same.
    public let given: Set<String>

    /// A model with every default; what the data can decide is left to them.
    public init(_ kind: ModelKind) { self.init(kind, kind.settings.defaults, given: []) }

    /// A network that denoises. Of what the data can decide, values that are the defaults are left to them.
    public init(_ configuration: NetworkConfiguration) {
        let kind = ModelKind(configuration.type)
        let own = Self.tree(of: configuration.settings)
        let defaults = Self.tree(of: kind.settings.defaults)
        let given = kind.settings.fittedKeys.filter { own[Node($0)] != defaults[Node($0)] }
        self.init(kind, configuration.settings, given: given)
    }

    /// Reads the keys that a recipe gives; those that are `null` or missing and that the data can decide are left to
    /// them.
    /// - Throws: `NetworkError` that names the key.
    init(_ kind: ModelKind, given values: [(name: String, value: Node)]) throws {
        let fittedKeys = kind.settings.fittedKeys
        let named = Set(values.filter { !$0.value.isAbsent }.map(\.name))
        let given = fittedKeys.intersection(named)
        let node = Node(
            values.filter { !$0.value.isAbsent || !fittedKeys.contains($0.name) }
                .map { (Node($0.name), $0.value) })
        let decoder = try YAMLDecoder().decode(DecoderItself.self, from: node).decoder
        self.init(kind, try kind.settings.read(decoder, fittedKeys.subtracting(given)), given: given)
    }

    /// A model of settings, none of which the data may decide.
    init(_ kind: ModelKind, _ settings: any TrainableSettings) {
        self.init(kind, settings, given: kind.settings.fittedKeys)
    }

    private init(_ kind: ModelKind, _ settings: any TrainableSettings, given: Set<String>) {
        (self.kind, self.settings, self.given) = (kind, settings, given)
    }

    /// The configuration of a network that denoises.
    /// - Precondition: the kind is that of one.
    public var configuration: NetworkConfiguration {
        guard let settings = settings as? any NetworkSettings else {
            preconditionFailure("a model of kind \(kind.word) does not denoise")
        }
        return NetworkConfiguration(settings)
    }

    /// The keys that are left to the data.
    var open: Set<String> { kind.settings.fittedKeys.subtracting(given) }

    /// Every key of the configuration; those that are left to the data are `null`.
    var tree: Node.Mapping {
        get throws { try TreeEncoder.tree(of: Written(settings: settings, open: open)).mapping ?? [:] }
    }

    /// Every key with a value of its type.
    var typedTree: Node.Mapping { Self.tree(of: settings) }

    private static func tree(of settings: any TrainableSettings) -> Node.Mapping {
        (try? TreeEncoder.tree(of: Written(settings: settings, open: [])).mapping) ?? [:]
    }

    /// The model with what the data demand of it.
    /// - Throws: `NetworkError` where the result describes no network.
    func fitted(to demands: NetworkDemands) throws -> RecipeNetwork {
        var demands = demands
        demands.given = given
        return RecipeNetwork(
            kind, try kind.settings.fitted(settings, demands), given: kind.settings.fittedKeys)
    }

    private struct Written: Encodable {
        let settings: any TrainableSettings
        let open: Set<String>
        func encode(to encoder: any Encoder) throws {
            guard let table = settings as? any ConfigurationTable else {
                return try settings.encode(to: encoder)
            }
            try table.encode(to: encoder, leaving: open)
        }
    }

    /// Keeps the decoder, which reads the keys that its caller knows.
    private struct DecoderItself: Decodable {
        let decoder: any Decoder
        init(from decoder: any Decoder) { self.decoder = decoder }
    }
}

extension Recipe {
    /// The model with what the data demand of it.
    /// - Throws: `RecipeError` that names the key whose value will not do.
    func fittedModel(to demands: NetworkDemands) throws -> RecipeNetwork {
        do {
            return try model.network.fitted(to: demands)
        } catch let error as NetworkError {
            throw RecipeError("model.\(error.key) \(error.problem).")
        }
    }
}

extension RecipeNetwork: Equatable {
    /// Whether two models are of one kind and alike in every key.
    public static func == (one: Self, other: Self) -> Bool {
        func equal<Settings: TrainableSettings>(_ settings: Settings) -> Bool {
            settings == other.settings as? Settings
        }
        return one.kind == other.kind && one.given == other.given && equal(one.settings)
    }
}
