import Tensors

extension EfficientUNet: ConfiguredNetwork {
    /// The name in this project; no other program has a folder layout for it.
    public static var className: String { "EfficientUNet" }
}

extension EfficientUNet: NoiseNetwork {
    static let conditionNames: Set = [
        Conditions.Key.labels.name, Conditions.Key.context.name, Conditions.Key.projections.name,
        Conditions.Key.lowResolution.name, Conditions.Key.noiseLevel.name,
    ]
}

extension EfficientUNet: DenoisingNetwork {
    /// The kind of network.
    public static var summary: String { "Imagen's efficient U-Net" }

    /// The word in a recipe.
    public static var word: String { "efficient-unet" }

    /// What follows from a configuration.
    public static func traits(_ configuration: EfficientUNetConfiguration) -> NetworkTraits {
        var traits = NetworkTraits(
            family: "efficient-unet", channels: configuration.inChannels,
            outputChannels: configuration.outChannels ?? configuration.inChannels,
            activationCount: ActivationCount.ofUNet(configuration.widths) { _ in 1 })
        traits.library = "langevin"
        traits.pictureSize = configuration.sampleSize.map { ($0.height, $0.width) }
        traits.sizeMultiple = 1 << (configuration.multipliers.count - 1)
        traits.labels = .init(classes: configuration.numClassEmbeds)
        traits.context = configuration.crossAttentionDim.map { .init(width: $0, key: "cross_attention_dim") }
        traits.enlargement = configuration.lowResolutionFactor.map {
            .init(factor: $0, readsNoiseLevel: configuration.hasNoiseLevel)
        }
        return traits
    }

    /// Size, channels, the number of classes, the width of the context, and whether smaller pictures are noised.
    public static var fittedKeys: Set<String> {
        [
            "sample_size", "in_channels", "out_channels", "num_class_embeds", "cross_attention_dim",
            "noise_level_embedding",
        ]
    }

    /// A configuration of the data's size and channels, with a table of their classes, that attends to a context of a width.
    public static func fitted(_ configuration: EfficientUNetConfiguration, to demands: NetworkDemands)
        -> EfficientUNetConfiguration
    {
        var fitted = configuration
        demands.set("sample_size", &fitted.sampleSize, to: demands.size)
        demands.set("in_channels", &fitted.inChannels, to: demands.channels)
        demands.set(
            "out_channels", &fitted.outChannels, to: demands.learnsVariance ? demands.outputChannels : nil)
        demands.set("num_class_embeds", &fitted.numClassEmbeds, to: demands.classes)
        demands.set("cross_attention_dim", &fitted.crossAttentionDim, to: demands.contextWidth)
        if configuration.lowResolutionFactor != nil {
            demands.set("noise_level_embedding", &fitted.hasNoiseLevel, to: demands.noisesLowResolution)
        }
        return fitted
    }

    /// The network with heads of attention computed some at a time.
    public func slicingAttention(_ slicing: AttentionSlicing) -> EfficientUNet {
        var sliced = self
        sliced.attentionSlicing = slicing
        return sliced
    }
}

extension EfficientUNetConfiguration: NetworkSettings {
    /// The network that it describes.
    public typealias Network = EfficientUNet
}
