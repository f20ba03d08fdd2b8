import Layers
import Storage
import Tensors

/// An autoencoder that is kept in a folder: what pipelines need of each family of them stands in its conformance, and
/// nowhere else.
///
/// A new autoencoder is a type with this conformance and a row in `KnownNetworks.autoencoders`.
public protocol LatentAutoencoder: ConfiguredNetwork, PictureAutoencoder
where Configuration: AutoencoderSettings, Configuration.Network == Self {
    /// What follows from a valid configuration for those who use the autoencoder.
    static func traits(_ configuration: Configuration) -> AutoencoderTraits

    /// The autoencoder with large pictures passed piece by piece, where it can.
    func tiled() -> Self
}

extension LatentAutoencoder {
    /// Unchanged: pictures pass whole.
    public func tiled() -> Self { self }
}

/// The configuration of a `LatentAutoencoder`.
public protocol AutoencoderSettings: Codable, Equatable, Sendable {
    /// The network that it describes.
    associatedtype Network: LatentAutoencoder where Network.Configuration == Self
}

// A configuration whose type is not known where it is used opens itself here.
extension AutoencoderSettings {
    var type: any LatentAutoencoder.Type { Network.self }
    var traits: AutoencoderTraits { Network.traits(self) }
}

extension LatentAutoencoder {
    static func settings(_ object: JSONObject) throws -> any AutoencoderSettings { try configuration(object) }
}

/// What an autoencoder takes and gives, as far as those who use it must know.
public struct AutoencoderTraits: Sendable {
    /// Channels of pictures to encode.
    public var channels: Int
    /// Channels of decoded pictures.
    public var outputChannels: Int
    /// Height and width of the pictures that it was made for, where it says so.
    public var pictureSize: (height: Int, width: Int)?
    /// Channels of latents.
    public var latentChannels: Int
    /// Whether latents are drawn from a distribution.
    public var hasDistribution = false
    /// Whether pictures of latents are drawn, from noise.
    public var drawsPictures = false
    /// Pixels along each side of the square that one latent stands for.
    public var pixelsPerLatent: Int
    /// Whether float16 is known to overflow in it.
    public var overflowsInHalf: Bool
    /// Channels that live together for each pixel at the end of decoding: what the last block reads and writes.
    public var channelsPerPixel: Int

    /// The traits of an autoencoder.
    public init(
        channels: Int, outputChannels: Int, latentChannels: Int, pixelsPerLatent: Int, overflowsInHalf: Bool,
        channelsPerPixel: Int
    ) {
        (self.channels, self.outputChannels) = (channels, outputChannels)
        (self.latentChannels, self.pixelsPerLatent) = (latentChannels, pixelsPerLatent)
        (self.overflowsInHalf, self.channelsPerPixel) = (overflowsInHalf, channelsPerPixel)
    }

    /// The shape of the latents of pictures `[channels, height, width]`.
    public func latentShape(of picture: Shape) -> Shape {
        [latentChannels, picture[1] / pixelsPerLatent, picture[2] / pixelsPerLatent]
    }

    /// The least number of values that live together at the end of decoding one picture, or at the start of encoding
    /// one.
    public func activationCount(height: Int, width: Int) -> Double {
        Double(height) * Double(width) * Double(channelsPerPixel)
    }
}

extension CoderConfiguration {
    /// The traits of an autoencoder with these halves.
    func traits(latentChannels: Int, overflowsInHalf: Bool) -> AutoencoderTraits {
        var traits = AutoencoderTraits(
            channels: inChannels, outputChannels: outChannels, latentChannels: latentChannels,
            pixelsPerLatent: pixelsPerLatent, overflowsInHalf: overflowsInHalf,
            channelsPerPixel: blockOutChannels[min(1, blockOutChannels.count - 1)] + blockOutChannels[0])
        traits.pictureSize = (sampleSize.height, sampleSize.width)
        return traits
    }
}
