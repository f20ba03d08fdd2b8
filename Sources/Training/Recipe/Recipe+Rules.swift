/// A combination of keys that must hold in a recipe whose defaults are filled in.
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
}

extension Recipe {
    /// What keys must fulfil together, apart from the network, whose configuration checks itself.
    package static let rules: [Rule] = dataRules + processRules + conditioningRules

    private static let dataRules: [Rule] = [
        Rule("data.path", "the path of the data, which every data.kind but digits needs") {
            !$0.data.kind.needsPath || $0.data.path?.isEmpty == false
        },
        Rule("data.background", "nothing: only pictures of data.kind folder have transparent parts") {
            $0.data.background == nil || $0.data.kind == .folder
        },
        Rule("data.size", "nothing: examples of this data.kind are taken as they are") {
            $0.data.size == nil || $0.data.kind.hasPictures
        },
        Rule("data.channels", "nothing: examples of this data.kind are taken as they are") {
            $0.data.channels == nil || $0.data.kind.hasPictures
        },
        Rule("data.flip", "false: only pictures have a mirror image, and this data.kind has none") {
            !$0.data.flip || $0.data.kind.hasPictures
        },
        Rule("data.captions", "none or class-names: only data.kind folder has a file of captions") {
            $0.data.captions != .file || $0.data.kind.hasCaptionFile
        },
    ]

    private static let processRules: [Rule] = [
        Rule("diffusion.beta_end", "a number that is not below diffusion.beta_start") {
            ($0.diffusion.betaEnd ?? 1) >= ($0.diffusion.betaStart ?? 0)
        },
        Rule("diffusion.beta_max", "a number that is not below diffusion.beta_min") {
            ($0.diffusion.betaMax ?? 1) >= ($0.diffusion.betaMin ?? 0)
        },
        Rule("diffusion.sigma_max", "a number above diffusion.sigma_min") {
            ($0.diffusion.sigmaMax ?? 1) > ($0.diffusion.sigmaMin ?? 0)
        },
        Rule(
            "diffusion.prediction",
            "data, v or flow, since noise and score say nothing at the pure noise of diffusion.zero_terminal_snr"
        ) { $0.diffusion.zeroTerminalSNR != true || ![.noise, .score].contains($0.diffusion.prediction) },
        Rule(
            "diffusion.prediction",
            "data, v or flow, since noise and score say nothing at the pure noise of diffusion.process flow"
        ) { !$0.diffusion.process.endsInNoise || ![.noise, .score].contains($0.diffusion.prediction) },
        Rule(
            "diffusion.prediction",
            "another one: EDM's preconditioning is defined on diffusion.process edm and ve"
        ) { $0.diffusion.prediction != .edm || $0.diffusion.process.keepsData },
        Rule("objective.kind", "another one: a variance is learnt on diffusion.process betas alone") {
            !$0.objective.kind.learnsVariance || $0.diffusion.process.isDiscrete
        },
        Rule(
            "objective.kind",
            "another one: a learned variance goes with diffusion.prediction noise, data or v"
        ) {
            !$0.objective.kind.learnsVariance || [.noise, .data, .v].contains($0.diffusion.prediction)
        },
        Rule(
            "objective.kind",
            "denoising, or diffusion.process flow: flow matching learns that process's velocity"
        ) {
            $0.objective.kind != .flowMatching
                || $0.diffusion.process == .flow && $0.diffusion.prediction == .flow
        },
    ]

    private static let conditioningRules: [Rule] = [
        Rule("model.conditioning", "another one, or data.captions class-names or file, which give the texts")
        {
            $0.model.conditioning != .text || $0.data.captions != .none
        },
        Rule("model.conditioning", "class or none, or model.kind unet2d-condition or mmdit, which read texts")
        {
            $0.model.conditioning != .text || $0.model.kind.dataKeys.context != nil
        },
        Rule("model.conditioning", "none, or model.kind unet2d: this model.kind knows no classes") {
            $0.model.conditioning != .classes || $0.model.kind.dataKeys.classes != nil
        },
    ]

    /// The first key whose value cannot be, with what is wrong with it; nil where all is well.
    var problem: (path: String, problem: String)? {
        for key in Self.keys {
            if key.isMisplaced(in: self), let owner = key.owner {
                let word = owner.word(self) ?? "absent"
                return (
                    key.path,
                    "is \(key.write(self).shown); leave it out: with \(owner.path) \(word) nothing reads it."
                )
            }
            if !key.holds(self) { return (key.path, "is \(key.write(self).shown); write \(key.wanted).") }
        }
        if let rule = Self.rules.first(where: { !$0.holds(self) }) {
            return (rule.path, "is \(text(at: rule.path)); write \(rule.wanted).")
        }
        return nil
    }
}
