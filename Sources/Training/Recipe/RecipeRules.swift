import Networks
import Pictures

/// One thing that must hold in a recipe.
package struct Rule: Sendable {
    /// The key it is about.
    package let path: String
    /// What the key's value has to be, to follow "write".
    let wanted: String
    /// Whether it is so.
    let holds: @Sendable (Recipe) -> Bool

    init(_ path: String, _ wanted: String, _ holds: @escaping @Sendable (Recipe) -> Bool) {
        (self.path, self.wanted, self.holds) = (path, wanted, holds)
    }

    static func whole(
        _ path: String, _ range: ClosedRange<Int>, _ value: @escaping @Sendable (Recipe) -> Int
    ) -> Rule {
        optional(path, range) { value($0) }
    }

    static func optional(
        _ path: String, _ range: ClosedRange<Int>, _ value: @escaping @Sendable (Recipe) -> Int?
    ) -> Rule {
        Rule(path, "a whole number from \(range.lowerBound) to \(range.upperBound)") { recipe in
            value(recipe).map(range.contains) ?? true
        }
    }

    /// NaN and infinity are in no range.
    static func number(
        _ path: String, _ range: ClosedRange<Double>, _ value: @escaping @Sendable (Recipe) -> Double
    ) -> Rule {
        Rule(path, "a number from \(range.lowerBound) to \(range.upperBound)") { range.contains(value($0)) }
    }
}

extension Recipe {
    /// What a recipe must fulfil, apart from its network, whose configuration checks itself.
    package static let rules: [Rule] = [
        .whole("seed", 0...Int.max) { $0.seed },

        Rule("data.path", "the path of the data, which data.kind idx and folder need") {
            $0.data.kind == .digits || $0.data.path?.isEmpty == false
        },
        .optional("data.size", 1...8192) { $0.data.size },
        Rule("data.background", "#rrggbb, or one of \(Colour.names.joined(separator: ", "))") {
            $0.data.background.map { Colour(css: $0) != nil } ?? true
        },
        Rule("data.background", "nothing: only pictures of data.kind folder have transparent parts") {
            $0.data.background == nil || $0.data.kind == .folder
        },
        Rule("data.channels", "1 for grey or 3 for colour") { [nil, 1, 3].contains($0.data.channels) },

        .whole("diffusion.train_steps", 2...100_000) { $0.diffusion.trainSteps },
        .number("diffusion.beta_start", 1e-9...0.999) { $0.diffusion.betaStart },
        .number("diffusion.beta_end", 1e-9...0.999) { $0.diffusion.betaEnd },
        Rule("diffusion.beta_end", "a number that is not below diffusion.beta_start") {
            $0.diffusion.betaEnd >= $0.diffusion.betaStart
        },
        .number("diffusion.label_dropout", 0...1) { $0.diffusion.labelDropout },
        Rule(
            "diffusion.prediction",
            "sample or v_prediction, since epsilon says nothing at the pure noise of zero_terminal_snr"
        ) { !($0.diffusion.zeroTerminalSNR && [.noise, .score].contains($0.diffusion.prediction)) },

        .whole("training.steps", 1...1_000_000_000) { $0.training.steps },
        .whole("training.batch_size", 1...65_536) { $0.training.batchSize },
        .number("training.learning_rate", 1e-12...10) { $0.training.learningRate },
        .whole("training.warmup_steps", 0...1_000_000_000) { $0.training.warmupSteps },
        .number("training.weight_decay", 0...10) { $0.training.weightDecay },
        .number("training.beta1", 0...0.999_999_999) { $0.training.beta1 },
        .number("training.beta2", 0...0.999_999_999) { $0.training.beta2 },
        .number("training.epsilon", 1e-20...1) { $0.training.epsilon },
        .number("training.gradient_clip", 0...1e9) { $0.training.gradientClip },
        .whole("training.gradient_accumulation", 1...65_536) { $0.training.gradientAccumulation },
        .number("training.ema_decay", 0...0.999_999_999) { $0.training.emaDecay },
        .whole("training.prefetch", 0...64) { $0.training.prefetch },
        .whole("training.checkpoint_every", 0...1_000_000_000) { $0.training.checkpointEvery },
        .whole("training.keep_checkpoints", 1...1_000_000) { $0.training.keepCheckpoints },
        .whole("training.sample_every", 0...1_000_000_000) { $0.training.sampleEvery },
        .whole("training.log_every", 1...1_000_000_000) { $0.training.logEvery },
        Rule("training.device", "cpu, cuda, cuda:0 (or another number) or mps") {
            isDevice($0.training.device)
        },
        .whole("training.threads", 0...1024) { $0.training.threads },

        .whole("evaluation.steps", 1...10_000) { $0.evaluation.steps },
        .number("evaluation.guidance", 0...1000) { $0.evaluation.guidance },
        .whole("evaluation.count", 1...4096) { $0.evaluation.count },
    ]

    private static func isDevice(_ name: String) -> Bool {
        if ["cpu", "cuda", "mps"].contains(name) { return true }
        guard name.hasPrefix("cuda:"), let index = Int(name.dropFirst(5)) else { return false }
        return (0..<64).contains(index)
    }

    /// The first rule that does not hold.
    var brokenRule: Rule? {
        Self.rules.first { !$0.holds(self) }
    }

    /// Checks every value's range. Throws `RecipeError` that names the first key whose value cannot be.
    public func validate() throws {
        if let rule = brokenRule {
            throw RecipeError("\(rule.path) is \(try text(at: rule.path)): write \(rule.wanted).")
        }
        do {
            _ = try model.network.fitted(to: NetworkDemands(given: model.given))
        } catch let error as NetworkError {
            throw RecipeError("model.\(error.key) \(error.problem).")
        }
    }
}
