import Tensors

extension ResNet: ConfiguredNetwork {
    /// The name in this project; no other program has a folder layout for it.
    public static var className: String { "ResNet" }
}

extension ResNet: ClassConditionedNetwork {
    /// The kind of network.
    public static var summary: String { "a fully convolutional residual network" }

    /// The word in a recipe.
    public static var word: String { "resnet" }

    /// What follows from a configuration.
    public static func traits(_ configuration: ResNetConfiguration) -> NetworkTraits {
        let width = Double(configuration.width)
        // The sum so far, what a convolution reads, and what it gives.
        var traits = NetworkTraits(
            family: "resnet", channels: configuration.inChannels,
            outputChannels: configuration.outChannels ?? configuration.inChannels,
            activationCount: { 3 * width * Double($0[1]) * Double($0[2]) })
        traits.library = "langevin"
        traits.labels = .init(classes: configuration.numClassEmbeds)
        return traits
    }

    /// Channels and the number of classes.
    public static var fittedKeys: Set<String> { ["in_channels", "out_channels", "num_class_embeds"] }

    /// A configuration of the data's channels, with a table of their classes.
    public static func fitted(_ configuration: ResNetConfiguration, to demands: NetworkDemands)
        -> ResNetConfiguration
    {
        var fitted = configuration
        demands.set("in_channels", &fitted.inChannels, to: demands.channels)
        demands.set(
            "out_channels", &fitted.outChannels, to: demands.learnsVariance ? demands.outputChannels : nil)
        demands.set("num_class_embeds", &fitted.numClassEmbeds, to: demands.classes)
        return fitted
    }
}

extension ResNetConfiguration: NetworkSettings {
    /// The network that it describes.
    public typealias Network = ResNet
}
