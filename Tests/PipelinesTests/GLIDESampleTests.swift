import Checkpoints
import Diffusion
import Layers
import Networks
import Pictures
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing
import Tokenizers

/// Samples beside those of the original code's own loops (`Tools/oracle/glide.py`): GLIDE's base under guidance, its upsampler,
/// inpainting, guidance by CLIP, and guided diffusion under a class. Weights are drawn anew.
@Suite struct GLIDESampleTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Weights as the oracle draws them: noise, in the order of the network's parameters.
    private static func weights(_ rows: [JSONObject], seed: Int) throws -> [(String, Tensor)] {
        let draw = RandomGenerator(seed: UInt64(seed))
        return try rows.map { row in
            let noise = draw.normal(Shape(try row.required("shape", as: [Int].self)))
            let (fan, shift) = (
                try row.required("fan", as: Int.self), try row.required("shift", as: Double.self)
            )
            let name: String = try row.required("name")
            return (name, fan > 0 ? noise * 0.7 / Double(fan).squareRoot() : noise * 0.1 + shift)
        }
    }

    /// The model of a case, as the file that the original code would write, with the merges beside it.
    private func model(_ fixture: Fixture, _ name: String = "model") throws -> Model {
        let seed: Int = try fixture.case.required("seed")
        let tensors = try Self.weights(fixture.case.required("parameters"), seed: seed)
        try SafetensorsWriter(tensors).write(to: folder("\(name).safetensors"))
        if let merges: [String] = try fixture.case.optional("merges") {
            let text = "#version: 0.2\n" + merges.map { $0 + "\n" }.joined()
            try Files.write(Array(text.utf8), to: folder("vocab.bpe"))
        }
        return try Model(folder("\(name).safetensors"))
    }

    private func request(_ fixture: Fixture) throws -> Request {
        var request = Request()
        request.prompts = try fixture.case.optional("prompt", as: String.self).map { [$0] }
        request.seed = UInt64(try fixture.case.required("seed", as: Int.self))
        (request.steps, request.guidance) = (
            try fixture.case.optional("steps"), try fixture.case.optional("guidance")
        )
        request.count = 2
        return request
    }

    private func expectSamples(_ model: Model, _ request: Request, _ fixture: Fixture) throws {
        try expectClose(
            model.run(request).samples(), fixture.tensor("samples"), ofLargest: 1e-4, "\(fixture.name)")
    }

    @Test(arguments: ["base", "upsampler", "inpainting"])
    func networksGiveTheOriginalsNumbers(_ name: String) throws {
        let fixture = try Fixture("glide/\(name)")
        _ = try model(fixture)
        let network = try ModelSource(folder("model.safetensors")).build(GLIDEUNet.self, .unet)
        let tokenizer = try GPT2Tokenizer(folder: folder.path, length: network.configuration.textLength)
        let prompts = [try fixture.case.required("prompt", as: String.self), ""]
        var conditions = PromptTokens(tokenizer, length: tokenizer.length).conditions(of: prompts, on: .cpu)
        if name == "upsampler" { conditions[.lowResolution] = try fixture.tensor("low") }
        if name == "inpainting" {
            conditions[.knownPicture] = try fixture.tensor("picture")
            conditions[.mask] = try 1 - fixture.tensor("known")
        }
        let (x, time) = (try fixture.tensor("x"), try fixture.tensor("time"))
        let found = inference { network(x, time: time, conditions, dropout: nil) }
        expectClose(found, try fixture.tensor("output"), ofLargest: 1e-5)
    }

    @Test func theBaseUnderGuidance() throws {
        let fixture = try Fixture("glide/base")
        let (model, request) = (try model(fixture), try request(fixture))
        try expectSamples(model, request, fixture)
        // The guidance of the published notebook is the model's own.
        var plain = request
        plain.guidance = nil
        #expect(try model.run(plain).samples().isIdentical(to: model.run(request).samples()))
    }

    /// 27 steps of DDIM from noise of temperature 0.997, none of which a request needs to say.
    @Test func theUpsampler() throws {
        let fixture = try Fixture("glide/upsampler")
        let model = try model(fixture)
        var request = try request(fixture)
        request.reference = .latents(try fixture.tensor("low"))
        try expectSamples(model, request, fixture)
        var (warmer, settings) = (request, try model.run(request).settings[0])
        warmer.temperature = 1
        #expect(try !model.run(warmer).samples().isIdentical(to: model.run(request).samples()))
        #expect(settings.words.grid == "fast27" && settings.steps == 27)
        request.steps = 5
        settings = try model.run(request).settings[0]
        #expect(settings.words.grid == "linspace" && settings.steps == 5)
    }

    /// A picture of 16×16 pixels in −1 … 1.
    private static func picture(_ tensor: Tensor) throws -> Picture {
        let rows = tensor[0].permuted(1, 2, 0).contiguous()
        let bytes = try ((rows + 1) * 127.5).rounded().array(of: Float.self).map { UInt8($0) }
        return Picture(width: 16, height: 16, channels: tensor.shape[1], pixels: bytes)
    }

    @Test func inpainting() throws {
        let fixture = try Fixture("glide/inpainting")
        let model = try model(fixture)
        var request = try request(fixture)
        let (picture, known) = (try fixture.tensor("picture"), try fixture.tensor("known"))
        request.reference = .picture(try Self.picture(picture))
        request.mask = try Self.picture(1 - known * 2)
        try expectSamples(model, request, fixture)
        let samples = try model.run(request).samples()
        var partly = request
        partly.strength = 0.5
        #expect {
            try model.run(partly)
        } throws: {
            "\($0)".contains("paints its masked part from noise alone")
        }
        expectClose(samples * known, picture.expanded(to: [2, 3, 16, 16]) * known, absolute: 1e-5)
    }

    @Test func guidanceByCLIP() throws {
        let fixture = try Fixture("glide/clip")
        let seed: Int = try fixture.case.required("seed")
        let (model, path) = (try model(fixture), folder("clip"))
        for (offset, part) in ["image", "text"].enumerated() {
            let place = ModelFolder("\(path)/\(part)_encoder")
            try Files.createFolder(place.path)
            let tensors = try Self.weights(fixture.case.required(part), seed: seed + 1 + offset)
            try SafetensorsWriter(tensors).write(to: "\(place.path)/diffusion_pytorch_model.safetensors")
            var object: JSONObject = ["n_embd": 32, "n_head": 2, "n_head_state": 16, "n_xf_blocks": 2]
            object["_class_name"] = part == "image" ? "NoisyCLIPImage" : "NoisyCLIPText"
            if part == "image" { (object["image_size"], object["patch_size"]) = (16, 4) }
            try place.write(object, to: "config.json")
        }
        try Files.createFolder("\(path)/scheduler")
        try ModelFolder("\(path)/scheduler").write(
            ["_class_name": "DDPMScheduler", "beta_schedule": "squaredcos_cap_v2"],
            to: "scheduler_config.json")
        try ModelFolder(path).write(
            [
                "_class_name": "NoisyCLIPPipeline", "image_encoder": ["langevin", "NoisyCLIPImage"],
                "text_encoder": ["langevin", "NoisyCLIPText"], "scheduler": ["diffusers", "DDPMScheduler"],
            ], to: "model_index.json")
        var request = try request(fixture)
        (request.noisyCLIP, request.guidanceMethod) = (try Model(path), .clip)
        try expectSamples(model, request, fixture)
        #expect(try model.run(request).receipt().noisyCLIP?.model == "clip")
        // A scale of 0 is the conditional branch alone.
        request.guidance = 0
        var plain = try self.request(fixture)
        plain.guidance = 1
        request.noisyCLIP = try Model(path)
        #expect {
            try model.run(request)
        } throws: {
            "\($0)".contains("has no part where guidance is 0")
        }
        #expect(try model.run(plain).samples().shape == [2, 3, 16, 16])
    }

    /// Guided diffusion's network of 64 pixels.
    @Test func guidedDiffusionUnderAClass() throws {
        let fixture = try Fixture("glide/adm-64")
        let model = try model(fixture)
        var request = try request(fixture)
        request.classes = .one(try fixture.case.required("label"))
        (request.width, request.height) = (16, 16)
        try expectSamples(model, request, fixture)
    }

    /// The file becomes a folder with its merges and with how it is sampled.
    @Test func theFolderGivesThePicturesOfTheFile() throws {
        let fixture = try Fixture("glide/base")
        let (model, request) = (try model(fixture), try request(fixture))
        let lines = try Conversion().run(folder("model.safetensors"), to: folder("made"))
        #expect(!lines.contains { $0.contains("merges") })
        #expect(Files.exists(folder("made/tokenizer/merges.txt")))
        var plain = request
        plain.guidance = nil
        let found = try Model(folder("made")).run(plain).samples()
        #expect(try found.isIdentical(to: model.run(request).samples()))
        // A second conversion keeps all of it.
        _ = try Conversion().run(folder("made"), to: folder("again"))
        #expect(try Model(folder("again")).run(plain).samples().isIdentical(to: found))
    }
}
