import Diffusion

extension Recipe {
    /// The loss, in the words of `ObjectiveWords`. What is absent has a default that depends on the other keys.
    public struct ObjectiveSection: Equatable, Sendable {
        /// The loss.
        public var kind = "denoising"
        /// Which form of score matching.
        public var form: String?
        /// How much each noise level counts.
        public var weighting: String?
        /// How times are drawn.
        public var times: String?
        /// How data and noise of a batch are paired.
        public var coupling: String?
        /// The path between data and noise, where the process has none of its own.
        public var interpolant: String?
        /// The extra noise on that path.
        public var latent: String?
        /// The weight of the variational bound beside the simple loss.
        public var boundWeight: Double?
        /// The numbers of the words, by key.
        public var numbers: [String: Double] = [:]
        /// The values of a loss that only one kind of model has, by key; what is absent has its default.
        public var values: [String: ProcessValue] = [:]

        /// The section with every default.
        public init() {}

        /// Whether the loss may have another path than the process's own.
        var choosesPath: Bool { kind == FlowMatchingObjective.kind.word }
    }
}

extension Recipe.ObjectiveSection {
    /// A word with the numbers of its own.
    private func choice(_ word: String?, _ known: [Number]) -> WordChoice? {
        word.map { word in
            let own = known.filter { $0.defaults[word] != nil }
            return WordChoice(
                word,
                Dictionary(
                    uniqueKeysWithValues: own.compactMap { key in numbers[key.key].map { (key.name, $0) } }))
        }
    }

    /// A process on the path that the section names, if any.
    /// - Throws: `DiffusionError` where noise does not grow along that path.
    func path(of process: ProcessDescription) throws -> ProcessDescription {
        try process.following(
            choice(interpolant, Self.interpolantNumbers), latent: choice(latent, Self.latentNumbers))
    }

    /// The section as objectives take it.
    /// - Parameter decodesPixels: whether data are pixels of 8 bits.
    func settings(decodesPixels: Bool) -> ObjectiveSettings {
        var settings = ObjectiveSettings(
            kind: kind, form: form, coupling: coupling, weighting: choice(weighting, Self.weightingNumbers),
            times: choice(times, Self.timesNumbers), boundWeight: boundWeight)
        settings.decodesPixels = decodesPixels
        return settings
    }
}
