import Checkpoints
import Diffusion
import Pictures
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing

/// Whatever a request can say changes the receipt.
@Suite struct ReceiptFieldTests {
    private typealias Change = @Sendable (inout Request) throws -> Void

    private static let picture = Picture(
        width: 24, height: 16, channels: 3,
        pixels: (0..<16 * 24 * 3).map { UInt8(truncatingIfNeeded: $0 * 37) })
    private static let mask = Picture(
        width: 24, height: 16, channels: 1, pixels: (0..<16 * 24).map { $0 % 24 >= 12 ? 255 : 0 })

    private static let file = Result { try InputFile(fixturePath("pipelines/sd1.safetensors")) }

    /// A change of every field; `nil` for one that Stable Diffusion 1 does not read.
    private static let changes: [String: Change?] = [
        "prompts": { $0.prompt = "a dog" }, "negativePrompt": { $0.negativePrompt = "a dog" },
        "guidanceRescale": { $0.guidanceRescale = 0.7 }, "clipSkip": { $0.clipSkip = 1 },
        "weighsWords": { $0.weighsWords = true },
        "weightNormalization": { ($0.weighsWords, $0.weightNormalization) = (true, .comfyui) },
        "reference": {
            $0.reference = .picture(picture)
            $0.files["image"] = try file.get()
        },
        "mask": {
            ($0.reference, $0.mask) = (.picture(picture), mask)
            $0.files["mask"] = try file.get()
        },
        "strength": { ($0.reference, $0.strength) = (.picture(picture), 0.5) },
        "denoisingStart": { ($0.reference, $0.denoisingStart) = (.latents(.zeros([1, 4, 8, 12])), 0.5) },
        "denoisingEnd": { $0.denoisingEnd = 0.5 },
        "takesWholeSteps": {
            ($0.solver, $0.denoisingEnd, $0.takesWholeSteps) = (.heun, 0.5, true)
        },
        "background": { ($0.reference, $0.background) = (.picture(picture), .white) },
        "originalSize": nil, "targetSize": nil, "crop": nil, "aestheticScores": nil,
        "rng": { $0.rng = try #require(NoiseGenerator(word: "numpy")) },
        "count": { $0.count = 2 }, "seed": { $0.seed = 99 },
        "steps": { $0.steps = 7 },
        "solver": { $0.solver = .euler }, "grid": { $0.grid = .trailing },
        "eta": { $0.eta = 0.5 }, "guidance": { $0.guidance = 3 }, "classes": nil,
        "churn": { ($0.solver, $0.churn) = (.euler, 5) },
        "churnRange": { ($0.solver, $0.churn, $0.churnRange) = (.euler, 5, 0.1...9) },
        "churnNoise": { ($0.solver, $0.churn, $0.churnNoise) = (.euler, 5, 1.1) },
        "langevinSteps": { ($0.solver, $0.langevinSteps) = (.predictorCorrector, 2) },
        "signalToNoise": { ($0.solver, $0.signalToNoise) = (.predictorCorrector, 0.1) },
        "guidanceMethod": { ($0.guidanceMethod, $0.negativePrompt) = (.perpendicularNegative, "a dog") },
        "negativeWeight": {
            ($0.guidanceMethod, $0.negativePrompt) = (.perpendicularNegative, "a dog")
            $0.negativeWeight = 0.5
        },
        "guidanceInterval": { ($0.guidanceMethod, $0.guidanceInterval) = (.limited, 0.1...9) },
        "guidanceSchedule": { ($0.guidance, $0.guidanceSchedule) = (3, .linear) },
        "inverts": {
            ($0.solver, $0.inverts, $0.reference) = (.ddim, true, .picture(picture))
            $0.files["image"] = try file.get()
        },
        "interpolation": { ($0.count, $0.interpolation) = (2, (1, 2)) },
        // Stable Diffusion reads none of these; unCLIP, upscalers, the depth model and cascades have tests of their own.
        "priorSteps": nil, "priorGuidance": nil, "upscaleSteps": nil, "noiseLevel": nil, "depth": nil,
        "original": nil, "temperature": nil,
        // Commands test networks that control, and prompts of pictures.
        "controls": nil, "guessMode": nil, "imagePrompts": nil,
        "following": nil, "embeddings": nil, "thresholding": nil,
        // Commands test other models that guide.
        "guide": nil, "classifier": nil, "noisyCLIP": nil,
        // A refiner has a test of its own, and previews leave the pictures as they are.
        "refiner": nil, "previewModel": nil,
        "initial": {
            $0.initial = .zeros([1, 4, 8, 12])
            $0.files["initial"] = try file.get()
        },
        "height": { $0.height = 24 }, "width": { $0.width = 32 },
        "deepFeatureInterval": { $0.deepFeatureInterval = 2 },
        "batchSize": { $0.batchSize = 1 },
        "files": { $0.files["initial"] = try file.get() },
    ]

    /// A new field of a request has a change here, or a reason to have none.
    @Test func everyFieldOfARequestChangesTheReceipt() throws {
        let fields = Mirror(reflecting: Request()).children.compactMap(\.label)
        #expect(Set(fields) == Set(Self.changes.keys))
        let tiny = try TinyStableDiffusion()
        let model = try tiny.model()
        func receipt(_ change: Change) throws -> Receipt {
            var request = TinyStableDiffusion.request()
            try change(&request)
            return try model.run(request).receipt()
        }
        let plain = try receipt { _ in }
        #expect(plain.weights.map(\.part) == ["unet", "text_encoder", "vae"])
        for (name, change) in Self.changes {
            guard let change else { continue }
            #expect(try receipt(change) != plain, "\(name)")
        }
        // Without guidance its prompt and its rescaling have no part.
        let bare = try receipt { $0.guidance = 1 }
        let spoken = try receipt {
            ($0.guidance, $0.negativePrompt, $0.guidanceRescale) = (1, "a dog", 0.7)
        }
        #expect(bare == spoken)
    }

    @Test func everyMemoryOptionThatChangesPicturesIsThere() throws {
        let changes: [String: (inout MemoryOptions) -> Void] = [
            "textEncoders": { $0.textEncoders = .int8 }, "network": { $0.network = .int8 },
            "attentionSlicing": { $0.attentionSlicing = .heads(1) },
            "tilesAutoencoder": { $0.tilesAutoencoder = true },
        ]
        let fields = Mirror(reflecting: MemoryOptions()).children.compactMap(\.label)
        #expect(Set(fields) == Set(changes.keys))
        let tiny = try TinyStableDiffusion()
        func receipt(_ memory: MemoryOptions, _ type: ElementType = .float32) throws -> Receipt {
            try tiny.model(type, memory: memory).run(TinyStableDiffusion.request()).receipt()
        }
        let plain = try receipt(MemoryOptions())
        for (name, change) in changes {
            var options = MemoryOptions()
            change(&options)
            #expect(try receipt(options) != plain, "\(name)")
        }
        #expect(try receipt(MemoryOptions(), .bfloat16).vaeDtype == "bfloat16")
    }

    @Test func receiptsReadAsTheyWereWritten() throws {
        let tiny = try TinyStableDiffusion()
        let model = try tiny.model()
        let receipt = try model.run(
            TinyStableDiffusion.request { ($0.denoisingEnd, $0.refiner) = (0.5, model) }
        ).receipt()
        let json = try JSONValue(parsing: receipt.json().utf8, place: "the receipt")
        let object = try #require(JSONObject(json: json))
        #expect(try object.decoded() as Receipt == receipt)
        let refiner = "Refiner: \(model.name) [\(receipt.modelHash.prefix(10))]"
        #expect(receipt.parameters.contains("Model hash: \(receipt.modelHash.prefix(10))"))
        #expect(receipt.parameters.contains(refiner))
        // A name with what separates facts is written as JSON.
        var named = receipt
        named.model = "a, Steps: 3"
        #expect(named.parameters.contains("Model: \"a, Steps: 3\", Eta"))
    }
}
