import Tensors

extension DiT: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "DiTTransformer2DModel" }

    /// The class that diffusers had before, for transformers of several kinds.
    public static var olderClassNames: [String] { ["Transformer2DModel"] }
}

extension DiT: NoiseNetwork {
    /// The network's output for a batch; it reads the labels.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        conditions.checkRead([Conditions.Key.labels.name], by: Self.className)
        return self(x, time: time, labels: conditions[.labels], dropout: dropout)
    }
}

extension DiT: DenoisingNetwork {
    /// The kind of network.
    public static var summary: String { "the transformer of pictures and classes" }

    /// The word in a recipe.
    public static var word: String { "dit" }

    /// What follows from a configuration. The class after the last stands for none, also where no labels are given.
    public static func traits(_ configuration: DiTConfiguration) -> NetworkTraits {
        var traits = NetworkTraits(
            family: "dit", channels: configuration.inChannels,
            outputChannels: configuration.outChannels ?? configuration.inChannels,
            activationCount: ActivationCount.ofTransformer(patch: configuration.patchSize) {
                configuration.width
            })
        traits.pictureSize = (configuration.sampleSize, configuration.sampleSize)
        traits.sizeMultiple = configuration.patchSize
        traits.patch = configuration.patchSize
        traits.labels = .init(
            count: configuration.numEmbedsAdaNorm + 1, nullClass: configuration.nullClass, isRequired: false)
        return traits
    }

    /// Sizes, channels and the number of classes.
    public static var fittedKeys: Set<String> {
        ["sample_size", "in_channels", "out_channels", "num_embeds_ada_norm"]
    }

    /// A configuration of the data's larger side and channels, with a table of their classes: without any it holds one,
    /// which is never used, beside the one that stands for none.
    public static func fitted(_ configuration: DiTConfiguration, to demands: NetworkDemands)
        -> DiTConfiguration
    {
        var fitted = configuration
        demands.set("sample_size", &fitted.sampleSize, to: demands.size.map { max($0.height, $0.width) })
        demands.set("in_channels", &fitted.inChannels, to: demands.channels)
        demands.set("out_channels", &fitted.outChannels, to: demands.outputChannels)
        if demands.sample != nil {
            demands.set("num_embeds_ada_norm", &fitted.numEmbedsAdaNorm, to: (demands.classes ?? 2) - 1)
        }
        return fitted
    }
}

extension DiTConfiguration: NetworkSettings {
    /// The network that it describes.
    public typealias Network = DiT
}
