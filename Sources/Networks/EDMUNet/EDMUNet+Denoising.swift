import Layers
import Tensors

extension EDMUNet: ConfiguredNetwork {
    /// The name in this project; no other program has a folder layout for it.
    public static var className: String { "EDMUNet2D" }

    /// The filters that halve and double, which are computed.
    public static func passesOver(_ name: String, in source: any TensorSource) -> Bool {
        name.hasSuffix(".resample_filter")
    }
}

extension EDMUNet: NoiseNetwork {
    /// The network's output for a batch; it reads the labels.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        conditions.checkRead([Conditions.Key.labels.name], by: Self.className)
        return self(x, time: time, labels: conditions[.labels], dropout: dropout)
    }
}

extension EDMUNet: DenoisingNetwork {
    /// The kind of network.
    public static var summary: String { "the U-Nets of EDM: DDPM++, NCSN++, and ADM's" }

    /// The word in a recipe.
    public static var word: String { "edm-unet" }

    /// What follows from a configuration.
    public static func traits(_ configuration: EDMUNetConfiguration) -> NetworkTraits {
        let layers = configuration.numBlocks
        var traits = NetworkTraits(
            family: "edm", channels: configuration.imgChannels,
            outputChannels: configuration.outChannels ?? configuration.imgChannels,
            activationCount: ActivationCount.ofUNet(configuration.widths) { _ in layers })
        traits.library = "langevin"
        traits.pictureSize = (configuration.imgResolution, configuration.imgResolution)
        traits.sizeMultiple = 1 << (configuration.channelMult.count - 1)
        if configuration.labelDim > 0 {
            traits.labels = .init(count: configuration.labelDim, isRequired: true)
        }
        return traits
    }

    /// Sizes, channels and the number of classes.
    public static var fittedKeys: Set<String> {
        ["img_resolution", "img_channels", "out_channels", "label_dim"]
    }

    /// A configuration of the data's size and channels, with a table of their classes.
    public static func fitted(_ configuration: EDMUNetConfiguration, to demands: NetworkDemands)
        -> EDMUNetConfiguration
    {
        var fitted = configuration
        demands.set("img_resolution", &fitted.imgResolution, to: demands.size?.height)
        demands.set("img_channels", &fitted.imgChannels, to: demands.channels)
        demands.set(
            "out_channels", &fitted.outChannels, to: demands.learnsVariance ? demands.outputChannels : nil)
        demands.set("label_dim", &fitted.labelDim, to: demands.classes)
        return fitted
    }
}

extension EDMUNetConfiguration: NetworkSettings {
    /// The network that it describes.
    public typealias Network = EDMUNet
}
