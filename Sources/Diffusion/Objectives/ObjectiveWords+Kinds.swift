extension ObjectiveWords {
    /// The objectives.
    public static let kinds = WordTable<ObjectiveKind>(
        "kind",
        [
            DenoisingObjective.kind, HybridObjective.kind, BoundObjective.kind, ScoreMatchingObjective.kind,
            FlowMatchingObjective.kind, BinomialObjective.kind,
        ].map { kind in .init(kind.word) { _ in kind } })
}

extension DenoisingObjective {
    /// `denoising`
    static let kind = ObjectiveKind("denoising", reads: ["weighting"]) { settings, process in
        DenoisingObjective(
            process, weighting: try settings.weighting(on: process.schedule),
            times: try settings.times(on: process.schedule))
    }
}

extension HybridObjective {
    /// `hybrid`
    static let kind = ObjectiveKind(
        "hybrid", reads: ["weighting", "bound_weight"], needsWholeTimes: true, learnsVariance: true
    ) { settings, process in
        try HybridObjective(
            process, boundWeight: settings.boundWeight ?? 0.001,
            weighting: settings.weighting(on: process.schedule), decoder: settings.decoder,
            times: settings.times(on: process.schedule))
    }
}

extension BoundObjective {
    /// `bound`. Its terms differ by orders of magnitude, so that evenly drawn times give gradients of much noise
    /// (Nichol and Dhariwal 2021, section 3.3).
    static let kind = ObjectiveKind(
        "bound", reads: [], needsWholeTimes: true, learnsVariance: true, usualTimes: "importance"
    ) { settings, process in
        try BoundObjective(
            process, decoder: settings.decoder, times: settings.times(on: process.schedule))
    }
}

extension ScoreMatchingObjective {
    /// `score-matching`
    static let kind = ObjectiveKind("score-matching", reads: ["form", "weighting"]) { settings, process in
        let form = try ObjectiveWords.forms(WordChoice(settings.form ?? "denoising"))
        let weighting = try settings.weighting(on: process.schedule)
        return ScoreMatchingObjective(
            process, form: form, weighting: weighting.stated(for: process.parameterization.output),
            times: try settings.times(on: process.schedule))
    }
}

extension FlowMatchingObjective {
    /// `flow-matching`
    public static let kind = ObjectiveKind("flow-matching", reads: ["coupling"], needsWholeTimes: false) {
        settings, process in
        try FlowMatchingObjective(
            process, coupling: ObjectiveWords.couplings(WordChoice(settings.coupling ?? "independent")),
            times: settings.times(on: process.schedule))
    }
}

extension BinomialObjective {
    /// `binomial`
    static let kind = ObjectiveKind("binomial", reads: [], needsWholeTimes: true) { settings, process in
        try BinomialObjective(process, times: settings.times(on: process.schedule))
    }
}
