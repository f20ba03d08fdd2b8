import Checkpoints
import Foundation
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

/// Methods of guidance, inversion and interpolation through the program.
@Suite struct GuidanceCommandTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try write("m", means: "[[-1, 0.5], [0.8, -0.3]]", weights: "[0.3, 0.7]")
        try write("worse", means: "[[-0.8, 0.4], [0.6, -0.2]]", weights: "[0.5, 0.5]")
    }

    private func write(_ name: String, means: String, weights: String) throws {
        try folder.write(
            name + ".json",
            """
            {"kind": "gaussian-mixture", "weights": \(weights), "means": \(means),
             "covariances": [[[0.1, 0.02], [0.02, 0.05]], [[0.04, 0], [0, 0.09]]],
             "schedule": {"_class_name": "DDIMScheduler", "clip_sample": false}, "prediction": "noise"}
            """)
    }

    private func model(_ name: String = "m") -> String { "analytic:" + folder(name + ".json") }

    private func tensor(_ call: [String], named name: String = "samples") throws -> Tensor {
        let path = folder("x.safetensors")
        try folder.made(call + ["-o", path])
        return try SafetensorsFile(path: path, storage: .copied).tensor(named: name)
    }

    private func samples(_ more: String...) throws -> Tensor {
        try tensor(["sample", model(), "--count", "5", "--steps", "20", "--dtype", "float64"] + more)
    }

    private func method(_ name: String, _ scale: String, _ more: String...) throws -> Tensor {
        try tensor(
            [
                "sample", model(), "--count", "5", "--steps", "20", "--dtype", "float64", "--class", "1",
                "--guidance-method", name, "--guidance", scale,
            ] + more)
    }

    // MARK: Exact models

    @Test func neutralScalesAreTheBranches() throws {
        let (plain, one) = (try samples(), try samples("--class", "1"))
        #expect(try !plain.isIdentical(to: one))
        #expect(try method("cfg", "0").isIdentical(to: plain))
        #expect(try method("cfg", "1").isIdentical(to: one))
        #expect(try method("cfg++", "0").isIdentical(to: plain))
        expectClose(
            try method("classifier", "1e-9", "--classifier", model()), plain, absolute: 1e-7)
        let guided = try method("cfg", "3")
        #expect(try method("interval", "3", "--guidance-interval", "0:inf").isIdentical(to: guided))
        #expect(try method("interval", "3", "--guidance-interval", "1e6:2e6").isIdentical(to: one))
        #expect(try samples("--class", "1", "--guidance", "3").isIdentical(to: guided))
        // Below 1 the scale alone is the conditional branch, and a method's formula is not.
        #expect(try samples("--class", "1", "--guidance", "0.5").isIdentical(to: one))
        #expect(try !method("cfg", "0.5").isIdentical(to: one))
    }

    /// A class is guided to all the way, or from the unconditional estimate on; the receipt says which.
    @Test func guidanceGrowsOverTheSteps() throws {
        func scheduled(_ schedule: String, _ more: String...) throws -> Tensor {
            try samples("--class", "1", "--guidance", "3", "--guidance-schedule", schedule)
        }
        let (plain, guided) = (try samples(), try samples("--class", "1", "--guidance", "3"))
        #expect(try scheduled("constant").isIdentical(to: guided))
        let all = [try scheduled("linear"), try scheduled("cosine"), try scheduled("falling"), plain, guided]
        for (index, one) in all.enumerated() {
            for other in all.dropFirst(index + 1) { #expect(try !one.isIdentical(to: other)) }
        }
        // The only step is the last one.
        let one = ["sample", model(), "--count", "5", "--steps", "1", "--dtype", "float64", "--class", "1"]
        #expect(
            try tensor(one + ["--guidance", "3", "--guidance-schedule", "linear"])
                .isIdentical(to: tensor(one + ["--guidance", "3"])))
        let receipt = try folder.receipt([
            "sample", model(), "--class", "1", "--steps", "3", "--guidance-schedule", "cosine",
        ])
        #expect(receipt["guidance_schedule"] == "cosine")
        for (arguments, words) in [
            (["--guidance-schedule", "linear"], "--class"),
            (["--class", "1", "--guidance-schedule", "linaer"], "linaer"),
            (["--class", "1", "--guidance", "1", "--guidance-schedule", "constant"], "there is one"),
            (
                ["--class", "1", "--guidance-method", "cfg++", "--guidance-schedule", "linear"],
                "--guidance-schedule is linear"
            ),
        ] {
            try Program.expectRefused(
                ["sample", model(), "--steps", "3", "-o", folder("no.safetensors")] + arguments, words)
        }
    }

    /// A recipe's schedule is the model's own, until a request says something of guidance.
    @Test func aRecipesScheduleIsTheModels() throws {
        let short = [
            "training.steps=2", "training.batch_size=8", "training.threads=1",
            "model.block_out_channels=[8, 8]",
            "model.norm_num_groups=4", "model.attention_head_dim=4", "evaluation.count=10",
            "evaluation.steps=3", "evaluation.guidance=2", "evaluation.guidance_schedule=linear",
        ]
        try folder.made(
            ["train", "recipes/digits.yaml", "--out", folder("run")] + short.flatMap { ["--set", $0] })
        let call = ["sample", folder("run"), "--class", "3"]
        #expect(try folder.receipt(call)["guidance_schedule"] == "linear")
        let own = try tensor(call)
        #expect(
            try tensor(call + ["--guidance", "2", "--guidance-schedule", "linear"]).isIdentical(to: own))
        let plain = try tensor(call + ["--guidance", "2"])
        #expect(try !plain.isIdentical(to: own))
        #expect(try tensor(call + ["--guidance-schedule", "constant"]).isIdentical(to: plain))
    }

    /// Guided by what its own parts say, a mixture is the part; guided by itself, it is itself.
    @Test func exactGuidesGiveWhatIsKnown() throws {
        let one = try samples("--class", "1")
        expectClose(try method("classifier", "1", "--classifier", model()), one, absolute: 1e-7)
        expectClose(try method("autoguidance", "2.5", "--guide", model()), one, absolute: 1e-9)
        #expect(try !method("autoguidance", "2.5", "--guide", model("worse")).isIdentical(to: one))
        // All classes in one batch are each their own.
        let two = ["sample", model(), "--count", "2", "--steps", "20", "--dtype", "float64", "--class"]
        #expect(try tensor(two + ["all"])[1].isIdentical(to: tensor(two + ["1"])[1]))
    }

    @Test(arguments: ["ddim", "heun", "rk45"])
    func noiseThatLeadsToSamplesLeadsToThem(solver: String) throws {
        let call = ["sample", model(), "--count", "4", "--dtype", "float64", "--solver", solver]
        let steps = ["--steps", solver == "ddim" ? "400" : "60"]
        let data = try tensor(call + steps)
        try SafetensorsWriter([("samples", data)]).write(to: folder("data.safetensors"))
        let noise = try tensor(
            call + steps + ["--inversion", "--image", folder("data.safetensors")], named: "latents")
        #expect(noise.shape == [4, 2])
        try SafetensorsWriter([("latents", noise)]).write(to: folder("noise.safetensors"))
        expectClose(
            try tensor(call + steps + ["--initial", folder("noise.safetensors")]), data,
            absolute: solver == "rk45" ? 0.005 : 0.03)
    }

    @Test func theEndsOfAnInterpolationAreTheSeeds() throws {
        for more in [["--solver", "ddim"], ["--solver", "euler-a"]] {
            let call = ["sample", model(), "--dtype", "float64", "--steps", "10"] + more
            let row = try tensor(call + ["--interpolate", "3:77", "--count", "5"])
            #expect(try row[0].isIdentical(to: tensor(call + ["--seed", "3"])[0]))
            #expect(try row[4].isIdentical(to: tensor(call + ["--seed", "77"])[0]))
            let alone = call + ["--interpolate", "3:77", "--count", "5", "--batch-size", "2"]
            #expect(try tensor(alone).isIdentical(to: row))
        }
    }

    // MARK: Networks

    @Test func everyMethodGuidesANetwork() throws {
        let (tiny, other) = (
            try TinyModel(classes: true), try TinyModel(classes: true, schedule: "scaled_linear")
        )
        try TinyClassifier.write(like: TinyModel(), to: folder("classifier"))
        let call = ["sample", tiny.run, "--class", "3", "--steps", "4", "--solver", "ddim", "--count", "2"]
        func method(_ name: String, _ more: String...) throws -> Tensor {
            try tensor(call + ["--guidance-method", name] + more)
        }
        let plain = try tensor(call + ["--guidance", "1"])
        let all = [
            try method("cfg", "--guidance", "3"), try method("cfg++"),
            try method("interval", "--guidance", "3", "--guidance-interval", "0.5:3"),
            try method("classifier", "--classifier", folder("classifier"), "--guidance", "5"),
            try method("autoguidance", "--guide", other.run),
        ]
        for (index, samples) in all.enumerated() {
            #expect(try samples.isFinite().all().item(Bool.self), "\(index)")
            #expect(try !samples.isIdentical(to: plain), "\(index)")
            for other in all.dropFirst(index + 1) { #expect(try !samples.isIdentical(to: other)) }
        }
        #expect(try method("cfg", "--guidance", "1").isIdentical(to: plain))
        expectClose(try method("autoguidance", "--guide", tiny.run), plain, absolute: 1e-4)
    }

    @Test func picturesAreInvertedToNoise() throws {
        let tiny = try TinyModel()
        let call = ["sample", tiny.run, "--steps", "50", "--solver", "ddim"]
        try folder.made(call + ["--seed", "5", "-o", folder("made.png")])
        try folder.made(
            call + ["--inversion", "--image", folder("made.png"), "-o", folder("noise.safetensors")])
        let file = try SafetensorsFile(path: folder("noise.safetensors"), storage: .copied)
        #expect(try file.tensor(named: "latents").shape == [1, 1, 8, 8])
        let text = try #require(file.metadata["langevin"])
        let receipt = try #require(JSONObject(json: JSONValue(parsing: text.utf8, place: "the receipt")))
        #expect(receipt["inversion"] == true)
        #expect(try receipt.required("image", as: JSONObject.self)["name"] == "made.png")
        _ = try tensor(call + ["--initial", folder("noise.safetensors")])
    }

    @Test func latentsAreGuidedAndInverted() throws {
        let latents = try FixtureModel(of: "sd1", in: folder)
        let call = [
            "generate", "a cat", "--model", latents.path, "--steps", "3", "--solver", "ddim", "--width", "48",
            "--height", "48",
        ]
        let plain = try tensor(call + ["--guidance", "3"])
        #expect(try tensor(call + ["--guidance-method", "cfg", "--guidance", "3"]).isIdentical(to: plain))
        let repelled = try tensor(
            call + ["--guidance-method", "perp-neg", "--guidance", "3", "--negative-prompt", "a dog"])
        #expect(try !repelled.isIdentical(to: plain))
        func weighted(_ weight: String) throws -> Tensor {
            try tensor(
                call + [
                    "--guidance-method", "perp-neg", "--guidance", "3", "--negative-prompt", "a dog",
                    "--negative-weight", weight,
                ])
        }
        #expect(try weighted("1").isIdentical(to: repelled))
        #expect(try !weighted("0.3").isIdentical(to: repelled))
        // One that does not repel leaves guidance by the prompt alone.
        expectClose(try weighted("0"), plain, absolute: 1e-3)
        // A negative prompt that says nothing repels nothing.
        expectClose(
            try tensor(
                call + ["--guidance-method", "perp-neg", "--guidance", "3", "--negative-prompt", ""]),
            plain, absolute: 1e-3)
        expectClose(
            try tensor(call + ["--guidance-method", "autoguidance", "--guide", latents.path]),
            try tensor(call + ["--guidance", "1"]), absolute: 1e-3)
        let pixels = (0..<48 * 48 * 3).map { UInt8(truncatingIfNeeded: $0 * 37) }
        try Picture(width: 48, height: 48, channels: 3, pixels: pixels)
            .write(to: URL(fileURLWithPath: folder("image.png")))
        let noise = try tensor(
            call + ["--guidance-method", "cfg++", "--inversion", "--image", folder("image.png")],
            named: "latents")
        #expect(noise.shape == plain.shape)
    }

    // MARK: Refusals

    /// Said before anything is loaded or drawn, however long that would take.
    @Test func aClassifierThatKnowsNoNoiseIsRefused() throws {
        let tiny = try TinyModel()
        let short = [
            "training.steps=1", "training.batch_size=8", "training.sample_every=0", "training.threads=1",
        ]
        try folder.made(
            ["train", "recipes/classifier-digits.yaml", "--out", folder("judge")]
                + short.flatMap { ["--set", $0] })
        let call = [
            "sample", tiny.run, "--class", "3", "--steps", "1000", "--count", "1000", "--guidance-method",
            "classifier", "--classifier", folder("judge"), "-o", folder("never.safetensors"),
        ]
        let path = folder("judge/model/model_index.json")
        let whole = try String(contentsOfFile: path, encoding: .utf8)
        let bare = whole.replacing(/,\s*"scheduler"\s*:\s*\[[^\]]*\]/, with: "")
        try #require(bare != whole)
        try bare.write(toFile: path, atomically: true, encoding: .utf8)
        try Program.expectRefused(call, "knows no noise")
        try whole.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.removeItem(atPath: folder("judge/model/scheduler"))
        try Program.expectRefused(call, "scheduler")
        #expect(!FileManager.default.fileExists(atPath: folder("never.safetensors")))
    }

    @Test func whatAMethodDoesNotReadIsRefused() throws {
        let tiny = try TinyModel(classes: true)
        let out = ["-o", folder("never.safetensors")]
        let exact = ["sample", model(), "--steps", "3", "--class", "1"]
        let network = ["sample", tiny.run, "--steps", "3", "--class", "1"]
        let cases: [([String], String)] = [
            (["--guidance-method", "interval", "--guidance", "2"], "--guidance-interval is not given"),
            (["--guidance-interval", "0.1:1", "--guidance", "2"], "--guidance-interval is 0.1:1.0"),
            (["--negative-weight", "0.5", "--guidance", "2"], "--negative-weight is 0.5"),
            (["--guidance-interval", "1:0.1", "--guidance", "2"], "the smaller one first"),
            (["--guidance-method", "autoguidance"], "--guide is not given"),
            (["--guidance-method", "classifier"], "--classifier is not given"),
            (["--guidance-method", "cfg", "--guidance", "2", "--guide", model()], "--guide is 'm.json'"),
            (["--guidance-method", "cfg++", "--solver", "heun"], "--guidance-method is cfg++"),
            (["--guidance-method", "autoguidance", "--guide", model(), "--guidance", "1"], "has no part"),
            (["--churn", "5", "--solver", "ddim"], "--churn is 5.0"),
            (["--churn-range", "0.1:5", "--solver", "heun"], "--churn-range is 0.1:5.0"),
            (["--churn", "-1", "--solver", "heun"], "--churn is -1.0"),
            (["--langevin-steps", "2", "--solver", "ddim"], "--langevin-steps is 2"),
            (["--signal-to-noise", "-1", "--solver", "predictor-corrector"], "--signal-to-noise is -1.0"),
            (["--inversion"], "give --image"), (["--interpolate", "1:2"], "give --count 2"),
            (["--interpolate", "1"], "two whole numbers"),
            (["--interpolate", "1:2", "--count", "2", "--seed", "3"], "--seed"),
        ]
        for (more, words) in cases {
            try Program.expectRefused(exact + more + out, words)
        }
        for (more, words) in [
            (["--guidance-method", "autoguidance", "--guide", model()], "--guide: m.json makes points"),
            (["--guidance-method", "classifier", "--classifier", tiny.run], "is no classifier"),
            (["--guidance-method", "perp-neg", "--guidance", "2"], "--negative-prompt is not given"),
            (["--image", folder("x.png")], "x.png"),
        ] {
            try Program.expectRefused(network + more + out, words)
        }
        try SafetensorsWriter([("samples", Tensor.zeros([3, 2]))]).write(to: folder("data.safetensors"))
        try Program.expectRefused(
            ["generate", "a cat", "--model", tiny.run, "--steps", "3"] + out,
            "not conditioned on a text: use 'langevin sample', which takes no prompt")
        let inverted = exact + ["--inversion", "--image", folder("data.safetensors")]
        try Program.expectRefused(inverted + out, "--count is 1")
        try Program.expectRefused(inverted + ["--count", "3", "--solver", "dpmpp-2m"] + out, "--inversion")
        try Program.expectRefused(inverted + ["--count", "3", "-o", folder("never.png")], "no picture")
        #expect(try folder.names().filter { $0.hasPrefix("never") }.isEmpty)
    }
}
