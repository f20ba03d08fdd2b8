import Datasets
import Networks
import Tensors

extension ModelKind {
    /// A kind of autoencoders.
    /// - Parameters:
    ///   - objectives: its losses with the keys that other autoencoders do not have.
    ///   - plan: what sets a loss apart, from its section.
    static func autoencoder<Network: RecipeAutoencoder>(
        _ network: Network.Type, word: String, summary: String, objectives: [OwnObjective],
        plan: @escaping @Sendable (Recipe.ObjectiveSection) -> AutoencoderPlan
    ) -> ModelKind {
        ModelKind(
            word, classNames: [network.className] + network.olderClassNames, summary: summary,
            objectives: objectives.map { .init($0.word, ObjectiveOption.ofAutoencoders + $0.options) },
            settings: Network.Configuration.self, fittedKeys: ["in_channels", "out_channels", "sample_size"],
            fit: { Network.fitted($0, to: $1) },
            check: { recipe in
                try recipe.checkAutoencoderKeys()
                try AutoencoderRecipe<Network>.checkMeasuredKeys(of: recipe)
            },
            resolve: { try AutoencoderRecipe<Network>.resolved($0, for: $1) },
            parts: { try AutoencoderRecipe<Network>($0, plan($0.filled.objective), $1).parts() })
    }
}

extension Recipe {
    /// Throws keys of the loss that nothing reads: a weight of 0 leaves out what they describe.
    fileprivate func checkAutoencoderKeys() throws {
        let owners = [
            "perceptual_weight": ["perceptual"],
            "adversarial_weight": [
                "adversarial_adaptive", "adversarial_start", "discriminator_width", "discriminator_layers",
            ],
        ]
        for (owner, names) in owners.sorted(by: { $0.key < $1.key }) where objective.number(owner) == 0 {
            for option in ObjectiveOption.ofAutoencoders
            where names.contains(option.name) && objective.values[option.name] != option.standard {
                throw RecipeError(
                    "objective.\(option.name) is \(option.form.write(objective.values[option.name] ?? option.standard).shown), and objective.\(owner) is 0, so that nothing reads it: give a weight, or leave it out."
                )
            }
        }
    }
}
