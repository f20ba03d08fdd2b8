import Networks

extension ModelKind {
    /// An autoencoder with a codebook that is learned.
    static let vqModel = autoencoder(
        VQModel.self, word: "vq-model", summary: "an autoencoder whose latents are vectors of a codebook",
        objectives: [
            .init(
                "vector-quantized",
                [
                    .number(
                        "commitment", 0.25, in: 0...1000,
                        "β, the weight of how far latents are from their vectors."),
                    .word(
                        "codebook", ["ema", "gradient"],
                        "How vectors follow the latents: by moving averages, or by the gradient of a loss."),
                    .number(
                        "codebook_decay", 0.99, in: 0...0.999_999,
                        "What a step keeps of moving averages of the codebook."),
                    .number(
                        "revive_below", 0.1, in: 0...0.9,
                        "Vectors that stand for fewer latents than this share of an even use become latents of the step; 0 replaces none."
                    ),
                ])
        ]
    ) { objective in
        let follows = objective.word("codebook") == "ema"
        return AutoencoderPlan(
            penaltyWeights: ["commitment": objective.number("commitment")].merging(
                follows ? [:] : ["codebook": 1]
            ) { $1 },
            codebook: .init(
                follows: follows, decay: objective.number("codebook_decay"),
                replacesBelow: objective.number("revive_below")))
    }
}

extension VQModel: RecipeAutoencoder {
    static var coder: WritableKeyPath<VQModelConfiguration, CoderConfiguration> { \.coder }
}

extension VQModelConfiguration: TrainableSettings {}
