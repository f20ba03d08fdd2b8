import Tensors

extension MMDiT: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "SD3Transformer2DModel" }

    /// The table that places are cut out of.
    public static func placeTable(named name: String) -> PlaceTable? {
        name == "pos_embed.pos_embed" ? PlaceTable() : nil
    }
}

extension MMDiT: NoiseNetwork {
    /// The network's output for a batch; it reads the context, the pooled text and control after its blocks.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, dropout: RandomGenerator?
    ) -> Tensor {
        conditions.checkRead(
            [Conditions.Key.context.name, Conditions.Key.pooledText.name, Conditions.Key.control.name],
            by: Self.className)
        guard let context = conditions[.context], let pooled = conditions[.pooledText] else {
            preconditionFailure("this network needs a context and a pooled text")
        }
        return self(
            x, time: time, context: context, pooled: pooled, control: conditions[.control]?.within ?? [])
    }
}

extension MMDiT: DenoisingNetwork {
    /// The kind of network.
    public static var summary: String { "the transformer of pictures and text" }

    /// The word in a recipe.
    public static var word: String { "mmdit" }

    /// What follows from a configuration.
    public static func traits(_ configuration: MMDiTConfiguration) -> NetworkTraits {
        var traits = NetworkTraits(
            family: "sd3", channels: configuration.inChannels,
            outputChannels: configuration.outChannels ?? configuration.inChannels,
            activationCount: ActivationCount.ofTransformer(patch: configuration.patchSize) {
                configuration.width
            })
        traits.pictureSize = (configuration.sampleSize, configuration.sampleSize)
        traits.sizeMultiple = configuration.patchSize
        traits.patch = configuration.patchSize
        traits.largestSide = configuration.posEmbedMaxSize.map { $0 * configuration.patchSize }
        traits.context = .init(width: configuration.jointAttentionDim, key: "joint_attention_dim")
        traits.pooled = .init(width: configuration.pooledProjectionDim, key: "pooled_projection_dim")
        return traits
    }

    /// Sizes, channels and the widths of the text, outside and inside the network.
    public static var fittedKeys: Set<String> {
        [
            "sample_size", "in_channels", "out_channels", "joint_attention_dim", "pooled_projection_dim",
            "caption_projection_dim",
        ]
    }

    /// A configuration of the data's larger side and channels and the text's widths.
    public static func fitted(_ configuration: MMDiTConfiguration, to demands: NetworkDemands)
        -> MMDiTConfiguration
    {
        var fitted = configuration
        demands.set("sample_size", &fitted.sampleSize, to: demands.size.map { max($0.height, $0.width) })
        demands.set("in_channels", &fitted.inChannels, to: demands.channels)
        demands.set("out_channels", &fitted.outChannels, to: demands.outputChannels)
        demands.set("joint_attention_dim", &fitted.jointAttentionDim, to: demands.contextWidth)
        demands.set("pooled_projection_dim", &fitted.pooledProjectionDim, to: demands.pooledWidth)
        // The heads say how wide any token is.
        let (width, isTooLarge) = fitted.numAttentionHeads.multipliedReportingOverflow(
            by: fitted.attentionHeadDim)
        demands.set("caption_projection_dim", &fitted.captionProjectionDim, to: isTooLarge ? nil : width)
        return fitted
    }
}

extension MMDiTConfiguration: NetworkSettings {
    /// The network that it describes.
    public typealias Network = MMDiT
}
