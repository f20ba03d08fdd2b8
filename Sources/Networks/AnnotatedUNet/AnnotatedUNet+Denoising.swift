import Tensors

extension AnnotatedUNet: ConfiguredNetwork {
    /// The name in this project; no other program has a folder layout for it.
    public static var className: String { "AnnotatedUNet" }
}

extension AnnotatedUNet: ClassConditionedNetwork {
    /// The kind of network.
    public static var summary: String { "the ConvNeXt U-Net of the annotated diffusion article" }

    /// The word in a recipe.
    public static var word: String { "annotated" }

    /// What follows from a configuration.
    public static func traits(_ configuration: AnnotatedUNetConfiguration) -> NetworkTraits {
        var traits = NetworkTraits(
            family: "annotated", channels: configuration.channels,
            outputChannels: configuration.outDim ?? configuration.channels,
            activationCount: ActivationCount.ofUNet(configuration.dimMults.map { $0 * configuration.dim }) {
                _ in 1
            })
        traits.library = "langevin"
        traits.sizeMultiple = 1 << (configuration.dimMults.count - 1)
        traits.labels = .init(classes: configuration.numClassEmbeds)
        return traits
    }

    /// Channels and the number of classes.
    public static var fittedKeys: Set<String> { ["channels", "out_dim", "num_class_embeds"] }

    /// A configuration of the data's channels, with a table of their classes.
    public static func fitted(_ configuration: AnnotatedUNetConfiguration, to demands: NetworkDemands)
        -> AnnotatedUNetConfiguration
    {
        var fitted = configuration
        demands.set("channels", &fitted.channels, to: demands.channels)
        demands.set("out_dim", &fitted.outDim, to: demands.learnsVariance ? demands.outputChannels : nil)
        demands.set("num_class_embeds", &fitted.numClassEmbeds, to: demands.classes)
        return fitted
    }
}

extension AnnotatedUNetConfiguration: NetworkSettings {
    /// The network that it describes.
    public typealias Network = AnnotatedUNet
}
