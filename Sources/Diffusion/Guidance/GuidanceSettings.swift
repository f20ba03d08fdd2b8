/// The guidance of a run: its scale, its method, and what the method reads.
public struct GuidanceSettings: Sendable, Equatable {
    /// s, what the difference of the branches is multiplied with.
    public var scale: Double
    /// The method. Where `nil`, classifier-free guidance above a scale of 1, and the conditional branch alone at
    /// and below it; a method that is named takes its formula as written at every scale.
    public var method: GuidanceMethod?
    /// Where guidance acts: σ_lo < σ ≤ σ_hi, in units of σ for data of α = 1, which is σ/α on every process.
    /// Source: Kynkäänniemi et al. 2024 (arXiv:2404.07724), section 3, whose process has α = 1.
    public var interval: ClosedRange<Double>?
    /// How guidance grows over the steps; all of it acts at every one where `nil`.
    public var schedule: GuidanceSchedule?
    /// φ, how far the result is brought back to the spread of the conditional branch, 0 to 1.
    public var rescale = 0.0
    /// w, how much a negative condition beside the unconditional branch repels; 1 where `nil`.
    public var negativeWeight: Double?

    /// Guidance of a scale; 1 is the conditional branch alone.
    public init(scale: Double = 1, method: GuidanceMethod? = nil) {
        (self.scale, self.method) = (scale, method)
    }

    /// The method that is taken.
    public var resolvedMethod: GuidanceMethod { method ?? .classifierFree }

    /// Whether more than the branch that is guided counts. Under a schedule the unconditional one does at every scale.
    public var isGuided: Bool {
        if let schedule, schedule != .constant { return true }
        return method.map { $0.neutralScale != scale } ?? (scale > 1)
    }

    /// The branches of the model that are evaluated, in the order in which they pass through the network.
    public var branches: [GuidanceBranch] {
        isGuided ? resolvedMethod.branches : [resolvedMethod.neutralBranch]
    }

    /// The denoiser of a run.
    /// - Precondition: `check(with:on:)` did not throw, and the parts hold what the method needs.
    public func denoiser(_ parts: GuidanceParts) -> Denoiser {
        isGuided ? resolvedMethod.denoiser(self, parts) : parts.model([resolvedMethod.neutralBranch])
    }
}

extension GuidanceSettings {
    /// The options that are given, each with its value as text.
    public var given: [(option: GuidanceOption, value: String)] {
        let values: [(GuidanceOption, String?)] = [
            (.interval, interval.map(intervalWord)), (.schedule, schedule?.name),
            (.rescale, rescale == 0 ? nil : rescale.description),
            (.negativeWeight, negativeWeight?.description),
        ]
        return values.compactMap { option, value in value.map { (option, $0) } }
    }

    /// Throws where an option is given that the method does not read or that has no part at its scale, where one
    /// that it needs is not given, and where the steps of a sampler cannot follow it.
    /// - Parameter parts: what is given beside numbers (a guide, a classifier, a negative prompt), with a name for each.
    /// - Throws: `DiffusionError` that names the option.
    public func check(
        with parts: [(option: GuidanceOption, value: String)] = [], on sampler: Sampler
    ) throws {
        try checkValues()
        let (name, given) = (resolvedMethod.name, given + parts)
        if let (option, value) = given.first(where: { !resolvedMethod.reads.contains($0.option) }) {
            let readers = GuidanceMethod.allCases.filter { $0.reads.contains(option) }.map(\.name)
            throw DiffusionError(
                field: option.rawValue,
                "is \(value), and the guidance method \(name) does not read it: leave it out, or use one that does (\(readers.joined(separator: ", ")))"
            )
        }
        let missing = resolvedMethod.needs.filter { need in !given.contains { $0.option == need } }
        if let option = missing.map(\.rawValue).min() {
            throw DiffusionError(
                field: option,
                "is not given, and the guidance method \(name) needs it: give it, or another method")
        }
        // Without a method the model's own scale decides whether there is guidance; what has no part then is for the
        // caller to refuse. A negative prompt without guidance is worth a note alone.
        if method != nil, !isGuided,
            let (option, value) = given.first(where: { $0.option != .negativePrompt })
        {
            throw DiffusionError(
                field: option.rawValue,
                "is \(value) and has no part where guidance is \(scale): leave it out, or give another guidance"
            )
        }
        try checkSteps(of: sampler)
    }

    private func checkValues() throws {
        guard Float(scale).isFinite else {
            throw DiffusionError(field: "guidance", "is \(scale): give a number that single precision holds")
        }
        guard (0...1).contains(rescale) else {
            throw DiffusionError(
                field: GuidanceOption.rescale.rawValue, "is \(rescale): it must lie between 0 and 1")
        }
        if let negativeWeight, !(negativeWeight >= 0 && Float(negativeWeight).isFinite) {
            throw DiffusionError(
                field: GuidanceOption.negativeWeight.rawValue,
                "is \(negativeWeight): give a number from 0 that single precision holds")
        }
        if let interval, !(interval.lowerBound >= 0 && interval.lowerBound < interval.upperBound) {
            throw DiffusionError(
                field: GuidanceOption.interval.rawValue,
                "is \(intervalWord(interval)): give a σ from 0 and a larger one")
        }
    }

    private func checkSteps(of sampler: Sampler) throws {
        guard resolvedMethod.separatesEstimate, isGuided else { return }
        guard sampler.solver.stepsFromEstimate else {
            throw DiffusionError(
                field: "guidance_method",
                "is \(resolvedMethod.name), which guides the data and not the noise, and this solver moves the sample itself: use ddim, euler or euler-a without churn"
            )
        }
        guard sampler.thresholding == nil || !sampler.recomputesNoise else {
            throw DiffusionError(
                field: "guidance_method",
                "is \(resolvedMethod.name), which guides the data and not the noise, and this scheduler makes the noise of the data that it cuts off: use another scheduler"
            )
        }
    }
}
