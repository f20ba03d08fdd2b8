import Datasets
import Diffusion
import Networks
import Tensors
import Yams

/// A kind of model that a recipe trains: its word under `model.kind`, its configuration, its losses, and what a run of it
/// is made of. A new kind is a file in `Kinds` with such a value, and a row in ``choices``.
public struct ModelKind: RecipeRow {
    /// The word in a recipe.
    public let word: String
    /// The name of the class in `config.json`, read like the word; older names follow.
    let classNames: [String]
    /// What a person would call it: "a network of pictures".
    let summary: String
    /// The words of its losses under `objective.kind`, the default first.
    let objectives: [String]
    /// Losses that only this kind has.
    let ownObjectives: [OwnObjective]
    /// Whether it is trained on a process of noise: otherwise there is no section `diffusion`.
    package let readsProcess: Bool
    /// Whether it learns of the embeddings of a CLIP that stays as it is (`model.clip`), and of which widths.
    let readsCLIP: CLIPUse
    /// What it can be conditioned on.
    let conditionings: Set<Recipe.ModelSection.Conditioning>
    /// Its configuration.
    let settings: SettingsForm
    /// The network that denoises; `nil` of other models.
    let denoiser: (any DenoisingNetwork.Type)?
    /// What can be known of a recipe whose defaults are filled in before its data are opened.
    /// Throws `RecipeError`, a sentence that names the keys.
    let check: @Sendable (_ recipe: Recipe) throws -> Void
    /// A recipe whose defaults are filled in, with every key that its data decide.
    let resolve: @Sendable (_ recipe: Recipe, _ data: any Dataset) throws -> Recipe
    /// What a run is made of. Nothing is written.
    let parts: @Sendable (_ recipe: Recipe, _ opening: Opening) throws -> TrainingParts

    /// What a kind of model has of a CLIP.
    enum CLIPUse: Sendable {
        /// Nothing.
        case none
        /// Embeddings, and states of texts of another width.
        case atAnyWidths
        /// Embeddings, and states of texts of as many features, as the layout in diffusers has them.
        case atEqualWidths
    }

    /// Whether states of texts must be as wide as embeddings.
    var needsEqualWidths: Bool { readsCLIP == .atEqualWidths }

    /// What a recipe's parts are made from beside the recipe.
    struct Opening {
        /// What is learnt from; it is not empty.
        let data: any Dataset
        /// Where the run computes.
        let device: Device
        /// Gets a sentence about whatever is passed over.
        let warn: (String) -> Void
    }

    /// Every kind.
    public static let choices: [ModelKind] = KnownNetworks.denoising.map { ModelKind($0) } + others

    /// Those that do not denoise: a row for each file of `Kinds`.
    private static let others: [ModelKind] = [
        autoencoderKL, vqModel, fsqModel, clip, classifier, prior, autoregressivePrior, unclipDecoder,
    ]

    /// The names of the classes in `config.json`.
    public static var synonyms: [String: ModelKind] {
        let pairs = choices.flatMap { kind in kind.classNames.map { ($0, kind) } }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    /// The kind of a network that denoises.
    public init(_ network: any DenoisingNetwork.Type) { self.init(denoising: network) }

    /// A kind of model that does not denoise.
    /// - Parameters:
    ///   - settings: its configuration.
    ///   - fittedKeys: the keys of the configuration that a recipe may leave to the data.
    ///   - fit: a configuration with the keys that are not given brought to the data.
    init<Settings: TrainableSettings>(
        _ word: String, classNames: [String], summary: String, objectives: [OwnObjective],
        readsProcess: Bool = false, readsCLIP: CLIPUse = .none, settings: Settings.Type,
        fittedKeys: Set<String>,
        fit: @escaping @Sendable (Settings, NetworkDemands) -> Settings,
        check: @escaping @Sendable (Recipe) throws -> Void = { _ in },
        resolve: @escaping @Sendable (Recipe, any Dataset) throws -> Recipe,
        parts: @escaping @Sendable (Recipe, Opening) throws -> TrainingParts
    ) {
        self.word = word
        self.classNames = classNames
        self.summary = summary
        self.objectives = objectives.map(\.word)
        ownObjectives = objectives
        (self.readsProcess, self.readsCLIP) = (readsProcess, readsCLIP)
        conditionings = [.none]
        self.settings = SettingsForm(fittedKeys: fittedKeys, fit: fit)
        denoiser = nil
        self.check = check
        self.resolve = resolve
        self.parts = parts
    }

    private init<Network: DenoisingNetwork>(denoising network: Network.Type) {
        word = network.word
        classNames = [network.className] + network.olderClassNames
        summary = network.summary
        objectives = ObjectiveWords.kinds.words
        ownObjectives = []
        (readsProcess, readsCLIP) = (true, .none)
        settings = SettingsForm(fittedKeys: network.fittedKeys, fit: network.fitted)
        denoiser = network
        conditionings = Self.conditionings(of: network)
        check = { try $0.checkObjective() }
        resolve = { try $0.resolvedDenoiser(for: $1) }
        parts = { try $0.denoisingParts($1) }
    }

    private static func conditionings(
        of network: any DenoisingNetwork.Type
    ) -> Set<Recipe.ModelSection.Conditioning> {
        var found: Set<Recipe.ModelSection.Conditioning> = [.none]
        let defaults = NetworkConfiguration(defaultsOf: network)
        var texts = NetworkDemands()
        texts.contextWidth = 8
        let reading = (try? defaults.fitted(to: texts)) ?? defaults
        if reading.traits.context != nil || defaults.traits.tokens != nil { found.insert(.text) }
        var demands = NetworkDemands()
        demands.classes = 2
        if (try? defaults.fitted(to: demands))?.traits.labels != nil { found.insert(.classes) }
        return found
    }
}

/// What recipes do with the configuration of a kind of model.
struct SettingsForm: Sendable {
    /// The keys that a recipe may leave to the data and the conditioning.
    let fittedKeys: Set<String>
    /// Every default.
    let defaults: any TrainableSettings
    /// Reads a section of a recipe; keys that are left to the data keep their defaults.
    /// Throws `NetworkError` that names the key whose value will not do.
    let read: @Sendable (_ decoder: any Decoder, _ open: Set<String>) throws -> any TrainableSettings
    /// The configuration brought to what data and conditioning demand.
    /// Throws `NetworkError` where the result describes no network.
    let fitted: @Sendable (any TrainableSettings, NetworkDemands) throws -> any TrainableSettings

    init<Settings: TrainableSettings>(
        fittedKeys: Set<String>, fit: @escaping @Sendable (Settings, NetworkDemands) -> Settings
    ) {
        @Sendable func fitted(_ settings: Settings, _ demands: NetworkDemands) throws -> Settings {
            let fitted = fit(settings, demands)
            try fitted.validate()
            return fitted
        }
        self.fittedKeys = fittedKeys
        defaults = Settings()
        read = { decoder, open in
            guard let table = Settings.self as? any ConfigurationTable.Type,
                let settings = try table.init(from: decoder, leaving: open) as? Settings
            else { return try Settings(from: decoder) }
            return try fitted(settings, NetworkDemands(given: fittedKeys.subtracting(open)))
        }
        self.fitted = { settings, demands in
            guard let own = settings as? Settings else { preconditionFailure("the settings of another kind") }
            return try fitted(own, demands)
        }
    }
}
