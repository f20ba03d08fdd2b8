import Checkpoints
import Layers
import Storage
import Tensors

/// A network that can be trained to denoise, kept in a folder, and sampled: what pipelines, recipes and inspection need
/// of a family of networks stands in its conformance, and nowhere else.
///
/// A new network is a type with this conformance and a row in `KnownNetworks.denoising`.
public protocol DenoisingNetwork: ConfiguredNetwork, NoiseNetwork
where Configuration: NetworkSettings, Configuration.Network == Self {
    /// What the network is, in a few words for a list of them.
    static var summary: String { get }

    /// What a recipe calls the network under `model.kind`; the class names of `config.json` are read there, too.
    static var word: String { get }

    /// What follows from a valid configuration for those who use the network.
    static func traits(_ configuration: Configuration) -> NetworkTraits

    /// The keys of the configuration that a recipe may leave to the data and the conditioning.
    static var fittedKeys: Set<String> { get }

    /// A configuration with the keys that `demands` does not list as given brought to what it asks for.
    static func fitted(_ configuration: Configuration, to demands: NetworkDemands) -> Configuration

    /// The network with heads of attention computed some at a time; unchanged where it has no such choice.
    func slicingAttention(_ slicing: AttentionSlicing) -> Self
}

extension DenoisingNetwork {
    /// Unchanged.
    public func slicingAttention(_ slicing: AttentionSlicing) -> Self { self }
}

/// The configuration of a `DenoisingNetwork`.
public protocol NetworkSettings: TrainableSettings {
    /// The network that it describes.
    associatedtype Network: DenoisingNetwork where Network.Configuration == Self
}

// A configuration whose type is not known where it is used opens itself here.
extension NetworkSettings {
    var type: any DenoisingNetwork.Type { Network.self }
    var traits: NetworkTraits { Network.traits(self) }
    func network(_ weights: Weights) throws -> any DenoisingNetwork { try Network(self, weights) }
    func json() throws -> JSONObject { try Network.json(self) }
    func write(_ parameters: [(String, Tensor)], to folder: ModelFolder) throws {
        try Network.write(self, parameters, to: folder)
    }
    func fitted(to demands: NetworkDemands) throws -> any NetworkSettings {
        let fitted = Network.fitted(self, to: demands)
        try fitted.validate()
        return fitted
    }
}

extension DenoisingNetwork {
    static var defaults: any NetworkSettings { Configuration() }
    static func settings(_ object: JSONObject) throws -> any NetworkSettings { try configuration(object) }
}

/// What data, conditioning and loss ask of a network that is trained on them.
public struct NetworkDemands: Sendable {
    /// The shape of a sample, `[channels, height, width]` or `[dimension]`; `nil` where it is not known yet.
    public var sample: Shape?
    /// Whether the network gives a variance beside each value.
    public var learnsVariance = false
    /// The number of classes, the one that stands for none included; `nil` without classes.
    public var classes: Int?
    /// Features of a token of the context; `nil` without one.
    public var contextWidth: Int?
    /// Texts, for a network that encodes them itself; `nil` without any.
    public var tokens: NetworkTraits.Tokens?
    /// Layers of a text encoder that is trained along; `nil` without one.
    public var textLayers: Int?
    /// Tokens of the context; `nil` where nothing says so.
    public var contextTokens: Int?
    /// Features of a text as a whole; `nil` without one.
    public var pooledWidth: Int?
    /// Whether the pictures of lower resolution that it enlarges are noised; `nil` where nothing says so.
    public var noisesLowResolution: Bool?
    /// The keys of the configuration that were given by hand: they stay.
    public var given: Set<String>

    /// Demands that leave the given keys alone.
    public init(sample: Shape? = nil, given: Set<String> = []) {
        (self.sample, self.given) = (sample, given)
    }

    /// Channels of a picture or the dimension of a point.
    public var channels: Int? { sample?[0] }

    /// Channels of the output: twice those of the sample where a variance is learned.
    public var outputChannels: Int? { channels.map { learnsVariance ? 2 * $0 : $0 } }

    /// Height and width of pictures.
    public var size: UNet2DConfiguration.SampleSize? {
        guard let sample, sample.count == 3 else { return nil }
        return sample[1] == sample[2] ? .square(sample[1]) : .rectangle(height: sample[1], width: sample[2])
    }

    /// Sets a property to what is demanded, unless its key was given or nothing is demanded.
    public func set<Value>(_ key: String, _ property: inout Value, to value: Value?) {
        if let value, !given.contains(key) { property = value }
    }

    /// The same for a property that can be absent.
    public func set<Value>(_ key: String, _ property: inout Value?, to value: Value?) {
        if let value, !given.contains(key) { property = value }
    }
}
