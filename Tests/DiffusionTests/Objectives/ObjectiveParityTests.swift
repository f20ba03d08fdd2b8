import Checkpoints
import Diffusion
import Foundation
import Storage
import Tensors
import TestSupport
import Testing

/// Losses and gradients of drawn combinations against `Tools/oracle/objectives.py`, which has them another way.
@Suite struct ObjectiveParityTests {
    @Test func lossesAndGradientsAgreeWithTheReference() throws {
        let folder = ProcessInfo.processInfo.environment["LANGEVIN_OBJECTIVES"]
        let fixtures =
            try folder.map { folder in
                try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map {
                    try Fixture($0, path: folder + "/" + $0)
                }
            } ?? Fixture.all(in: "objectives")
        for fixture in fixtures {
            let cases: [JSONValue] = try fixture.case.required("cases")
            #expect(cases.count >= 20)
            for (index, value) in cases.enumerated() {
                let drawn = try DrawnObjective(
                    try #require(JSONObject(json: value)), try fixture.tensors("\(index)."))
                try drawn.compare("\(fixture.name) case \(index): \(drawn.summary)")
            }
        }
    }
}

/// One case: an objective made of its words, its data, and a network of three layers.
private struct DrawnObjective {
    let words: JSONObject
    let tensors: [String: Tensor]
    let settings: ObjectiveSettings
    private(set) var context: ObjectiveContext

    init(_ words: JSONObject, _ tensors: [String: Tensor]) throws {
        (self.words, self.tensors) = (words, tensors)
        func choice(_ key: String, _ standard: String) throws -> WordChoice? {
            let object: JSONObject = try words.required(key)
            let word: String = try object.required("word")
            var numbers: [String: Double] = [:]
            if let given: JSONObject = try object.optional("numbers") {
                for name in given.keys { numbers[name] = try given.required(name) }
            }
            if let number: Double = try object.optional("number") {
                numbers[word == "constant" ? "sigma" : "scale"] = number
            }
            return word == standard ? nil : WordChoice(word, word == standard ? [:] : numbers)
        }
        let (kind, processWord): (String, String) = (
            try words.required("kind"), try words.required("process")
        )
        let reads = try ObjectiveWords.kinds(WordChoice(kind)).reads
        var settings = ObjectiveSettings(kind: kind, times: try choice("times", "uniform"))
        if reads.contains("weighting") { settings.weighting = try choice("weighting", "simple") }
        if reads.contains("form") { settings.form = try words.required("form") }
        if reads.contains("coupling") { settings.coupling = try words.required("coupling") }
        if reads.contains("bound_weight") { settings.boundWeight = try words.required("bound_weight") }
        settings.decodesPixels = try words.required("pixels")
        self.settings = settings
        context = ObjectiveContext(
            try Self.drawnProcess(words), word: processWord, hasPairedNoise: try words.required("paired"))
        if kind == "flow-matching", processWord == "flow" {
            context.process.schedule = try ProcessDescription(
                "flow", interpolant: choice("path", ""), latent: choice("latent", "none")
            ).schedule
        }
    }

    var summary: String {
        "\(settings.kind) on \(context.processWord) predicting \(context.process.parameterization.output.word), \(settings)"
    }

