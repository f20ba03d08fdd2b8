import Diffusion

extension Recipe {
    /// The process that turns data into noise, and what the network learns of it.
    public struct DiffusionSection: Equatable, Sendable {
        /// The process.
        public var process = ProcessKind.betas
        /// The values of the process's own keys; what is absent has the process's default.
        public var values: [String: ProcessValue] = [:]
        /// The word for what the network's output means; by default what is usual on the process.
        public var prediction: String?
        /// Part of the examples whose condition is hidden, so that guidance has an unconditional branch
        /// (Ho and Salimans 2022, section 3.2).
        public var conditionDropout: Double?
        /// The share of the process's times up to which pictures of lower resolution are noised before they are enlarged;
        /// none are where absent.
        public var augmentation: Double?
        /// The largest deviation in pixels of the blur that half of them get; none where absent.
        public var augmentationBlur: Double?

        /// The section with every default.
        public init() {}

        /// The process with its values, before anything is predicted on it.
        /// - Throws: `DiffusionError` that names the key whose value will not do.
        var unpredicted: ProcessDescription {
            get throws { try ProcessDescription(process.word, values) }
        }
    }

    /// The process on the path that `objective` names, before anything is predicted on it.
    var unpredictedProcess: ProcessDescription {
        get throws { try objective.path(of: diffusion.unpredicted) }
    }

    /// The process with its values, its path and the prediction.
    /// - Throws: `DiffusionError` that names the key whose value will not do.
    public var processDescription: ProcessDescription {
        get throws { try unpredictedProcess.predicting(diffusion.prediction) }
    }
}

extension ProcessKind: RecipeRow {
    /// Every kind.
    public static var choices: [ProcessKind] { all }
}

extension Recipe.DiffusionSection {
    static let keys: [RecipeKey] =
        [
            RecipeKey(
                "diffusion.process", \.diffusion.process, .choice, "The process that turns data into noise.")
        ]
        + valueKeys + [
            RecipeKey(
                "diffusion.prediction", \.diffusion.prediction,
                .word(of: ProcessKind.all.flatMap(\.predictions).unique, synonyms),
                of: .process,
                Dictionary(uniqueKeysWithValues: ProcessKind.all.map { ($0.word, $0.prediction) }),
                "What the network's output means: noise ε, data x₀, v = α·ε − σ·x₀, flow ε − x₀, the score times σ, the output of EDM's preconditioning, or the logit of a bit."
            ),
            RecipeKey(
                "diffusion.condition_dropout", \.diffusion.conditionDropout, .number(0...1),
                of: .conditioning,
                ["none": 0.1, "class": 0.1, "text": 0.1], synonyms: ["label_dropout"],
                "Part of the examples whose class or text is hidden, so that guidance has an unconditional branch; without conditioning it changes nothing."
            ),
            RecipeKey(
                "diffusion.augmentation", \.diffusion.augmentation, .optional(.number(0...1)),
                "Conditioning augmentation of a network that enlarges pictures (model.low_resolution_factor): the share of the process's times up to which the smaller pictures are noised; the network reads the time. None by default."
            ),
            RecipeKey(
                "diffusion.augmentation_blur", \.diffusion.augmentationBlur, .optional(.number(0...10)),
                "The largest deviation, in pixels, of the blur that half of the smaller pictures get; none by default."
            ),
        ]

    /// diffusers' names of predictions.
    private static let synonyms = [
        "epsilon": "noise", "sample": "data", "v_prediction": "v", "flow_prediction": "flow",
    ]

    /// The keys of every process, once each.
    private static let valueKeys: [RecipeKey] = ProcessKind.all.flatMap(\.keys).map(\.name).unique.map {
        name in
        let owners = ProcessKind.all.compactMap { kind in
            kind.keys.first { $0.name == name }.map { (kind.word, $0.standard) }
        }
        let defaults = Dictionary(uniqueKeysWithValues: owners)
        return RecipeKey(
            "diffusion.\(name)", \.diffusion.values[name],
            .value(like: owners[0].1, isCount: counts.contains(name)), of: .process, defaults,
            meanings[name] ?? "")
    }

    /// Keys whose numbers are whole.
    private static let counts: Set = ["train_steps"]

    /// What each key decides.
    private static let meanings = [
        "schedule": "The shape of the table of β, under diffusers' names.",
        "train_steps": "Number of noise levels.",
        "beta_start": "First β of the table; squaredcos_cap_v2 does not use it.",
        "beta_end": "Last β of the table; squaredcos_cap_v2 does not use it.",
        "zero_terminal_snr": "Whether the table is rescaled so that its last level is pure noise.",
        "beta_min": "β at time 0.", "beta_max": "β at time 1.", "sigma_min": "The least σ.",
        "sigma_max": "The largest σ.",
        "sigma_data": "Deviation of the data, by which the network's input is scaled.",
        "rho": "How sampling steps are spaced: evenly in σ to the power of 1/rho.",
        "shift": "How far sampling times are shifted towards noise.",
    ]
}
