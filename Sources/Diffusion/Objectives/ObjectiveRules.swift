/// Combinations that have no meaning: a row for each, with a sentence that names both keys.
enum ObjectiveRules {
    private struct Rule: Sendable {
        let isBroken: @Sendable (ObjectiveSettings, ObjectiveKind, ObjectiveContext) -> Bool
        let sentence: @Sendable (ObjectiveSettings, ObjectiveKind, ObjectiveContext) -> String
    }

    /// Throws what makes a combination meaningless.
    /// - Throws: `DiffusionError`, one sentence.
    static func check(
        _ settings: ObjectiveSettings, _ kind: ObjectiveKind, _ context: ObjectiveContext
    ) throws {
        for rule in rules where rule.isBroken(settings, kind, context) {
            throw DiffusionError(rule.sentence(settings, kind, context))
        }
    }

    private static let rules: [Rule] = [
        // What an objective does not read is no setting of it.
        Rule { settings, kind, _ in
            settings.unread(by: kind) != nil
        } sentence: { settings, kind, _ in
            let (key, word) = settings.unread(by: kind)!
            let readers = ObjectiveWords.kinds.rows.compactMap { row in
                row.make([]).reads.contains(key) ? row.word : nil
            }
            return
                "objective.\(key) is \(word), and objective.kind \(kind.word) does not read it: leave it out, or use objective.kind \(readers.joined(separator: " or "))"
        },
        // Bits have a loss of their own.
        Rule { _, kind, context in
            context.process.isOfBits != (kind.word == BinomialObjective.kind.word)
        } sentence: { _, kind, context in
            context.process.isOfBits
                ? "objective.kind \(kind.word) adds Gaussian noise, and diffusion.process \(context.processWord) flips bits: use objective.kind binomial"
                : "objective.kind \(kind.word) is of bits, and diffusion.process \(context.processWord) adds Gaussian noise: use diffusion.process binomial"
        },
        Rule { _, kind, context in
            kind.needsWholeTimes == true && context.process.schedule.wholeTimeCount == nil
        } sentence: { _, kind, context in
            "objective.kind \(kind.word) is a sum over the steps of a table, and diffusion.process \(context.processWord) has none: use diffusion.process betas, or objective.kind denoising"
        },
        Rule { _, kind, context in
            kind.needsWholeTimes == true && context.process.schedule.wholeTimeCount == 1
        } sentence: { _, kind, _ in
            "objective.kind \(kind.word) needs a step before each step but the first, and diffusion.train_steps is 1: give at least 2"
        },
        Rule { _, kind, context in
            kind.needsWholeTimes == false && context.process.schedule.wholeTimeCount != nil
        } sentence: { _, kind, context in
            "objective.kind \(kind.word) needs a velocity at every time, and diffusion.process \(context.processWord) has whole steps alone: use diffusion.process flow, or objective.kind denoising"
        },
        Rule { settings, _, context in
            settings.coupling == Coupling.optimalTransport.rawValue && context.hasPairedNoise
        } sentence: { settings, _, _ in
            "objective.coupling \(settings.coupling!) would pair data and noise anew, and data.kind pairs come paired: use objective.coupling independent"
        },
        Rule { _, _, context in
            !context.definesData
        } sentence: { _, _, context in
            "diffusion.prediction \(context.process.parameterization.output.word) gives no data where no signal is left, and diffusion.process \(context.processWord) ends there: use diffusion.prediction v, data or flow"
        },
    ]
}

extension ObjectiveSettings {
    /// The first key that is given and not read.
    fileprivate func unread(by kind: ObjectiveKind) -> (key: String, word: String)? {
        given.first { $0.key != "times" && !kind.reads.contains($0.key) }
    }
}

extension ObjectiveContext {
    /// Whether the data follow from the network's output at the noisiest time, and the network has a finite time there.
    fileprivate var definesData: Bool {
        let level = process.schedule.level(at: process.schedule.start)
        let parameterization = process.parameterization
        let own = level.divided(by: parameterization.scaling.scale(of: level))
        return parameterization.output.isDefined(at: own) && parameterization.time(level).isFinite
    }
}
