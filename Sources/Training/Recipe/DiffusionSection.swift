import Diffusion

extension Recipe {
    /// The process that turns data into noise, and what the network learns of it. What is absent has a default that
    /// depends on the process.
    public struct DiffusionSection: Equatable, Sendable {
        /// The process.
        public var process = ProcessKind.betas
        /// The shape of the β table, under diffusers' names.
        public var schedule: BetaSchedule?
        /// Number of noise levels in the table.
        public var trainSteps: Int?
        /// First β of the table (not used by `squaredcos_cap_v2`).
        public var betaStart: Double?
        /// Last β of the table (not used by `squaredcos_cap_v2`).
        public var betaEnd: Double?
        /// Whether the table is rescaled so that its last level is pure noise (Lin et al. 2023, algorithm 1).
        public var zeroTerminalSNR: Bool?
        /// β at the start of a stochastic differential equation.
        public var betaMin: Double?
        /// β at its end.
        public var betaMax: Double?
        /// The least σ.
        public var sigmaMin: Double?
        /// The largest σ.
        public var sigmaMax: Double?
        /// Deviation of the data, which inputs are scaled by.
        public var sigmaData: Double?
        /// How sampling steps are spaced between the σ (Karras et al. 2022, equation 5).
        public var rho: Double?
        /// How far a flow's times are shifted towards noise (Esser et al. 2024, equation 23).
        public var shift: Double?
        /// What the network's output means.
        public var prediction: PredictionWord?
        /// Part of the examples whose condition is hidden, so that guidance has an unconditional branch
        /// (Ho and Salimans 2022, section 3.2).
        public var conditionDropout: Double?

        /// The section with every default.
        public init() {}
    }
}

/// What a network's output means, as recipes call it.
public enum PredictionWord: String, RecipeChoice, CaseIterable {
    /// ε
    case noise
    /// x₀
    case data
    /// α·ε − σ·x₀
    case v
    /// ε − x₀
    case flow
    /// ∇ ln p(x), by a network whose output is divided by σ
    case score
    /// The output of Karras et al.'s preconditioning.
    case edm

    /// diffusers' names.
    public static let synonyms: [String: PredictionWord] = [
        "epsilon": .noise, "sample": .data, "v_prediction": .v, "flow_prediction": .flow,
    ]
}

extension Recipe.DiffusionSection {
    static let keys: [RecipeKey] =
        [
            RecipeKey(
                "diffusion.process", \.diffusion.process, .choice, "The process that turns data into noise.")
        ]
        + tableKeys + equationKeys + networkKeys

    /// The table of β.
    private static let tableKeys: [RecipeKey] = [
        RecipeKey(
            "diffusion.schedule", \.diffusion.schedule, .choice, of: .process, ["betas": .linear],
            "The shape of the table of β, under diffusers' names."),
        RecipeKey(
            "diffusion.train_steps", \.diffusion.trainSteps, .whole(2...100_000), of: .process,
            ["betas": 1000], "Number of noise levels in the table."),
        RecipeKey(
            "diffusion.beta_start", \.diffusion.betaStart, .number(1e-9...0.999), of: .process,
            ["betas": 1e-4], "First β of the table; squaredcos_cap_v2 does not use it."),
        RecipeKey(
            "diffusion.beta_end", \.diffusion.betaEnd, .number(1e-9...0.999), of: .process, ["betas": 0.02],
            "Last β of the table; squaredcos_cap_v2 does not use it."),
        RecipeKey(
            "diffusion.zero_terminal_snr", \.diffusion.zeroTerminalSNR, .truth, of: .process,
            ["betas": false], "Whether the table is rescaled so that its last level is pure noise."),
    ]

    /// The continuous processes.
    private static let equationKeys: [RecipeKey] = [
        RecipeKey(
            "diffusion.beta_min", \.diffusion.betaMin, .number(1e-6...100), of: .process,
            ["vp-sde": 0.1, "sub-vp-sde": 0.1], "β at time 0."),
        RecipeKey(
            "diffusion.beta_max", \.diffusion.betaMax, .number(1e-6...1000), of: .process,
            ["vp-sde": 20, "sub-vp-sde": 20], "β at time 1."),
        RecipeKey(
            "diffusion.sigma_min", \.diffusion.sigmaMin, .number(1e-6...1), of: .process,
            ["edm": 0.002, "ve": 0.01], "The least σ."),
        RecipeKey(
            "diffusion.sigma_max", \.diffusion.sigmaMax, .number(1e-2...1e5), of: .process,
            ["edm": 80, "ve": 50], "The largest σ."),
        RecipeKey(
            "diffusion.sigma_data", \.diffusion.sigmaData, .number(1e-3...1e3), of: .process,
            ["edm": 0.5, "ve": 0.5], "Deviation of the data, by which the network's input is scaled."),
        RecipeKey(
            "diffusion.rho", \.diffusion.rho, .number(1...100), of: .process, ["edm": 7],
            "How sampling steps are spaced: evenly in σ to the power of 1/rho."),
        RecipeKey(
            "diffusion.shift", \.diffusion.shift, .number(1e-2...100), of: .process, ["flow": 1],
            "How far sampling times are shifted towards noise."),
    ]

    /// What the network learns.
    private static let networkKeys: [RecipeKey] = [
        RecipeKey(
            "diffusion.prediction", \.diffusion.prediction, .choice, of: .process,
            [
                "betas": .noise, "edm": .edm, "vp-sde": .noise, "sub-vp-sde": .noise, "ve": .score,
                "flow": .flow, "cosine": .v,
            ],
            "What the network's output means: noise ε, data x₀, v = α·ε − σ·x₀, flow ε − x₀, the score, or the output of EDM's preconditioning."
        ),
        RecipeKey(
            "diffusion.condition_dropout", \.diffusion.conditionDropout, .number(0...1), of: .conditioning,
            ["none": 0.1, "class": 0.1, "text": 0.1], synonyms: ["label_dropout"],
            "Part of the examples whose class or text is hidden, so that guidance has an unconditional branch; without conditioning it changes nothing."
        ),
    ]
}
