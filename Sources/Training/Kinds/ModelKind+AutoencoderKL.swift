import Networks

extension ModelKind {
    /// A variational autoencoder, or a plain one of the same network.
    static let autoencoderKL = autoencoder(
        AutoencoderKL.self, word: "autoencoder-kl",
        summary: "an autoencoder whose latents are drawn from a distribution",
        objectives: [
            .init(
                "variational",
                [
                    .number(
                        "kl_weight", 1e-6, in: 0...1e6,
                        "The weight of the divergence of latents from the standard normal distribution, in nats for each value of a picture."
                    )
                ]), .init("autoencoder", []),
        ]
    ) { objective in
        let isVariational = objective.kind == "variational"
        return AutoencoderPlan(
            penaltyWeights: isVariational ? ["kl": objective.number("kl_weight")] : [:],
            drawsLatents: isVariational)
    }
}

extension AutoencoderKL: RecipeAutoencoder {
    static var coder: WritableKeyPath<AutoencoderKLConfiguration, CoderConfiguration> { \.coder }

    static func scaled(
        _ configuration: AutoencoderKLConfiguration, mean: Double, deviation: Double
    ) -> AutoencoderKLConfiguration {
        var scaled = configuration
        guard mean.isFinite, deviation.isFinite, deviation > 1e-6 else { return scaled }
        (scaled.coder.scalingFactor, scaled.shiftFactor) = (1 / deviation, mean)
        return scaled
    }
}

extension AutoencoderKLConfiguration: TrainableSettings {}
