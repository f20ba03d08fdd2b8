extension Recipe {
    /// The loss. What is absent has a default that depends on the other keys.
    public struct ObjectiveSection: Equatable, Sendable {
        /// The loss.
        public var kind = ObjectiveKind.denoising
        /// Which form of score matching.
        public var form: ScoreForm?
        /// Random directions of sliced score matching.
        public var directions: Int?
        /// How much each noise level counts.
        public var weighting: Weighting?
        /// γ of a weighting.
        public var gamma: Double?
        /// k of P2's weighting.
        public var k: Double?
        /// The bias of the sigmoid weighting.
        public var bias: Double?
        /// The weight of the variational bound beside the simple loss.
        public var boundWeight: Double?
        /// How times are drawn.
        public var times: Times?
        /// The mean of a normal density of times.
        public var mean: Double?
        /// Its deviation.
        public var deviation: Double?
        /// The scale of the mode-seeking density.
        public var scale: Double?
        /// How data and noise of a batch are paired.
        public var coupling: CouplingWord?
        /// The path between data and noise.
        public var interpolant: InterpolantWord?

        /// The section with every default.
        public init() {}

        /// A form of score matching.
        public enum ScoreForm: String, RecipeChoice, CaseIterable {
            case denoising, sliced
        }

        /// How much each noise level counts.
        public enum Weighting: String, RecipeChoice, CaseIterable {
            case simple, edm
            case minSNR = "min-snr"
            case p2, sigmoid, bound
        }

        /// A density of times.
        public enum Times: String, RecipeChoice, CaseIterable {
            case uniform
            case logitNormal = "logit-normal"
            case mode, cosmap
            case logNormal = "log-normal"
            case importance
        }

        /// A pairing of data and noise.
        public enum CouplingWord: String, RecipeChoice, CaseIterable {
            case independent
            case optimalTransport = "optimal-transport"
        }

        /// A path between data and noise.
        public enum InterpolantWord: String, RecipeChoice, CaseIterable {
            case straight
        }
    }
}

/// A loss of a recipe.
public struct ObjectiveKind: RecipeRow {
    /// The word in a recipe.
    public let word: String
    /// What it is, with its source.
    let documentation: String
    /// Whether the network predicts a variance beside the mean, in channels of its own.
    var learnsVariance = false

    /// Every loss.
    public static let choices = [denoising, hybrid, bound, scoreMatching, flowMatching]

    /// The weighted squared error of the prediction.
    public static let denoising = ObjectiveKind(
        word: "denoising", documentation: "the weighted squared error of the prediction (Ho et al. 2020)")
    /// The simple loss and the bound of a learned variance.
    public static let hybrid = ObjectiveKind(
        word: "hybrid",
        documentation:
            "the simple loss, and the variational bound for a learned variance (Nichol and Dhariwal 2021)",
        learnsVariance: true)
    /// The variational bound with a learned variance.
    public static let bound = ObjectiveKind(
        word: "bound",
        documentation: "the variational bound with a learned variance (Nichol and Dhariwal 2021)",
        learnsVariance: true)
    /// Score matching.
    public static let scoreMatching = ObjectiveKind(
        word: "score-matching",
        documentation:
            "score matching, denoising (Vincent 2011) or sliced (Song et al. 2019, arXiv:1905.07088)")
    /// Flow matching.
    public static let flowMatching = ObjectiveKind(
        word: "flow-matching",
        documentation:
            "flow matching, noise paired at will (Lipman et al. 2022; Tong et al. 2023, arXiv:2302.00482)")
}

extension Recipe.ObjectiveSection {
    static let keys: [RecipeKey] =
        [RecipeKey("objective.kind", \.objective.kind, .choice, "The loss.")] + scoreKeys + weightingKeys
        + timeKeys + flowKeys

    private static let scoreKeys: [RecipeKey] = [
        RecipeKey(
            "objective.form", \.objective.form, .choice, of: .objective, ["score-matching": .denoising],
            "The form of score matching."),
        RecipeKey(
            "objective.directions", \.objective.directions, .whole(1...1024), of: .form, ["sliced": 1],
            "Random directions of sliced score matching for each example."),
    ]

    private static let weightingKeys: [RecipeKey] = [
        RecipeKey(
            "objective.weighting", \.objective.weighting, .choice, of: .objective,
            ["denoising": .simple, "hybrid": .simple], "How much each noise level counts."),
        RecipeKey(
            "objective.gamma", \.objective.gamma, .number(0...1e6), of: .weighting, ["min-snr": 5, "p2": 1],
            "γ: the largest signal-to-noise ratio of min-snr (Hang et al. 2023), the exponent of p2 (Choi et al. 2022)."
        ),
        RecipeKey(
            "objective.k", \.objective.k, .number(1e-6...1e6), of: .weighting, ["p2": 1],
            "What p2 adds to the signal-to-noise ratio."),
        RecipeKey(
            "objective.bias", \.objective.bias, .number(-100...100), of: .weighting, ["sigmoid": 2],
            "The log-SNR at which the sigmoid weighting is one half (Kingma and Gao 2023)."),
        RecipeKey(
            "objective.bound_weight", \.objective.boundWeight, .number(0...1e6), of: .objective,
            ["hybrid": 0.001], "The weight of the bound beside the simple loss."),
    ]

    private static let timeKeys: [RecipeKey] = [
        RecipeKey(
            "objective.times", \.objective.times, .choice, of: .process,
            [
                "betas": .uniform, "edm": .logNormal, "vp-sde": .uniform, "sub-vp-sde": .uniform,
                "ve": .uniform, "flow": .uniform, "cosine": .uniform,
            ], "How times are drawn."),
        RecipeKey(
            "objective.mean", \.objective.mean, .number(-100...100), of: .times,
            ["logit-normal": 0, "log-normal": -1.2], "The mean of logit t, or of ln σ."),
        RecipeKey(
            "objective.deviation", \.objective.deviation, .number(1e-3...100), of: .times,
            ["logit-normal": 1, "log-normal": 1.2], "The deviation of logit t, or of ln σ."),
        RecipeKey(
            "objective.scale", \.objective.scale, .number(-1...1.75), of: .times, ["mode": 1.29],
            "The scale of the density with a mode in the middle (Esser et al. 2024, equation 20)."),
    ]

    private static let flowKeys: [RecipeKey] = [
        RecipeKey(
            "objective.coupling", \.objective.coupling, .choice, of: .objective,
            ["flow-matching": .independent],
            "How the noise of a batch meets its data: as it comes, or by least total distance within each class."
        ),
        RecipeKey(
            "objective.interpolant", \.objective.interpolant, .choice, of: .objective,
            ["flow-matching": .straight], "The path between data and noise."),
    ]
}
