import Checkpoints
import Diffusers
import Diffusion
import Layers
import Networks
import Pictures
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing

private func largestDifference(_ a: Tensor, _ b: Tensor) throws -> Double {
    try (a - b).magnitude().max().item(Double.self)
}

@Suite struct GenerationTests {
    @Test func pictureOfABatchIsThatPictureAlone() throws {
        let tiny = try TinyStableDiffusion(.eulerAncestral)
        let three = try tiny.latents {
            ($0.count, $0.batchSize) = (3, 2)
        }
        #expect(three.shape == [3, 4, 8, 12])
        for index in 0..<3 {
            let alone = try tiny.latents { $0.seed += UInt64(index) }
            expectClose(three.slice(index..<index + 1, of: 0), alone, ofLargest: 1e-5, "picture \(index)")
        }
    }

    @Test func everyWordOfARequestCounts() throws {
        let tiny = try TinyStableDiffusion()
        let plain = try tiny.latents()
        let changes: [(String, (inout Request) -> Void)] = [
            ("prompt", { $0.prompt = "a dog" }), ("seed", { $0.seed = 12 }),
            ("guidance", { $0.guidance = 3 }), ("negative prompt", { $0.negativePrompt = "a dog" }),
            ("rescale", { $0.guidanceRescale = 0.7 }), ("clip skip", { $0.clipSkip = 1 }),
            ("steps", { $0.steps = 5 }), ("solver", { $0.solver = .euler }),
            ("end", { $0.denoisingEnd = 0.5 }), ("deep features", { $0.deepFeatureInterval = 2 }),
            (
                "weights",
                {
                    ($0.prompt, $0.weighsWords) = ("a (cat:1.5) on a mat", true)
                }
            ),
        ]
        for (name, change) in changes {
            let changed = try tiny.latents(changing: change)
            #expect(try largestDifference(plain, changed) > 1e-3, "\(name) changes nothing")
        }
        // At scale 1 and below the unwanted branch is not evaluated.
        let conditional = try tiny.latents { $0.guidance = 1 }
        let below = try tiny.latents { ($0.guidance, $0.negativePrompt) = (0, "a dog") }
        #expect(try largestDifference(conditional, below) == 0)
        // An empty unwanted prompt is what a model without one is given.
        #expect(try largestDifference(plain, tiny.latents { $0.negativePrompt = "" }) == 0)
        // Weights of 1 are no weights.
        #expect(try largestDifference(plain, tiny.latents { $0.weighsWords = true }) == 0)
    }

    @Test(arguments: [SchedulerClass.ddim, .euler, .uniPC])
    func handOverIsOneRun(kind: SchedulerClass) throws {
        let tiny = try TinyStableDiffusion(kind)
        let whole = try tiny.latents { $0.steps = 6 }
        let first = try tiny.latents { ($0.steps, $0.denoisingEnd) = (6, 0.55) }
        let rest = try tiny.latents {
            ($0.steps, $0.denoisingStart) = (6, 0.55)
            $0.reference = .latents(first)
        }
        #expect(try largestDifference(whole, first) > 1e-2)
        // A method that remembers earlier steps starts anew.
        if kind != .uniPC { expectClose(rest, whole, ofLargest: 1e-5) }
        #expect(try largestDifference(whole, rest) < largestDifference(whole, first))
    }

    // MARK: Pictures as references

    private static let picture: Picture = {
        let pixels = (0..<16 * 24 * 3).map { UInt8(truncatingIfNeeded: $0 * 37) }
        return Picture(width: 24, height: 16, channels: 3, pixels: pixels)
    }()

    /// White on the right half.
    private static let mask = Picture(
        width: 24, height: 16, channels: 1, pixels: (0..<16 * 24).map { $0 % 24 >= 12 ? 255 : 0 })

