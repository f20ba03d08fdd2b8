import Networks

extension ModelKind {
    /// An autoencoder whose latents are rounded.
    static let fsqModel = autoencoder(
        FSQModel.self, word: "fsq-model", summary: "an autoencoder whose latents are rounded to a grid",
        objectives: [.init("finite-scalar", [])]
    ) { _ in AutoencoderPlan() }
}

extension FSQModel: RecipeAutoencoder {
    static var coder: WritableKeyPath<FSQModelConfiguration, CoderConfiguration> { \.coder }
}

extension FSQModelConfiguration: TrainableSettings {}
