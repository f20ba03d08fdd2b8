import Checkpoints
import Tensors

extension GLIDEUNet: ConfiguredNetwork {
    /// The name in this project; diffusers has no such network.
    public static var className: String { "GLIDEUNet2D" }
}

extension GLIDEUNet: DenoisingNetwork {
    /// The kind of network.
    public static var summary: String { "GLIDE's U-Net with a text transformer inside" }

    /// The word in a recipe.
    public static var word: String { "glide" }

    /// What follows from a configuration.
    public static func traits(_ configuration: GLIDEUNetConfiguration) -> NetworkTraits {
        var traits = UNet2DCondition.traits(configuration.whole)
        (traits.family, traits.library) = ("glide", "langevin")
        traits.channels = configuration.unet.inChannels
        (traits.context, traits.labels) = (nil, nil)
        traits.tokens = .init(length: configuration.textLength, vocabulary: configuration.vocabularySize)
        traits.enlargement = configuration.lowResolutionFactor.map {
            .init(factor: $0, readsNoiseLevel: false, isOfBytes: true)
        }
        traits.inpaints = configuration.inpaints
        return traits
    }

    /// Sizes, channels, and the sizes of the text transformer.
    public static var fittedKeys: Set<String> {
        [
            "sample_size", "in_channels", "out_channels", "text_ctx", "vocab_size", "xf_width", "xf_layers",
            "xf_heads",
        ]
    }

    /// A configuration of the data's size and channels, for texts of a tokenizer. Heads of the text transformer have 32
    /// features where they can.
    public static func fitted(_ configuration: GLIDEUNetConfiguration, to demands: NetworkDemands)
        -> GLIDEUNetConfiguration
    {
        var fitted = configuration
        demands.set("sample_size", &fitted.unet.sampleSize, to: demands.size)
        demands.set("in_channels", &fitted.unet.inChannels, to: demands.channels)
        demands.set("out_channels", &fitted.unet.outChannels, to: demands.outputChannels)
        demands.set("text_ctx", &fitted.textLength, to: demands.tokens?.length)
        demands.set("vocab_size", &fitted.vocabularySize, to: demands.tokens?.vocabulary)
        demands.set("xf_width", &fitted.textWidth, to: demands.contextWidth)
        demands.set("xf_layers", &fitted.textLayers, to: demands.textLayers)
        demands.set(
            "xf_heads", &fitted.textHeads, to: demands.contextWidth.map { $0 % 32 == 0 ? $0 / 32 : 1 })
        return fitted
    }

    /// The network with heads of attention computed some at a time.
    public func slicingAttention(_ slicing: AttentionSlicing) -> GLIDEUNet {
        var sliced = self
        sliced.unet = unet.slicingAttention(slicing)
        return sliced
    }
}

extension GLIDEUNetConfiguration: NetworkSettings {
    /// The network that it describes.
    public typealias Network = GLIDEUNet
}
