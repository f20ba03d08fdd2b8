import Checkpoints
import Tensors

extension ADMUNet: ConfiguredNetwork {
    /// The name in this project; diffusers' `UNet2DModel` has no such keys.
    public static var className: String { "ADMUNet2D" }
}

extension ADMUNet: JoinedHeadsNetwork {
    package static func heads(_ configuration: ADMUNetConfiguration) -> HeadSplit? {
        configuration.unet.heads
    }
}

extension ADMUNet: DenoisingNetwork {
    /// The kind of network.
    public static var summary: String { "the U-Net of guided diffusion, which also enlarges pictures" }

    /// The word in a recipe.
    public static var word: String { "adm" }

    /// What follows from a configuration.
    public static func traits(_ configuration: ADMUNetConfiguration) -> NetworkTraits {
        var traits = UNet2D.traits(configuration.unet)
        (traits.family, traits.library) = ("adm", "langevin")
        traits.enlargement = configuration.lowResolutionFactor.map {
            .init(factor: $0, readsNoiseLevel: configuration.hasNoiseLevel)
        }
        return traits
    }

    /// Sizes, channels, the number of classes, and whether smaller pictures are noised.
    public static var fittedKeys: Set<String> { UNet2D.fittedKeys.union(["noise_level_embedding"]) }

    /// A configuration of the data's size and channels, with a table of their classes.
    public static func fitted(_ configuration: ADMUNetConfiguration, to demands: NetworkDemands)
        -> ADMUNetConfiguration
    {
        var fitted = configuration
        fitted.unet = UNet2D.fitted(configuration.unet, to: demands)
        if configuration.lowResolutionFactor != nil {
            demands.set("noise_level_embedding", &fitted.hasNoiseLevel, to: demands.noisesLowResolution)
        }
        return fitted
    }
}

extension ADMUNetConfiguration: NetworkSettings {
    /// The network that it describes.
    public typealias Network = ADMUNet
}
