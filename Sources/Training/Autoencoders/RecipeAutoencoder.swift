import Networks

/// An autoencoder that recipes train.
protocol RecipeAutoencoder: LatentAutoencoder, TrainableAutoencoder where Configuration: TrainableSettings {
    /// Encoder and decoder of a configuration.
    static var coder: WritableKeyPath<Configuration, CoderConfiguration> { get }

    /// The configuration with scale, and shift where it has one, by which latents of a mean and a deviation have mean 0
    /// and variance 1.
    static func scaled(_ configuration: Configuration, mean: Double, deviation: Double) -> Configuration
}

extension RecipeAutoencoder {
    /// The scale alone.
    static func scaled(_ configuration: Configuration, mean: Double, deviation: Double) -> Configuration {
        var scaled = configuration
        // Latents that are all the same have no scale.
        if deviation.isFinite, deviation > 1e-6 {
            scaled[keyPath: coder].scalingFactor = 1 / deviation
        }
        return scaled
    }

    /// The configuration with channels and size of the data, where they are not given.
    static func fitted(_ configuration: Configuration, to demands: NetworkDemands) -> Configuration {
        var fitted = configuration
        demands.set("in_channels", &fitted[keyPath: coder].inChannels, to: demands.channels)
        demands.set("out_channels", &fitted[keyPath: coder].outChannels, to: demands.channels)
        demands.set("sample_size", &fitted[keyPath: coder].sampleSize, to: demands.size)
        return fitted
    }
}
