import Layers
import Storage
import Tensors

/// A network that makes a larger picture of one in a single pass, without noise.
///
/// A new one is a type with this conformance and a row in `KnownNetworks.enlarging`.
public protocol EnlargingNetwork: ConfiguredNetwork {
    /// What follows from a valid configuration for those who use the network.
    static func traits(_ configuration: Configuration) -> EnlargingTraits

    /// The larger picture of one of any size.
    /// - Parameter x: `[batch, channels, height, width]` in 0 … 1, in the element type of the weights.
    /// - Returns: `[batch, outputChannels, height · scale, width · scale]`, about 0 … 1
    func callAsFunction(_ x: Tensor) -> Tensor
}

/// What an enlarging network takes and gives, as far as those who use it must know.
public struct EnlargingTraits: Sendable, Equatable {
    /// How many times larger the result is.
    public var scale: Int
    /// Channels of pictures to enlarge.
    public var channels: Int
    /// Channels of the result.
    public var outputChannels: Int
    /// The side of the squares in which the network sees a picture, so that pieces of it must begin at multiples.
    public var unit: Int
    /// The number of values, at the least, that live together for one pixel of the picture.
    public var valuesPerPixel: Int

    /// Traits.
    public init(scale: Int, channels: Int, outputChannels: Int, unit: Int, valuesPerPixel: Int) {
        (self.scale, self.channels, self.outputChannels) = (scale, channels, outputChannels)
        (self.unit, self.valuesPerPixel) = (unit, valuesPerPixel)
    }
}

extension EnlargingNetwork {
    /// What follows from the network's own configuration.
    public var traits: EnlargingTraits { Self.traits(configuration) }

    /// What follows from a `config.json`.
    /// - Throws: `CheckpointError` or `NetworkError` that names the key that will not do.
    public static func traits(_ object: JSONObject) throws -> EnlargingTraits {
        try traits(configuration(object))
    }
}