    @Test func moreStrengthLeavesLessOfThePicture() throws {
        let tiny = try TinyStableDiffusion()
        let model = try tiny.model()
        func distance(_ strength: Double) throws -> Double {
            let request = TinyStableDiffusion.request {
                ($0.reference, $0.strength, $0.steps) = (.picture(Self.picture), strength, 10)
                $0.guidance = 1
            }
            // The same noise throughout, so that the picture's own latents are the run of no steps.
            let latents = try model.run(request).samples()
            return try latents.standardDeviation().item(Double.self)
        }
        let values = try [0.1, 1].map(distance)
        #expect(values[0] != values[1])
        #expect(throws: PipelineError.self) { try distance(0) }
        #expect(throws: PipelineError.self) { try distance(1.5) }
    }

    @Test(arguments: [SchedulerClass.ddim, .eulerAncestral, .heun, .pndm])
    func knownLatentsAreKeptExactly(kind: SchedulerClass) throws {
        let tiny = try TinyStableDiffusion(kind)
        func painted(_ prompt: String) throws -> Tensor {
            try tiny.latents {
                ($0.prompt, $0.reference, $0.mask) = (prompt, .picture(Self.picture), Self.mask)
            }
        }
        let (cat, dog) = (try painted("a cat"), try painted("a dog"))
        let (known, made) = (0..<6, 6..<12)
        #expect(try largestDifference(cat.slice(known, of: 3), dog.slice(known, of: 3)) == 0)
        #expect(try largestDifference(cat.slice(made, of: 3), dog.slice(made, of: 3)) > 1e-3)
    }

    @Test func inpaintingNetworksAreShownThePicture() throws {
        let tiny = try TinyStableDiffusion(inputs: 9)
        func painted(_ picture: Picture) throws -> Tensor {
            try tiny.latents { ($0.reference, $0.mask) = (.picture(picture), Self.mask) }
        }
        let other = Picture(
            width: 24, height: 16, channels: 3, pixels: [UInt8](repeating: 90, count: 16 * 24 * 3))
        #expect(try largestDifference(painted(Self.picture), painted(other)) > 1e-3)
        #expect { try tiny.latents() } throws: { "\($0)".contains("mask") }
    }

    // MARK: Memory

    @Test func smallMemoryChangesNothingThatMatters() throws {
        let tiny = try TinyStableDiffusion()
        let plain = try tiny.latents()
        var sliced = MemoryOptions()
        sliced.attentionSlicing = .heads(1)
        expectClose(try tiny.latents(memory: sliced), plain, ofLargest: 1e-5)
        var small = MemoryOptions()
        small.textEncoders = .int8
        let rough = try tiny.latents(memory: small)
        #expect(try largestDifference(rough, plain) > 0)
        expectClose(rough, plain, ofLargest: 0.1)
        var tiled = MemoryOptions()
        tiled.tilesAutoencoder = true
        let request = TinyStableDiffusion.request { ($0.height, $0.width) = (64, 72) }
        let latents = try tiny.model().run(request).samples()
        let whole = try tiny.model().pictures(of: latents, request)
        let pieces = try tiny.model(memory: tiled).pictures(of: latents, request)
        #expect(whole.shape == [1, 3, 64, 72])
        #expect(try largestDifference(whole, pieces) > 0)
        #expect(try (whole - pieces).magnitude().mean().item(Double.self) < 0.2)
    }

    // MARK: Previews

