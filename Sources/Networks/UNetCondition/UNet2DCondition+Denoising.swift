import Checkpoints
import Layers
import Tensors

extension UNet2DCondition: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "UNet2DConditionModel" }

    /// That of `UNet2D`: attention among pixels is the same.
    public static var nameMap: NameMap { UNet2D.nameMap }
}

extension UNet2DCondition: NoiseNetwork {
    /// The conditions that networks of this type read, each where its configuration says so.
    static let conditionNames: Set = [
        Conditions.Key.labels.name, Conditions.Key.context.name, Conditions.Key.contextMask.name,
        Conditions.Key.pooledText.name, Conditions.Key.numbers.name, Conditions.Key.guidance.name,
        Conditions.Key.control.name, Conditions.Key.deepFeatures.name, Conditions.Key.projections.name,
        Conditions.Key.imagePrompts.name,
    ]
}

extension UNet2DCondition: DenoisingNetwork {
    /// The kind of network.
    public static var summary: String { "the U-Net that attends to a context, such as a text" }

    /// The word in a recipe.
    public static var word: String { "unet2d-condition" }

    /// What follows from a configuration. Heights and widths can be any where the way up takes the sizes of the way down;
    /// residual blocks only double.
    public static func traits(_ configuration: UNet2DConditionConfiguration) -> NetworkTraits {
        var traits = NetworkTraits(
            family: "ldm", channels: configuration.inChannels, outputChannels: configuration.outChannels,
            activationCount: ActivationCount.ofUNet(configuration.blockOutChannels) {
                configuration.layersPerBlock[$0]
            })
        traits.pictureSize = configuration.sampleSize.map { ($0.height, $0.width) }
        if configuration.isConditional {
            traits.labels = .init(count: configuration.numClassEmbeds, nullClass: nil, isRequired: true)
        }
        if configuration.looksAtContext {
            traits.context = .init(
                width: configuration.contextWidth,
                key: configuration.encoderHidDim == nil ? "cross_attention_dim" : "encoder_hid_dim")
        }
        if configuration.blockKinds.contains(where: \.isResidual) {
            traits.sizeMultiple = 1 << (configuration.blockOutChannels.count - 1)
        }
        if configuration.additionEmbedType == .textTime {
            traits.numbers = .init(
                width: configuration.additionTimeEmbedDim ?? 0,
                total: configuration.projectionClassEmbeddingsInputDim ?? 0,
                key: "projection_class_embeddings_input_dim")
        }
        traits.guidanceWidth = configuration.timeCondProjDim
        traits.hasDeepFeatures = true
        return traits
    }

    /// Sizes, channels, the number of classes and the width of the context.
    public static var fittedKeys: Set<String> {
        ["sample_size", "in_channels", "out_channels", "num_class_embeds", "cross_attention_dim"]
    }

    /// A configuration of the data's size and channels, with a table of their classes, that attends to a context of a
    /// width.
    public static func fitted(_ configuration: UNet2DConditionConfiguration, to demands: NetworkDemands)
        -> UNet2DConditionConfiguration
    {
        var fitted = configuration
        demands.set("sample_size", &fitted.sampleSize, to: demands.size)
        demands.set("in_channels", &fitted.inChannels, to: demands.channels)
        demands.set("out_channels", &fitted.outChannels, to: demands.outputChannels)
        demands.set("num_class_embeds", &fitted.numClassEmbeds, to: demands.classes)
        if fitted.encoderHidDim != nil {
            demands.set("encoder_hid_dim", &fitted.encoderHidDim, to: demands.contextWidth)
        } else {
            demands.set(
                "cross_attention_dim", &fitted.crossAttentionDim, to: demands.contextWidth.map { .same($0) })
        }
        return fitted
    }

    /// The network with heads of attention computed some at a time.
    public func slicingAttention(_ slicing: AttentionSlicing) -> UNet2DCondition {
        var sliced = self
        sliced.attentionSlicing = slicing
        return sliced
    }
}

extension UNet2DConditionConfiguration: NetworkSettings {
    /// The network that it describes.
    public typealias Network = UNet2DCondition
}