    private static func drawnProcess(_ words: JSONObject) throws -> Diffusion.Process {
        let numbers: JSONObject = try words.required("process_numbers")
        let schedules: [String: () throws -> any NoiseSchedule] = [
            "betas": {
                let name: String = try numbers.required("schedule")
                let betas = DiscreteSchedule(
                    betas: try #require(BetaSchedule(rawValue: name)).betas(
                        count: try numbers.required("train_steps"), from: try numbers.required("beta_start"),
                        to: try numbers.required("beta_end")))
                return try numbers.required("zero_terminal_snr") ? betas.rescaledToZeroTerminalSNR() : betas
            },
            "edm": {
                EDMSchedule(
                    sigmaMinimum: try numbers.required("sigma_min"),
                    sigmaMaximum: try numbers.required("sigma_max"))
            },
            "ve": {
                VarianceExplodingSchedule(
                    sigmaMinimum: try numbers.required("sigma_min"),
                    sigmaMaximum: try numbers.required("sigma_max"))
            },
            "vp-sde": {
                VariancePreservingSchedule(
                    betaMinimum: try numbers.required("beta_min"),
                    betaMaximum: try numbers.required("beta_max"))
            },
            "sub-vp-sde": {
                SubVariancePreservingSchedule(
                    betaMinimum: try numbers.required("beta_min"),
                    betaMaximum: try numbers.required("beta_max"))
            },
            "flow": { StraightSchedule() },
            // The whole quarter of the circle, with a rest of data at its end.
            "cosine": { CosineSchedule(limit: 200) },
        ]
        let word: String = try words.required("process")
        let prediction: String = try words.required("prediction")
        let edm = EDMPreconditioning(sigmaData: try words.required("sigma_data"))
        let meanings: [String: any OutputMeaning] = ["score": ScaledScore(), "edm": edm]
        let scaling: String = try words.required("scaling")
        let factor: Double = try words.required("time_factor")
        let make = try #require(schedules[word])
        let schedule = try make()
        var own = Diffusion.Process(
            schedule: schedule,
            parameterization: Parameterization(
                try #require(meanings[prediction] ?? Prediction(word: prediction)),
                scaling: try #require(SampleScaling(rawValue: scaling))
            ) { factor * $0.time! },
            sampling: DiffusionTests.process(schedule, edm).sampling)
        if prediction == "edm" || ["edm", "ve"].contains(word) {
            own.parameterization.input = edm.input(at:)
            own.parameterization.time = edm.noise(at:)
        }
        return own
    }

    private func network(_ weights: [String: Tensor]) -> Roles.Network {
        { x, time in
            let angle = time.unsqueezed(1) * 0.05
            var h = concatenated([x.flattened(from: 1), angle.cos(), angle.sin()], along: 1)
            for layer in 0..<3 {
                h = h.matmul(weights["weight\(layer)"]!) + weights["bias\(layer)"]!
                if layer < 2 { h = h.tanh() }
            }
            let inner = x.shape.extents.dropFirst(2).reduce(1, *)
            return h.reshaped(Shape([x.shape[0], h.shape[1] / inner] + x.shape.extents.dropFirst(2)))
        }
    }

    func compare(_ name: String) throws {
        let objective = try settings.objective(on: context)
        var weights: [String: Tensor] = [:]
        for (key, value) in tensors where key.hasPrefix("network.") {
            weights[String(key.dropFirst("network.".count))] = value.requiringGradient()
        }
        let roles = Roles(student: network(weights))
        let example = Example(
            data: try #require(tensors["data"]), noise: tensors["noise"], labels: tensors["labels"])
        let seed = UInt64(try words.required("draw_seed", as: Int.self))
        var running = RunningObjective(objective)
        if let losses = tensors["history"] {
            let rows = try (0..<losses.shape[0]).map { try losses[$0].array(of: Double.self) }
            try running.restore(JSONEncoder().encode(LossHistory(rows)))
        }
        let losses = try running.losses(example, roles, RandomGenerator(seed: seed))
        // Surprises of next to nothing, −ln(1 − p), have the rounding of 1.
        expectClose(
            losses.total, try #require(tensors["total"]), relative: 1e-9, absolute: 1e-12, ofLargest: 1e-9,
            name)
        for (part, values) in losses.parts {
            expectClose(
                values, try #require(tensors["part." + part]), relative: 1e-9, ofLargest: 1e-9,
                "\(name) \(part)")
        }
        let names = weights.keys.sorted()
        let found = try gradients(of: [losses.total.mean()], withRespectTo: names.map { weights[$0]! })
        for (key, gradient) in zip(names, found) {
            let expected = try #require(tensors["gradient." + key])
            expectClose(gradient ?? expected * 0, expected, ofLargest: 1e-9, "\(name) \(key)")
        }
        let atShare = try objective.losses(
            example, roles, atShare: try words.required("share"), RandomGenerator(seed: seed))
        expectClose(
            atShare.total, try #require(tensors["at_share"]), relative: 1e-9, absolute: 1e-12,
            ofLargest: 1e-9,
            "\(name) at a share")
    }
}
