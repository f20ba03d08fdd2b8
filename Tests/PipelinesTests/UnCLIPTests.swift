import Checkpoints
import Diffusion
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing

/// unCLIP of several networks: pictures are those of diffusers' pipelines on the small folders of
/// `Tools/oracle/cascades_unclip.py`.
@Suite struct UnCLIPTests {
    @Test(arguments: try Fixture.all(in: "unclip-pipelines"))
    func `latents and pictures are those of diffusers`(_ fixture: Fixture) throws {
        let folder = try TemporaryFolder()
        try fixture.write("model", to: folder("model"))
        try fixture.expectSame(Model(folder("model")).run(fixture.request()))
    }

    /// A picture of a call is what it is alone, in batches of any size: every stage draws on from its stream.
    @Test func `batches of stages change nothing`() throws {
        let fixture = try Fixture("unclip-pipelines/karlo")
        let folder = try TemporaryFolder()
        try fixture.write("model", to: folder("model"))
        let model = try Model(folder("model"))
        var request = try fixture.request()
        request.count = 3
        let together = try model.run(request).samples()
        request.batchSize = 2
        expectClose(try model.run(request).samples(), together, ofLargest: 1e-4)
        (request.count, request.seed) = (1, request.seed + 2)
        expectClose(try model.run(request).samples(), together.slice(2..<3, of: 0), ofLargest: 1e-4)
    }

    @Test func `the receipt has the numbers of every stage`() throws {
        let fixture = try Fixture("unclip-pipelines/karlo")
        let folder = try TemporaryFolder()
        try fixture.write("model", to: folder("model"))
        var request = try fixture.request()
        (request.priorSteps, request.priorGuidance, request.upscaleSteps) = (3, 2, 4)
        (request.steps, request.guidance, request.count) = (2, 5, 1)
        let receipt = try Model(folder("model")).run(request).receipt()
        #expect(receipt.steps == 2 && receipt.guidance == 5)
        #expect(receipt.priorSteps == 3 && receipt.priorGuidance == 2 && receipt.upscaleSteps == 4)
        let parts = Set(receipt.weights.compactMap(\.part))
        #expect(
            parts == ["decoder", "prior", "text_encoder", "text_proj", "super_res_first", "super_res_last"])
        #expect(receipt.weights[0].part == "decoder")
    }

    // MARK: What does not fit

    private func refusal(_ fixture: String, _ change: (inout Request) -> Void) throws -> String {
        let fixture = try Fixture("unclip-pipelines/\(fixture)")
        let folder = try TemporaryFolder()
        try fixture.write("model", to: folder("model"))
        var request = try fixture.request()
        change(&request)
        let error = #expect(throws: (any Error).self) { try Model(folder("model")).run(request) }
        return "\(try #require(error))"
    }

    @Test func `what unCLIP does not read is refused by its name`() throws {
        #expect(try refusal("karlo") { $0.negativePrompt = "fog" }.hasPrefix("negativePrompt"))
        #expect(try refusal("karlo") { $0.eta = 0.5 }.hasPrefix("eta"))
        #expect(try refusal("karlo") { $0.solver = .ddim }.hasPrefix("solver"))
        #expect(try refusal("karlo") { $0.upscaleSteps = 1 }.hasPrefix("upscaleSteps is 1"))
        #expect(try refusal("karlo-variations") { $0.reference = nil }.contains("reference"))
        #expect(try refusal("karlo-variations") { $0.priorSteps = 3 }.hasPrefix("priorSteps"))
        #expect(try refusal("stable-unclip") { $0.upscaleSteps = 3 }.hasPrefix("upscaleSteps"))
        #expect(try refusal("stable-unclip-picture") { $0.strength = 0.5 }.hasPrefix("strength"))
        #expect(try refusal("stable-unclip-picture") { $0.noiseLevel = 5000 }.hasPrefix("noiseLevel is 5000"))
    }

    @Test(arguments: [
        ("karlo", "prior", "embedding_dim", "clip_embeddings_dim"),
        ("karlo", "text_proj", "cross_attention_dim", "cross_attention_dim"),
        ("karlo", "super_res_last", "in_channels", "super_res_last"),
        ("stable-unclip-picture", "image_normalizer", "embedding_dim", "image_normalizer"),
    ])
    func `parts of different models are refused`(name: String, part: String, key: String, said: String) throws
    {
        let fixture = try Fixture("unclip-pipelines/\(name)")
        let folder = try TemporaryFolder()
        try fixture.write("model", to: folder("model"))
        let place = ModelFolder(folder("model/\(part)"))
        var object = try place.configuration()
        object[key] = .integer(try object.required(key, as: Int.self) + 2)
        try place.write(object, to: "config.json")
        let error = #expect(throws: (any Error).self) {
            try Model(folder("model")).run(fixture.request())
        }
        #expect("\(try #require(error))".contains(said))
    }

    /// Counts come from configurations alone.
    @Test func `inspection counts every part`() throws {
        let fixture = try Fixture("unclip-pipelines/karlo")
        let folder = try TemporaryFolder()
        try fixture.write("model", to: folder("model"))
        guard case .model(let model) = try Inspection(folder("model")) else {
            Issue.record("it is no model")
            return
        }
        #expect(model.family == "unclip")
        for part in ["prior", "decoder", "text_proj", "text_encoder", "super_res_first", "super_res_last"] {
            let weights = try ModelFolder(folder("model/\(part)")).weights()
            let count = weights.names.reduce(0) { $0 + (weights.shape(of: $1)?.elementCount ?? 0) }
            #expect(model.components[part]?.parameters == count, "\(part)")
        }
    }
}
