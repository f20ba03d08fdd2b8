import Tensors

extension MLP: ConfiguredNetwork {
    /// The name in this project; no other program has a folder layout for it.
    public static var className: String { "MLP" }
}

extension MLP: ClassConditionedNetwork {
    /// The kind of network.
    public static var summary: String { "a multilayer perceptron on points" }

    /// The word in a recipe.
    public static var word: String { "mlp" }

    /// What follows from a configuration.
    public static func traits(_ configuration: MLPConfiguration) -> NetworkTraits {
        let width = Double(configuration.width)
        // What one layer reads and gives, and the embedded time.
        var traits = NetworkTraits(
            family: "mlp", channels: configuration.dimension,
            outputChannels: configuration.outputDimension ?? configuration.dimension,
            activationCount: { _ in 3 * width })
        traits.library = "langevin"
        traits.sample = .point
        traits.labels = .init(classes: configuration.numClassEmbeds)
        return traits
    }

    /// Dimensions and the number of classes.
    public static var fittedKeys: Set<String> { ["dimension", "output_dimension", "num_class_embeds"] }

    /// A configuration of the data's dimension, with a table of their classes.
    public static func fitted(_ configuration: MLPConfiguration, to demands: NetworkDemands)
        -> MLPConfiguration
    {
        var fitted = configuration
        demands.set("dimension", &fitted.dimension, to: demands.channels)
        demands.set(
            "output_dimension", &fitted.outputDimension,
            to: demands.learnsVariance ? demands.outputChannels : nil)
        demands.set("num_class_embeds", &fitted.numClassEmbeds, to: demands.classes)
        return fitted
    }
}

extension MLPConfiguration: NetworkSettings {
    /// The network that it describes.
    public typealias Network = MLP
}
