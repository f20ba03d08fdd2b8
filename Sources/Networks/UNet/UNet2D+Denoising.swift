import Checkpoints
import Layers
import Tensors

extension UNet2D: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "UNet2DModel" }

    /// Early checkpoints name the four products of attention otherwise.
    public static var nameMap: NameMap {
        earlyAttentionNames([
            "down_blocks.{l}.attentions.{i}", "mid_block.attentions.{i}", "up_blocks.{l}.attentions.{i}",
        ])
    }
}

extension UNet2D: JoinedHeadsNetwork {
    package static func heads(_ configuration: UNet2DConfiguration) -> HeadSplit? { configuration.heads }
}

extension UNet2D: NoiseNetwork {
    /// The network's output for a batch; it reads the labels and the deep features.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        conditions.checkRead(
            [Conditions.Key.labels.name, Conditions.Key.deepFeatures.name], by: Self.className)
        return self(
            x, time: time, labels: conditions[.labels], deepFeatures: conditions[.deepFeatures],
            dropout: dropout)
    }
}

extension UNet2D: DenoisingNetwork {
    /// The kind of network.
    public static var summary: String { "the U-Net of DDPM" }

    /// The word in a recipe.
    public static var word: String { "unet2d" }

    /// What follows from a configuration.
    public static func traits(_ configuration: UNet2DConfiguration) -> NetworkTraits {
        let layers = configuration.layersPerBlock
        var traits = NetworkTraits(
            family: "ddpm", channels: configuration.inChannels, outputChannels: configuration.outChannels,
            activationCount: ActivationCount.ofUNet(configuration.blockOutChannels) { _ in layers })
        traits.pictureSize = configuration.sampleSize.map { ($0.height, $0.width) }
        traits.sizeMultiple = 1 << (configuration.blockOutChannels.count - 1)
        if configuration.isConditional {
            traits.labels = .init(count: configuration.numClassEmbeds, nullClass: nil, isRequired: true)
        }
        if configuration.timeEmbeddingType == .fourier { traits.positiveTimeKey = "time_embedding_type" }
        traits.hasDeepFeatures = true
        return traits
    }

    /// Sizes, channels and the number of classes.
    public static var fittedKeys: Set<String> {
        ["sample_size", "in_channels", "out_channels", "num_class_embeds"]
    }

    /// A configuration of the data's size and channels, with a table of their classes.
    public static func fitted(_ configuration: UNet2DConfiguration, to demands: NetworkDemands)
        -> UNet2DConfiguration
    {
        var fitted = configuration
        demands.set("sample_size", &fitted.sampleSize, to: demands.size)
        demands.set("in_channels", &fitted.inChannels, to: demands.channels)
        demands.set("out_channels", &fitted.outChannels, to: demands.outputChannels)
        demands.set("num_class_embeds", &fitted.numClassEmbeds, to: demands.classes)
        return fitted
    }
}

extension UNet2DConfiguration: NetworkSettings {
    /// The network that it describes.
    public typealias Network = UNet2D
}