    @Test func previewsShowEveryStep() throws {
        let tiny = try TinyStableDiffusion()
        func run(channels: Int) throws -> Run {
            var configuration = AutoencoderTinyConfiguration()
            (configuration.encoderBlockOutChannels, configuration.decoderBlockOutChannels) = (
                [8, 8], [8, 8]
            )
            (configuration.numEncoderBlocks, configuration.numDecoderBlocks) = ([1, 1], [1, 1])
            configuration.latentChannels = channels
            let store = ParameterStore(.initialized(RandomGenerator(seed: 4)))
            let network = try store.build { try AutoencoderTiny(configuration, $0) }
            let path = tiny.folder("taesd-\(channels)")
            try network.write(store, to: ModelFolder(path))
            return try tiny.model().run(
                TinyStableDiffusion.request { ($0.count, $0.previewModel) = (2, path) })
        }
        let pictures = try run(channels: 4).map { try #require(try $0.preview()) }
        #expect(pictures.count == 4 && Set(pictures).count == 4)
        #expect { try run(channels: 5) } throws: { "\($0)".contains("5 channels") }
    }

    // MARK: Numbers that are not finite

    @Test func theFirstNumberThatIsNotFiniteIsNamed() throws {
        let broken = "up_blocks.0.resnets.1.conv1"
        let tiny = try TinyStableDiffusion { part, name, tensor in
            part == "unet" && name == broken + ".bias" ? tensor * .nan : tensor
        }
        #expect { try tiny.latents() } throws: { error in
            "\(error)".contains("step 1 of 4") && "\(error)".contains("'\(broken)'")
        }
        let text = try TinyStableDiffusion { part, name, tensor in
            part == "text_encoder" && name.hasSuffix("final_layer_norm.bias") ? tensor + .infinity : tensor
        }
        #expect { try text.latents() } throws: { "\($0)".contains("text_encoder") }
    }

