import Diffusion

extension Recipe.ObjectiveSection {
    static let keys: [RecipeKey] = wordKeys + numberKeys + ownKeys

    private static let wordKeys: [RecipeKey] = [
        RecipeKey(
            "objective.kind", \.objective.kind,
            .word(of: ModelKind.choices.flatMap(\.objectives).unique),
            "The loss: the weighted squared error of the prediction; with a learned variance the bound, or both (hybrid); score matching; or flow matching. Models that do not denoise have losses of their own."
        ),
        RecipeKey(
            "objective.form", \.objective.form, .word(of: ObjectiveWords.forms.words), of: .objective,
            defaults("form", "denoising"), "The form of score matching."),
        RecipeKey(
            "objective.weighting", \.objective.weighting, .word(of: ObjectiveWords.weightings.words),
            of: .objective, defaults("weighting", "simple"), "How much each noise level counts."),
        RecipeKey(
            "objective.bound_weight", \.objective.boundWeight, .number(0...1e6), of: .objective,
            defaults("bound_weight", 0.001), "The weight of the bound beside the simple loss."),
        RecipeKey(
            "objective.times", \.objective.times, .word(of: ObjectiveWords.times.words), of: .process,
            Dictionary(
                uniqueKeysWithValues: ProcessKind.all.map { kind in
                    // The density that EDM's preconditioning was published with.
                    (kind.word, kind.word == ProcessKind.logNormalTimes ? "log-normal" : "uniform")
                }), "How times are drawn."),
        RecipeKey(
            "objective.coupling", \.objective.coupling, .word(of: ObjectiveWords.couplings.words),
            of: .objective, defaults("coupling", "independent"),
            "How the noise of a batch meets its data: as it comes, or by least total distance, within each class where the network is given classes."
        ),
        RecipeKey(
            "objective.interpolant", \.objective.interpolant, .word(of: ObjectiveWords.interpolants.words),
            of: .path, onPaths("straight"),
            "The path of flow matching between data and noise; samples are drawn on it, too."),
        RecipeKey(
            "objective.latent", \.objective.latent, .word(of: ObjectiveWords.latentNoises.words),
            of: .path, onPaths("none"), "Extra noise on that path, as stochastic interpolants have it."),
    ]

    /// A default for every process whose path may be an interpolant's.
    private static func onPaths(_ value: String) -> [String: String] {
        let takers = ProcessKind.all.filter(\.takesInterpolant)
        return Dictionary(uniqueKeysWithValues: takers.map { ($0.word, value) })
    }

    /// A default for every loss that reads a key.
    private static func defaults<Value>(_ key: String, _ value: Value) -> [String: Value] {
        let kinds = ObjectiveWords.kinds.words.compactMap { try? ObjectiveWords.kinds(WordChoice($0)) }
        return Dictionary(
            uniqueKeysWithValues: kinds.filter { $0.reads.contains(key) }.map { ($0.word, value) })
    }

    /// A number of a word: its key, its name in the table of words, and the words that read it with their defaults.
    struct Number {
        let key: String
        let name: String
        let defaults: [String: Double]
        let range: ClosedRange<Double>
    }

    static let weightingNumbers = numbers(of: ObjectiveWords.weightings)
    static let timesNumbers = numbers(of: ObjectiveWords.times)
    static let interpolantNumbers = numbers(of: ObjectiveWords.interpolants)
    static let latentNumbers = numbers(of: ObjectiveWords.latentNoises, prefix: "latent_")

    private static func numbers<Value>(of table: WordTable<Value>, prefix: String = "") -> [Number] {
        let all = table.rows.flatMap { row in row.parameters.map { (word: row.word, parameter: $0) } }
        return all.map(\.parameter.name).unique.map { name in
            let own = all.filter { $0.parameter.name == name }
            return Number(
                key: prefix + name, name: name,
                defaults: Dictionary(uniqueKeysWithValues: own.map { ($0.word, $0.parameter.standard) }),
                range: own.map(\.parameter.range.lowerBound).min()!...own.map(\.parameter.range.upperBound)
                    .max()!)
        }
    }

    private static let numberKeys =
        weightingNumbers.map { key(of: $0, .weighting) } + timesNumbers.map { key(of: $0, .times) }
        + interpolantNumbers.map { key(of: $0, .interpolant) } + latentNumbers.map { key(of: $0, .latent) }

    private static func key(of number: Number, _ owner: RecipeKey.Owner) -> RecipeKey {
        let name = number.key
        return RecipeKey(
            "objective.\(name)", \.objective.numbers[name], .number(number.range), of: owner, number.defaults,
            meanings[name] ?? "A number of the word.")
    }

    private static let meanings = [
        "sigma_data": "Deviation of the data in EDM's weighting.",
        "gamma": "The largest signal-to-noise ratio of min-snr, or the exponent of p2.",
        "k": "What p2 adds to the signal-to-noise ratio.",
        "bias": "The log-SNR at which the sigmoid weighting is one half.",
        "mean": "The mean of logit t, or of ln σ.", "deviation": "The deviation of logit t, or of ln σ.",
        "scale": "The scale of the density with a mode in the middle.",
        "uniform_share": "The share of importance-sampled times that stay evenly distributed.",
        "beta_min": "β at time 0 of the variance-preserving path.",
        "beta_max": "β at time 1 of the variance-preserving path.",
        "sigma_min": "The σ that data keep on the path of conditional transport.",
        "latent_scale": "γ² = scale·t·(1 − t) of bridge, γ = scale·sin²(πt) of sine-squared.",
        "latent_sigma": "γ of constant.",
    ]
}

extension Sequence where Element: Hashable {
    /// Each element once, in the order in which they come first.
    var unique: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
