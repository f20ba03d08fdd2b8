/// Everything that decides what a training run does, as one value.
///
/// A recipe is written as YAML with the sections below; every key may be left out. What each key means, its values
/// and its default stand in one table, `keys`, from which reading, writing, messages and the documentation come. The
/// recipe with every key filled in is saved with the run. Unknown keys, wrong types, values out of range and
/// combinations without meaning are refused (`RecipeError`).
public struct Recipe: Equatable, Sendable {
    /// Seed of the weights, the order of the data, the noise and the sample sheets.
    public var seed = 0
    /// What is learnt from.
    public var data = DataSection()
    /// The network.
    public var model = ModelSection()
    /// How data becomes noise, and what the network predicts.
    public var diffusion = DiffusionSection()
    /// The loss.
    public var objective = ObjectiveSection()
    /// The optimizer, its schedule, and what a run keeps.
    public var training = TrainingSection()
    /// How samples are drawn while training, and how the result is judged.
    public var evaluation = EvaluationSection()

    /// A recipe with every default.
    public init() {}
}

extension Recipe {
    /// Every key, in the order in which recipes are written; the keys of a network's own configuration follow those
    /// of `model`.
    package static let keys: [RecipeKey] =
        [
            RecipeKey(
                "seed", \.seed, .whole(0...Int.max), "Seed of weights, data order, noise and sample sheets.")
        ]
        + DataSection.keys + ModelSection.keys + DiffusionSection.keys + ObjectiveSection.keys
        + TrainingSection.keys + EvaluationSection.keys

    /// The sections, in the order in which recipes are written.
    static let sections = ["data", "model", "diffusion", "objective", "training", "evaluation"]

    /// The recipe with the defaults that depend on other keys: those of its process, objective and the like.
    package var filled: Recipe {
        var recipe = self
        for key in Self.keys { key.fill(&recipe) }
        return recipe
    }
}