    @Test func autoencodersThatOverflowRunInFloat32() throws {
        // 300,000 is beyond float16, and the norm after it brings it back.
        let tiny = try TinyStableDiffusion { part, name, tensor in
            part == "vae" && name == "decoder.conv_in.weight" ? tensor * 3e6 : tensor
        }
        let request = TinyStableDiffusion.request()
        let run = try tiny.model(.float16).run(request)
        let latents = try run.samples()
        var said: [String] = []
        run.onMessage = { said.append($0.spelled(\.name)) }
        let pictures = try run.pictures()
        #expect(said.count == 1 && said[0].contains("float16 overflows"))
        expectClose(pictures, try tiny.model().pictures(of: latents, request), absolute: 1e-4)
        let hopeless = try TinyStableDiffusion { part, name, tensor in
            part == "vae" && name == "decoder.conv_out.bias" ? tensor * .nan : tensor
        }
        #expect { try hopeless.model().pictures(of: latents, request) } throws: {
            "\($0)".contains("'decoder.conv_out'")
        }
    }

    @Test func halfPrecisionIsNear() throws {
        let tiny = try TinyStableDiffusion()
        // The noise itself is another one in float64, so it is handed over.
        let noise = RandomGenerator(seed: 5).normal([1, 4, 8, 12])
        func latents(_ type: ElementType) throws -> Tensor {
            try tiny.latents(type) { $0.initial = noise }.to(.float64)
        }
        let exact = try latents(.float64)
        expectClose(try latents(.float32), exact, ofLargest: 1e-5)
        expectClose(try latents(.float16), exact, ofLargest: 2e-2)
        expectClose(try latents(.bfloat16), exact, ofLargest: 2e-1)
    }

    // MARK: Refusals

    @Test func whatCannotBeMetIsRefusedInASentence() throws {
        let tiny = try TinyStableDiffusion()
        let model = try tiny.model()
        let wrong: [(String, (inout Request) -> Void)] = [
            ("width is 20: it must be a multiple of 8", { $0.width = 20 }),
            ("height is 0", { $0.height = 0 }), ("steps is 0", { $0.steps = 0 }),
            ("give prompts", { $0.prompt = nil }), ("no classes", { $0.classes = .one(1) }),
            ("mask says", { $0.mask = Self.mask }), ("strength and", { $0.strength = 0.5 }),
            ("clipSkip", { $0.clipSkip = -1 }), ("guidanceRescale", { $0.guidanceRescale = 2 }),
            ("denoisingEnd", { $0.denoisingEnd = 1 }), ("guidance is", { $0.guidance = .nan }),
            (
                "those of 16×16 pixels",
                { $0.initial = .zeros([1, 4, 8, 8]) }
            ),
            ("eta is", { $0.eta = 2 }),
            ("deepFeatureInterval is 0", { $0.deepFeatureInterval = 0 }),
        ]
        for (text, change) in wrong {
            #expect {
                try model.run(TinyStableDiffusion.request(change))
            } throws: {
                "\($0)".contains(text) && !"\($0)".contains("\n")
            }
        }
        #expect { try tiny.latents { $0.clipSkip = 4 } } throws: { "\($0)".contains("allows 0 to 3") }
    }

    @Test(arguments: [
        ("unet", "num_class_embeds", JSONValue.integer(5), "num_class_embeds"),
        ("unet", "class_embed_type", "timestep", "class_embed_type"),
        ("unet", "out_channels", .integer(3), "gives 3 channels"),
        ("unet", "cross_attention_dim", .integer(16), "cross_attention_dim"),
        ("vae", "latent_channels", .integer(8), "latents have 8"),
        ("text_encoder", "vocab_size", .integer(20), "vocab_size"),
    ])
    func partsOfDifferentModelsAreRefused(part: String, key: String, value: JSONValue, words: String) throws {
        // Text encoders run before the networks are built.
        let tiny = try TinyStableDiffusion { name, tensor, values in
            key == "vocab_size" && tensor.hasSuffix("token_embedding.weight")
                ? values.slice(0..<20, of: 0) : values
        }
        let folder = ModelFolder("\(tiny.path)/\(part)")
        var object = try folder.configuration()
        object[key] = value
        try folder.write(object)
        #expect { try tiny.latents() } throws: { "\($0)".contains(words) && !"\($0)".contains("\n") }
    }

    @Test func noiseSaysNothingWhereNoSignalIsLeft() throws {
        let tiny = try TinyStableDiffusion()
        let folder = ModelFolder("\(tiny.path)/scheduler")
        var object = try folder.configuration("scheduler_config.json")
        object["rescale_betas_zero_snr"] = true
        object["timestep_spacing"] = "trailing"
        try folder.write(object, to: "scheduler_config.json")
        #expect { try tiny.model().run(TinyStableDiffusion.request()) } throws: {
            "\($0)".contains("where no signal is left")
        }
    }

    /// Networks on latents of a process that diffusers has no class for.
    @Test(arguments: ["edm", "ve", "vp-sde", "flow", "cosine"])
    func latentsOfProcessesOfAKindAreSampled(kind: String) throws {
        let tiny = try TinyStableDiffusion()
        var object = JSONObject(place: "")
        object["kind"] = .string(kind)
        try ModelFolder("\(tiny.path)/scheduler").write(object, to: "scheduler_config.json")
        for method in [nil, Method.heun, .dpmPlusPlus2M] {
            let run = try tiny.model().run(TinyStableDiffusion.request { $0.solver = method })
            #expect(try run.samples().isFinite().all().item(Bool.self))
            #expect(try run.receipt().scheduler == kind)
        }
        #expect { try tiny.latents { $0.denoisingEnd = 0.5 } } throws: {
            "\($0)".contains("denoisingEnd") && "\($0)".contains(kind)
        }
    }

    @Test func whatIsNotRunIsSaid() throws {
        let tiny = try TinyStableDiffusion()
        var index = try ModelFolder(tiny.path).configuration("model_index.json")
        index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
        try ModelFolder(tiny.path).write(index, to: "model_index.json")
        var said: [String] = []
        let run = try tiny.model().run(TinyStableDiffusion.request())
        run.onMessage = { said.append($0.spelled(\.name)) }
        _ = try run.samples()
        #expect(said.count == 1 && said[0].contains("safety_checker"))
    }

    @Test func cutPromptsAreShown() throws {
        let tiny = try TinyStableDiffusion()
        let request = TinyStableDiffusion.request {
            $0.prompt = String(repeating: "zebra ", count: 80)
        }
        var said: [String] = []
        let run = try tiny.model().run(request)
        run.onMessage = { said.append($0.spelled(\.name)) }
        _ = try run.samples()
        #expect(said.count == 1 && said[0].contains("zebra"))
    }
}
