import Checkpoints
import Foundation
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

/// Pictures carry what they were made with: all of it, and nothing that had no part in them.
@Suite struct ReceiptTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    // MARK: Every option

    /// What a receipt has for an option: its keys there.
    private static let recorded: [String: [String]] = [
        "model": ["model", "model_hash", "weights", "configuration_hash"], "prompt": ["prompt"],
        "prompts": ["prompts"],
        "class": ["classes"], "count": ["count"], "grid": ["grid"], "initial": ["initial"],
        "width": ["width"],
        "height": ["height"], "batch-size": ["batch_size"], "reuse-deep": ["deep_feature_interval"],
        "seed": ["seed"], "steps": ["steps"], "solver": ["solver"], "eta": ["eta"], "guidance": ["guidance"],
        "device": ["device"], "dtype": ["dtype"], "threads": ["threads"],
        "negative-prompt": ["negative_prompt"], "guidance-rescale": ["guidance_rescale"],
        "negative-weight": ["negative_weight"], "prior-steps": ["prior_steps"],
        "prior-guidance": ["prior_guidance"], "upscale-steps": ["upscale_steps"],
        "prior": ["prior", "weights"], "embedding": ["embedding", "embeddings"],
        "prior-candidates": ["prior_candidates"], "image-to": ["image_to"], "text-diff": ["text_diff"],
        "text-diff-share": ["text_diff"], "threshold": ["threshold"],
        "clip-skip": ["clip_skip"], "prompt-weights": ["prompt_weights"], "image": ["image"],
        "strength": ["strength"], "mask": ["mask"], "denoising-start": ["denoising_start"],
        "denoising-end": ["denoising_end"], "refiner": ["refiner", "weights"],
        "original-size": ["original_size"], "target-size": ["target_size"], "crop": ["crop"],
        "aesthetic-score": ["aesthetic_score"], "text-encoder-int8": ["text_encoder_matrices"],
        "network-int8": ["network_matrices"], "network-bf16x3": ["network_matrices"],
        "vae-tiling": ["vae_tiling"], "attention-slicing": ["attention_slicing"], "config": ["config"],
        "variant": ["weights"], "prediction": ["prediction"], "background": ["background"],
        "whole-steps": ["whole_steps"], "guidance-method": ["guidance_method"],
        "original": ["original"], "guidance-schedule": ["guidance_schedule"],
        "guidance-interval": ["guidance_interval"], "guide": ["guide", "weights"],
        "classifier": ["classifier", "weights"], "churn": ["churn"], "churn-range": ["churn_range"],
        "churn-noise": ["churn_noise"], "langevin-steps": ["langevin_steps"],
        "then": ["then", "weights"], "truncated": ["then"], "stage-option": ["then"],
        "noise-level": ["noise_level"], "depth": ["depth"], "vae": ["weights"],
        "signal-to-noise": ["signal_to_noise"], "inversion": ["inversion"], "interpolate": ["interpolation"],
        "rng": ["rng"], "lora": ["loras"], "lora-folder": ["loras"], "lora-live": ["lora_live"],
        "weight-normalization": ["weight_normalization"],
        "controlnet": ["controls", "weights"], "control": ["controls"],
        "control-scale": ["controls"], "control-start": ["controls"], "control-end": ["controls"],
        "control-option": ["controls"], "adapter": ["controls", "weights"], "adapter-option": ["controls"],
        "guess-mode": ["guess_mode"], "ip-adapter": ["ip_adapters"], "ip-image": ["ip_adapters"],
        "ip-adapter-option": ["ip_adapters"], "ip-encoder": ["weights"],
        "temperature": ["temperature"], "noisy-clip": ["noisy_clip", "weights"],
    ]

    /// Options that no picture depends on.
    private static let harmless: Set = [
        "output", "json", "version", "help", "trajectory", "preview", "preview-model", "strict", "pairs",
        "replay", "any-model",
        // Whatever they lead to, its weights are in the receipt.
        "revision", "offline",
    ]

    /// A new option must be in the receipt, or on the list of those that change nothing.
    @Test func everyOptionIsRecordedOrChangesNothing() throws {
        var known: Set<String> = []
        for command in ["sample", "generate"] {
            let names = try optionNames(of: command)
            #expect(names.count > 20)
            for name in names {
                #expect(
                    (Self.recorded[name] != nil) != Self.harmless.contains(name),
                    "\(command) --\(name) is neither in the receipt nor among the options that change nothing, or both"
                )
            }
            known.formUnion(names)
        }
        #expect(known == Self.harmless.union(Self.recorded.keys), "an option that is gone is on a list")
    }

    /// The long names of a command's options and arguments, from the program's own description of itself.
    private func optionNames(of command: String) throws -> [String] {
        let help = try Program.run("--experimental-dump-help").json()
        let root = try #require(help["command"] as? [String: Any])
        let commands = try #require(root["subcommands"] as? [[String: Any]])
        let own = try #require(commands.first { $0["commandName"] as? String == command })
        return try #require(own["arguments"] as? [[String: Any]]).map { option in
            let names = option["names"] as? [[String: String]] ?? []
            let long = names.first { $0["kind"] == "long" }?["name"]
            return try #require(long ?? option["valueName"] as? String)
        }
    }

    /// Each of them, given to the program: what the receipt says is what was asked for.
    @Test func whatIsAskedForIsInTheReceipt() throws {
        let (pixels, latents) = (try TinyModel(classes: true), try FixtureModel(of: "sd1", in: folder))
        let (base, refiner) = (
            try FixtureModel(of: "hand-over", in: folder),
            try FixtureModel("refiner", of: "hand-over", in: folder)
        )
        let files = try inputs()
        let small = ["--width", "48", "--height", "48", "--solver", "ddim", "--steps", "4"]
        var given: Set<String> = ["model", "prompt"]
        @discardableResult
        func expect(_ arguments: [String], _ expected: JSONObject, line: Int = #line) throws -> JSONObject {
            let receipt = try folder.receipt(arguments)
            try expectReplay(arguments, line)
            for key in expected.keys {
                #expect(receipt[key] == expected[key], "\(key), line \(line)")
            }
            let options = arguments.filter { $0.hasPrefix("--") }.map { String($0.dropFirst(2)) }
            for key in options.flatMap({ Self.recorded[$0] ?? [] }) where key != "network_matrices" {
                #expect(receipt[key] != nil, "\(key), line \(line)")
            }
            given.formUnion(options)
            return receipt
        }
        try expect(
            [
                "sample", pixels.run, "--class", "3", "--count", "2", "--grid", "trailing", "--width", "16",
                "--height", "24", "--batch-size", "1", "--reuse-deep", "2", "--seed", "7", "--steps", "5",
                "--solver", "ddim", "--eta", "0.5", "--guidance", "1.5", "--dtype", "float64", "--threads",
                "1",
                "--device", "cpu", "--prediction", "data",
            ],
            [
                "classes": [3, 3], "count": 2, "grid": "trailing", "width": 16, "height": 24, "batch_size": 1,
                "deep_feature_interval": 2, "seed": 7, "steps": 5, "solver": "ddim", "eta": 0.5,
                "guidance": 1.5, "dtype": "float64", "threads": 1, "device": "cpu", "model": "run",
                "scheduler": "DDIMScheduler", "prediction": "data",
            ])
        try expect(
            ["sample", pixels.run, "--initial", files.initial, "--steps", "2", "--rng", "nv"],
            ["initial": named("initial.safetensors"), "solver": "ddim", "steps": 2, "rng": "nv"])
        try expectGuidance(of: pixels, expect)
        // Noise is no picture, and has a test of its own; a file of prompts has one, too (TextPictureModelTests).
        given.formUnion(["inversion", "prompts"])
        // So have control networks (ControlNetCommandTests), prompts of pictures (IPAdapterCommandTests), cascades (and what they begin with), unCLIP, depths and other
        // autoencoders (CascadeCommandTests, UnCLIPCommandTests,
        // EmbeddingCommandTests, UpscaleCommandTests).
        given.formUnion([
            "then", "truncated", "stage-option", "noise-level", "noisy-clip", "prior-steps", "prior-guidance",
            "upscale-steps", "prior", "embedding", "prior-candidates", "image-to", "text-diff",
            "text-diff-share", "threshold",
            "depth", "vae", "lora", "lora-folder", "lora-live", "original", "controlnet", "control",
            "control-scale", "control-start", "control-end", "control-option", "guess-mode", "adapter",
            "adapter-option", "ip-adapter", "ip-image", "ip-adapter-option", "ip-encoder",
        ])
        let prompt = ["generate", "a (cat:1.5) on a mat", "--model", latents.path] + small
        try expect(
            prompt + [
                "--negative-prompt", "a dog", "--prompt-weights", "--clip-skip", "1", "--guidance", "3",
                "--guidance-rescale", "0.5", "--eta", "1", "--text-encoder-int8", "--network-int8",
                "--vae-tiling", "--attention-slicing", "1", "--denoising-end", "0.4",
                "--weight-normalization", "comfyui",
            ],
            [
                "prompt": "a (cat:1.5) on a mat", "negative_prompt": "a dog", "prompt_weights": true,
                "weight_normalization": "comfyui",
                "clip_skip": 1, "guidance": 3, "guidance_rescale": 0.5, "eta": 1,
                "text_encoder_matrices": "int8", "network_matrices": "int8", "vae_tiling": true,
                "attention_slicing": "1", "denoising_end": 0.4, "steps": 4, "dtype": "float32",
                "vae_dtype": "float32",
            ])
        try expect(
            prompt + [
                "--guidance-method", "perp-neg", "--guidance", "3", "--negative-prompt", "a dog",
                "--negative-weight", "0.5",
            ], ["guidance_method": "perp-neg", "negative_weight": 0.5, "negative_prompt": "a dog"])
        let split = try expect(
            prompt + ["--image", files.image, "--mask", files.mask, "--strength", "0.5", "--network-bf16x3"],
            [
                "image": named("image.png"), "mask": named("mask.png"), "strength": 0.5, "steps": 4,
            ])
        // Other processors than those with AMX multiply as ever.
        #expect(split["network_matrices"] == (Kernels.multipliesSplit ? "bf16x3" : nil) as JSONValue?)
        let start = ["generate", "a cat", "--model", latents.path, "--solver", "ddim", "--steps", "4"]
        try folder.made(
            start + [
                "--width", "48", "--height", "48", "--denoising-end", "0.4", "-o", folder("l.safetensors"),
            ])
        try expect(
            start + ["--image", folder("l.safetensors"), "--denoising-start", "0.4"],
            ["image": named("l.safetensors"), "denoising_start": 0.4, "steps": 4])
        try expect(
            [
                "generate", "a cat", "--model", latents.path, "--solver", "heun", "--steps", "4", "--width",
                "48",
                "--height", "48", "--denoising-end", "0.5", "--whole-steps",
            ],
            ["denoising_end": 0.5, "whole_steps": true])
        try Picture(width: 24, height: 24, channels: 4, pixels: [UInt8](repeating: 128, count: 24 * 24 * 4))
            .write(to: URL(fileURLWithPath: folder("clear.png")))
        try expect(
            start + ["--image", folder("clear.png"), "--background", "navy"],
            ["image": named("clear.png"), "background": "#000080"])
        let handOver = try folder.receipt(
            ["generate", "a cat", "--model", base.path, "--refiner", refiner.path] + small + [
                "--original-size", "64x32", "--target-size", "80x40", "--crop", "2,3", "--aesthetic-score",
                "7",
                "--denoising-end", "0.5", "--guidance", "2",
            ])
        given.formUnion(["refiner", "original-size", "target-size", "crop", "aesthetic-score"])
        #expect(handOver["original_size"] == ["height": 32, "width": 64])
        #expect(handOver["target_size"] == ["height": 40, "width": 80])
        #expect(handOver["crop"] == ["left": 2, "top": 3])
        #expect(handOver["aesthetic_score"] == 7 && handOver["denoising_end"] == 0.5)
        try expectBothModels(handOver, base, refiner)
        try latents.asFile(folder("one.safetensors"))
        try expect(
            ["generate", "a cat", "--model", folder("one.safetensors"), "--config", latents.path] + small,
            [
                "model": "one", "config": "sd1-model",
                "model_hash": .string(fileDigest(folder("one.safetensors"))),
            ])
        // The next test is about variants.
        #expect(given.union(["variant"]).isSuperset(of: Self.recorded.keys))
    }

    /// The picture of a call is made again from its receipt, with nothing else but where models and files are.
    private func expectReplay(_ arguments: [String], _ line: Int) throws {
        let places = [
            "--model", "--image", "--mask", "--depth", "--initial", "--refiner", "--guide", "--classifier",
            "--config",
        ]
        var words = ["generate", "--replay", folder("made.png"), "--json"]
        if arguments[0] == "sample" { words += ["--model", arguments[1]] }
        for (option, value) in zip(arguments, arguments.dropFirst()) where places.contains(option) {
            words += [option, value]
        }
        let outcome = try folder.made(words)
        #expect(try outcome.json()["difference"] as? Int == 0, "line \(line)")
    }

    private func expectGuidance(
        of pixels: TinyModel, _ expect: ([String], JSONObject, Int) throws -> JSONObject
    ) throws {
        let call = ["sample", pixels.run, "--class", "3", "--steps", "3"]
        _ = try expect(
            call + [
                "--guidance-method", "interval", "--guidance", "2", "--guidance-interval", "0.1:5",
                "--guidance-rescale", "0.5",
            ],
            [
                "guidance_method": "interval", "guidance_interval": "0.1:5.0", "guidance": 2,
                "guidance_rescale": 0.5,
            ], #line)
        _ = try expect(
            call + ["--guidance", "2", "--guidance-schedule", "linear"],
            ["guidance_schedule": "linear", "guidance": 2], #line)
        let other = try TinyModel(classes: true, schedule: "scaled_linear")
        let digest = JSONValue.string(fileDigest(other.model + "/unet/diffusion_pytorch_model.safetensors"))
        let guided = try expect(
            call + ["--guidance-method", "autoguidance", "--guide", other.run],
            ["guidance_method": "autoguidance", "guidance": 2], #line)
        #expect(try guided.required("guide", as: JSONObject.self)["model_hash"] == digest)
        #expect(try guided.required("weights", as: [JSONObject].self).map { $0["sha256"] }.contains(digest))
        try TinyClassifier.write(like: TinyModel(), to: folder("classifier"))
        let classified = try expect(
            call + ["--guidance-method", "classifier", "--classifier", folder("classifier")],
            ["guidance_method": "classifier", "guidance": 1, "classes": [3]], #line)
        #expect(try classified.required("classifier", as: JSONObject.self)["model"] == "classifier")
        _ = try expect(
            call + ["--solver", "heun", "--churn", "5", "--churn-range", "0.1:9", "--churn-noise", "1.01"],
            ["churn": 5, "churn_range": "0.1:9.0", "churn_noise": 1.01], #line)
        _ = try expect(
            call + [
                "--solver", "predictor-corrector", "--langevin-steps", "2", "--signal-to-noise", "0.1",
            ], ["langevin_steps": 2, "signal_to_noise": 0.1], #line)
        _ = try expect(call + ["--temperature", "0.5"], ["temperature": 0.5], #line)
        _ = try expect(
            call + ["--interpolate", "1:9", "--count", "3"],
            ["interpolation": ["first": 1, "last": 9, "weights": [0, 0.5, 1]], "seed": 1, "count": 3], #line)
    }

    private func expectBothModels(_ receipt: JSONObject, _ base: FixtureModel, _ refiner: FixtureModel) throws
    {
        #expect(receipt["model"] == "hand-over-model")
        let second = try receipt.required("refiner", as: JSONObject.self)
        let file = "unet/diffusion_pytorch_model.safetensors"
        #expect(receipt["model_hash"] == .string(fileDigest("\(base.path)/\(file)")))
        #expect(second["model"] == "hand-over-refiner" && second["start"] == 0.5)
        #expect(second["model_hash"] == .string(fileDigest("\(refiner.path)/\(file)")))
        // The first one's autoencoder is not loaded.
        let parts = try receipt.required("weights", as: [JSONObject].self).map {
            try "\($0.required("model", as: String.self)) \($0.required("part", as: String.self))"
        }
        #expect(
            parts == ["unet", "text_encoder", "text_encoder_2"].map { "hand-over-model \($0)" }
                + ["unet", "text_encoder_2", "vae"].map { "hand-over-refiner \($0)" })
    }

    // MARK: Options without a part

    @Test func optionsThatWouldChangeNothingAreRefused() throws {
        let pixels = try TinyModel()
        let latents = try FixtureModel(of: "sd1", in: folder)
        let third = try FixtureModel(of: "sd3-no-t5", in: folder)
        let base = try FixtureModel(of: "hand-over", in: folder)
        try latents.asFile(folder("one.safetensors"))
        let out = ["-o", folder("never.png")]
        for solver in [
            "ddpm", "plms", "heun", "lms", "dpmpp-2m", "dpmpp-2m-sde", "dpm-single", "dpmpp-single", "unipc",
            "deis", "sa-solver",
        ] {
            try Program.expectRefused(
                ["sample", pixels.run, "--steps", "10", "--solver", solver, "--eta", "0.5"] + out,
                "--eta is 0.5")
        }
        let analytic = try folder.write(
            "m.json",
            """
            {"kind": "gaussian-mixture", "weights": [1], "means": [[0, 0]], "covariances": [[[1, 0], [0, 1]]],
             "schedule": {"kind": "flow", "shift": 2}, "prediction": "flow"}
            """)
        let tensor = ["-o", folder("never.safetensors")]
        try Program.expectRefused(
            ["sample", "analytic:\(analytic)", "--solver", "rk45", "--eta", "0"] + tensor, "--eta is 0.0")
        try Program.expectRefused(
            ["sample", "analytic:\(analytic)", "--reuse-deep", "2"] + tensor, "--reuse-deep")
        for (model, more, words) in [
            (latents.path, ["--guidance", "1", "--guidance-rescale", "0.5"], "--guidance-rescale"),
            (latents.path, ["--guidance", "0", "--guidance-rescale", "0.5"], "--guidance-rescale"),
            (latents.path, ["--crop", "1,2"], "--crop"),
            (latents.path, ["--original-size", "64x64"], "--original-size"),
            (latents.path, ["--target-size", "64x64"], "--target-size"),
            (latents.path, ["--aesthetic-score", "6"], "--aesthetic-score"),
            (base.path, ["--aesthetic-score", "6"], "--aesthetic-score"),
            (latents.path, ["--network-bf16x3", "--dtype", "bfloat16"], "--network-bf16x3"),
            (latents.path, ["--preview-model", "taesd"], "--preview-model"),
            (latents.path, ["--solver", "unipc", "--eta", "1"], "--eta is 1.0"),
            (third.path, ["--attention-slicing", "1"], "--attention-slicing"),
            (folder("one.safetensors"), ["--variant", "fp16", "--config", latents.path], "--variant"),
        ] {
            try Program.expectRefused(
                ["generate", "a cat", "--model", model, "--steps", "2"] + more + out, words)
        }
        var index = try ModelFolder(third.path).configuration("model_index.json")
        (index["text_encoder"], index["text_encoder_2"]) = ([.null, .null], [.null, .null])
        try ModelFolder(third.path).write(index, to: "model_index.json")
        try Program.expectRefused(
            ["generate", "a cat", "--model", third.path, "--clip-skip", "1"] + out, "--clip-skip")
        #expect(try folder.names().filter { $0.hasPrefix("never") }.isEmpty)
    }

    /// At 1 and below the conditional branch is the whole of it, for pixels as for latents.
    @Test func guidanceOfZeroIsTheConditionalBranch() throws {
        let (classes, plain) = (try TinyModel(classes: true), try TinyModel())
        let latents = try FixtureModel(of: "sd1", in: folder)
        let calls = [
            ["sample", classes.run, "--class", "3", "--steps", "3"], ["sample", plain.run, "--steps", "3"],
            [
                "generate", "a cat", "--model", latents.path, "--steps", "3", "--solver", "ddim", "--width",
                "48",
                "--height", "48",
            ],
        ]
        func samples(_ call: [String]) throws -> Tensor {
            try folder.made(call + ["-o", folder("x.safetensors")])
            return try SafetensorsFile(path: folder("x.safetensors"), storage: .copied).tensor(
                named: "samples")
        }
        for call in calls {
            let one = try samples(call + ["--guidance", "1"])
            for scale in ["0", "0.5"] {
                #expect(
                    try samples(call + ["--guidance", scale]).isIdentical(to: one), "\(call[1]) \(scale)")
            }
        }
        #expect(try !samples(calls[0] + ["--guidance", "3"]).isIdentical(to: samples(calls[0])))
        // A prompt without a part is said and not recorded.
        let outcome = try folder.made(
            calls[2] + ["--guidance", "1", "--negative-prompt", "dog", "-o", folder("n.png")])
        #expect(outcome.messages.contains("--negative-prompt has no part"))
        let texts = try Picture.texts(of: URL(fileURLWithPath: folder("n.png")))
        #expect(texts.allSatisfy { !$0.text.contains("dog") })
    }

    /// η as it was: the solver's own where none is given, and that of no other.
    @Test func etaIsTheSolversOwn() throws {
        let tiny = try TinyModel()
        for (solver, eta) in [("ddim", 0), ("euler-a", 1), ("dpm2-a", 1), ("heun", 0)]
            as [(String, JSONValue)]
        {
            let receipt = try folder.receipt(["sample", tiny.run, "--steps", "3", "--solver", solver])
            #expect(receipt["eta"] == eta, "\(solver)")
        }
    }

    private func named(_ name: String) -> JSONValue {
        ["name": .string(name), "sha256": .string(fileDigest(folder(name)))]
    }

    /// A picture, a mask of its right half, and a start for pixels.
    private func inputs() throws -> (image: String, mask: String, initial: String) {
        let pixels = (0..<48 * 48 * 3).map { UInt8(truncatingIfNeeded: $0 * 37) }
        try Picture(width: 48, height: 48, channels: 3, pixels: pixels)
            .write(to: URL(fileURLWithPath: folder("image.png")))
        let half = (0..<48 * 48).map { $0 % 48 >= 24 ? UInt8(255) : 0 }
        try Picture(width: 48, height: 48, channels: 1, pixels: half)
            .write(to: URL(fileURLWithPath: folder("mask.png")))
        try SafetensorsWriter([("latents", RandomGenerator(seed: 1).normal([1, 1, 8, 8]))])
            .write(to: folder("initial.safetensors"))
        return (folder("image.png"), folder("mask.png"), folder("initial.safetensors"))
    }
}
