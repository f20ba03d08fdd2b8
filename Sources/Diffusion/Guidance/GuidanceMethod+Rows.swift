extension GuidanceMethod {
    /// Every method.
    public static let allCases: [GuidanceMethod] = [
        classifierFree, manifoldConstrained, perpendicularNegative, limited, classifier, clip, autoGuidance,
    ]

    private static let pair: [GuidanceBranch] = [.unconditional, .conditional]

    /// `cfg`: ε̂ = ε∅ + s·(ε_c − ε∅), at every noise level. Ho and Salimans 2022 (arXiv:2207.12598), equation 6.
    public static let classifierFree = GuidanceMethod(
        "cfg", "away from the unconditional estimate", branches: pair,
        reads: [.rescale, .negativePrompt, .schedule],
        neutralScale: 1
    ) { settings, parts in
        parts.guided(by: ClassifierFreeGuidance(scale: settings.scale), pair, settings)
    }

    /// `cfg++`: guided data, unconditional noise. Its scale λ is usually from 0 to 1; 0.6 is what the paper takes for as
    /// strong as 7.5 of `cfg`. Chung et al. 2024 (arXiv:2406.08070), algorithm 2.
    public static let manifoldConstrained = GuidanceMethod(
        "cfg++", "guided data, unconditional noise", branches: pair, reads: [.negativePrompt],
        usualScale: 0.6, separatesEstimate: true
    ) { settings, parts in
        let guidance = ManifoldConstrainedGuidance(scale: settings.scale)
        return parts.guided(by: parts.isInverse ? guidance.inverse : guidance, pair, settings)
    }

    /// `perp-neg`: three branches; of the negative one only the part that is perpendicular to the wanted one counts.
    /// Armandpour et al. 2023 (arXiv:2304.04968), the section on Perp-Neg.
    public static let perpendicularNegative = GuidanceMethod(
        "perp-neg", "away from what is perpendicular in the negative condition", branches: pair + [.negative],
        reads: [.rescale, .interval, .negativeWeight, .schedule], needs: [.negativePrompt]
    ) { settings, parts in
        let guidance = PerpendicularNegativeGuidance(
            scale: settings.scale, weights: [settings.negativeWeight ?? 1])
        return parts.guided(by: guidance, pair + [.negative], settings)
    }

    /// `interval`: `cfg` where σ lies in an interval, the conditional branch alone elsewhere.
    /// Kynkäänniemi et al. 2024 (arXiv:2404.07724), section 3.
    public static let limited = GuidanceMethod(
        "interval", "cfg at some noise levels only", branches: pair, reads: [.rescale, .negativePrompt],
        needs: [.interval], neutralScale: 1
    ) { settings, parts in
        parts.guided(by: ClassifierFreeGuidance(scale: settings.scale), pair, settings)
    }

    /// `classifier`: up the gradient of a classifier's log-probability from the unconditional estimate, which a scale of
    /// 0 leaves as it is. Dhariwal and Nichol 2021 (arXiv:2105.05233), algorithm 2.
    public static let classifier = GuidanceMethod(
        "classifier", "up the gradient of a classifier's log-probability", branches: [.unconditional],
        needs: [.classifier], neutralScale: 0, neutralBranch: .unconditional, usualScale: 1
    ) { settings, parts in
        guard let logProbability = parts.classifier else {
            preconditionFailure("guidance by a classifier needs one")
        }
        return ClassifierGuidance(scale: settings.scale, logProbability: logProbability)
            .denoiser(parts.model([.unconditional]))
    }

    /// `clip`: the conditional estimate, up the gradient of how alike a text and a noisy picture are; ancestral steps move their
    /// mean by it, others their estimate. Nichol et al. 2021 (GLIDE, arXiv:2112.10741), section 2.3 and equation 7, whose
    /// published scale is 3.
    public static let clip = GuidanceMethod(
        "clip", "up the gradient of a CLIP that knows noise", branches: [.conditional],
        needs: [.noisyCLIP], neutralScale: 0, usualScale: 3
    ) { settings, parts in
        guard let similarity = parts.similarity else { preconditionFailure("guidance by CLIP needs one") }
        let guidance = ClassifierGuidance(scale: settings.scale, logProbability: similarity)
        let model = parts.model([.conditional])
        return parts.movesMeans ? guidance.moving(model) : guidance.denoiser(model)
    }

    /// `autoguidance`: away from a worse version of the model under the same condition; the paper's best weights lie
    /// about 2. Karras et al. 2024 (arXiv:2406.02507), section 4.
    public static let autoGuidance = GuidanceMethod(
        "autoguidance", "away from a worse version of the model", branches: [.conditional],
        reads: [.rescale, .interval], needs: [.guide], neutralScale: 1, usualScale: 2
    ) { settings, parts in
        guard let guide = parts.guide else { preconditionFailure("autoguidance needs a guide") }
        let (guidance, model) = (AutoGuidance(weight: settings.scale), parts.model([.conditional]))
        return settings.modified(guidance, parts) {
            $0.denoiser(conditional: model, unconditional: guide)
        }
    }
}

extension GuidanceParts {
    /// One denoiser of branches of the model; where only the conditional one counts, it alone is evaluated.
    fileprivate func guided(
        by guidance: some Guidance, _ branches: [GuidanceBranch], _ settings: GuidanceSettings
    ) -> Denoiser {
        settings.modified(guidance, self) { guidance in
            let guided = guidance.denoiser(batched: model(branches), negatives: branches.count - 2)
            guard settings.interval != nil else { return guided }
            let alone = model([.conditional])
            return Denoiser { x, level in
                guidance.isConditional(at: level) ? alone(x, level) : guided(x, level)
            }
        }
    }
}

extension GuidanceSettings {
    /// A guidance with the result rescaled, growing over the steps and limited to an interval, as far as that is set.
    fileprivate func modified(
        _ guidance: some Guidance, _ parts: GuidanceParts, _ body: (any Guidance) -> Denoiser
    ) -> Denoiser {
        var modified: any Guidance = guidance
        if rescale != 0 { modified = modified.broughtBack(rescale, of: parts.prediction) }
        if let schedule, let grid = parts.grid { modified = modified.growing(by: schedule, over: grid) }
        if let interval { modified = modified.limited(to: interval) }
        return body(modified)
    }
}

extension Guidance {
    /// This guidance brought back to the spread of the conditional output.
    fileprivate func broughtBack(_ share: Double, of prediction: Prediction) -> any Guidance {
        rescaled(share, of: prediction)
    }

    /// This guidance, growing over the steps.
    fileprivate func growing(by schedule: GuidanceSchedule, over grid: StepGrid) -> any Guidance {
        scheduled(schedule, over: grid)
    }

    /// This guidance where σ/α lies in an interval, whose lower end is excluded.
    fileprivate func limited(to interval: ClosedRange<Double>) -> any Guidance {
        limited(above: interval.lowerBound, upTo: interval.upperBound)
    }
}
