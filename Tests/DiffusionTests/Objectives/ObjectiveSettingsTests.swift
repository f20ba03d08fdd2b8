import Diffusion
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ObjectiveSettingsTests {
    private let table = DiscreteSchedule(betas: BetaSchedule.linear.betas(count: 10, from: 1e-3, to: 0.1))

    private func message(
        _ settings: ObjectiveSettings, on schedule: any NoiseSchedule, _ word: String,
        predicting output: any OutputMeaning = Prediction.velocity, paired: Bool = false
    ) -> String {
        let context = ObjectiveContext(process(schedule, output), word: word, hasPairedNoise: paired)
        do {
            _ = try settings.objective(on: context)
            return "no error"
        } catch {
            return "\(error)"
        }
    }

    /// Every combination without a meaning is refused in a sentence that names both keys and their words.
    @Test func combinationsWithoutMeaningAreRefused() {
        let flow = StraightSchedule()
        let dark = table.rescaledToZeroTerminalSNR()
        let edm = EDMSchedule()
        let rows: [(message: String, names: [String])] = [
            (
                message(ObjectiveSettings(kind: "hybrid"), on: flow, "flow"),
                ["objective.kind hybrid", "diffusion.process flow"]
            ),
            (
                message(ObjectiveSettings(kind: "bound"), on: edm, "edm"),
                ["objective.kind bound", "diffusion.process edm"]
            ),
            (
                message(ObjectiveSettings(kind: "bound"), on: DiscreteSchedule(betas: [0.1]), "betas"),
                ["objective.kind bound", "diffusion.train_steps is 1"]
            ),
            (
                message(ObjectiveSettings(kind: "flow-matching"), on: table, "betas"),
                ["objective.kind flow-matching", "diffusion.process betas"]
            ),
            (
                message(ObjectiveSettings(), on: flow, "flow", predicting: Prediction.noise),
                ["diffusion.prediction noise", "diffusion.process flow"]
            ),
            (
                message(ObjectiveSettings(), on: flow, "flow", predicting: ScaledScore()),
                ["diffusion.prediction score", "diffusion.process flow"]
            ),
            (
                message(ObjectiveSettings(), on: dark, "betas", predicting: Prediction.noise),
                ["diffusion.prediction noise", "diffusion.process betas"]
            ),
            (
                message(
                    ObjectiveSettings(kind: "flow-matching", coupling: "optimal-transport"), on: flow, "flow",
                    paired: true), ["objective.coupling optimal-transport", "data.kind pairs"]
            ),
            (
                message(ObjectiveSettings(form: "sliced"), on: flow, "flow"),
                ["objective.form is sliced", "objective.kind denoising", "score-matching"]
            ),
            (
                message(ObjectiveSettings(kind: "bound", weighting: "edm"), on: table, "betas"),
                ["objective.weighting is edm", "objective.kind bound"]
            ),
            (
                message(ObjectiveSettings(kind: "score-matching", boundWeight: 0.1), on: table, "betas"),
                ["objective.bound_weight is 0.1", "objective.kind score-matching", "hybrid"]
            ),
        ]
        for (message, names) in rows {
            for name in names { #expect(message.contains(name), "\(message)") }
        }
    }

    /// What the network takes for the time must be a number at every level.
    @Test func endlessTimesAreRefused() {
        let edm = EDMPreconditioning()
        var own = process(StraightSchedule(), edm)
        own.parameterization = edm.parameterization
        #expect(throws: DiffusionError.self) {
            try ObjectiveSettings().objective(on: ObjectiveContext(own, word: "flow"))
        }
        own.schedule = VariancePreservingSchedule()
        #expect(throws: Never.self) {
            try ObjectiveSettings().objective(on: ObjectiveContext(own, word: "vp-sde"))
        }
    }

    @Test func unknownWordsAndNumbersAreNamed() {
        let flow = StraightSchedule()
        #expect(
            message(ObjectiveSettings(kind: "denoise"), on: flow, "flow")
                == "kind \"denoise\" is not known: the nearest word is 'denoising'")
        #expect(
            message(ObjectiveSettings(weighting: "min-snrr"), on: flow, "flow").contains("'min-snr'"))
        #expect(
            message(ObjectiveSettings(times: WordChoice("mode", ["scal": 1])), on: flow, "flow")
                == "times mode does not read \"scal\": its numbers are scale")
        #expect(
            message(ObjectiveSettings(times: WordChoice("mode", ["scale": 2])), on: flow, "flow")
                .hasPrefix("times mode has scale 2.0: give a number from -1.0 to 1.75"))
        #expect(
            message(ObjectiveSettings(weighting: WordChoice("p2", ["gamma": .nan])), on: flow, "flow")
                .contains("gamma nan"))
    }

    /// Every word makes its value; those of the tables that are the contract of recipes are there.
    @Test func everyWordMakesAnObjective() throws {
        #expect(
            ObjectiveWords.kinds.words == [
                "denoising", "hybrid", "bound", "score-matching", "flow-matching", "binomial",
            ])
        #expect(
            ObjectiveWords.times.words
                == ["uniform", "logit-normal", "mode", "cosmap", "log-normal", "importance"])
        for word in ["simple", "edm", "min-snr", "p2", "sigmoid", "bound"] {
            #expect(ObjectiveWords.weightings.words.contains(word))
        }
        let data = RandomGenerator(seed: 1).normal([4, 2], .float64)
        let network: Roles.Network = { x, _ in x.tanh() }
        func check(_ settings: ObjectiveSettings, on schedule: any NoiseSchedule) throws {
            let context = ObjectiveContext(process(schedule, Prediction.velocity), word: "flow")
            var running = RunningObjective(try settings.objective(on: context))
            let doubles = try ObjectiveWords.kinds(WordChoice(settings.kind)).learnsVariance
            let losses = try running.losses(
                Example(data: data),
                Roles { x, time in
                    doubles ? concatenated([network(x, time), x.sin()], along: 1) : network(x, time)
                }, RandomGenerator(seed: 3))
            #expect(losses.total.shape == [4])
            #expect(try losses.total.isFinite().all().item(Bool.self), "\(settings)")
        }
        for times in ObjectiveWords.times.words {
            for kind in ObjectiveWords.kinds.rows.map({ $0.word })
            where !["flow-matching", "binomial"].contains(kind) {
                try check(ObjectiveSettings(kind: kind, times: WordChoice(times)), on: table)
            }
            for word in ObjectiveWords.weightings.words {
                for schedule: any NoiseSchedule in [table, StraightSchedule(), EDMSchedule()] {
                    try check(
                        ObjectiveSettings(weighting: WordChoice(word), times: WordChoice(times)), on: schedule
                    )
                }
            }
            for path in ObjectiveWords.interpolants.words {
                for latent in ObjectiveWords.latentNoises.words {
                    for coupling in ObjectiveWords.couplings.words {
                        let process = try ProcessDescription(
                            "flow", interpolant: WordChoice(path), latent: WordChoice(latent))
                        try check(
                            ObjectiveSettings(
                                kind: "flow-matching", coupling: coupling, times: WordChoice(times)),
                            on: process.schedule)
                    }
                }
            }
            for form in ObjectiveWords.forms.words {
                for (schedule, _) in continuousSchedules {
                    try check(
                        ObjectiveSettings(kind: "score-matching", form: form, times: WordChoice(times)),
                        on: schedule)
                }
            }
        }
    }
}
