import Checkpoints
import Diffusion
import Pictures
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing

/// Small models that enlarge pictures, change them by their depths or decode latents by noise: latents and pictures are
/// those of diffusers' pipelines (`Tools/oracle/cascades_upscale.py`).
@Suite struct UpscalingParityTests {
    @Test(arguments: try Fixture.all(in: "upscaling"))
    func `latents and pictures are those of diffusers`(_ fixture: Fixture) throws {
        let folder = try TemporaryFolder()
        try fixture.write("model", to: folder("model"))
        let run = try Model(folder("model")).run(request(fixture))
        expectClose(try run.samples(), try fixture.tensor("latents"), ofLargest: 1e-4)
        let found = try Picture.pictures(of: run.pictures()).flatMap(\.pixels)
        let expected: [UInt8] = try fixture.array("pixels")
        try #require(found.count == expected.count)
        let differences = zip(found, expected).map { abs(Int($0) - Int($1)) }
        #expect(differences.max()! <= 2)
        #expect(Double(differences.reduce(0, +)) / Double(differences.count) <= 0.05)
    }

    private func request(_ fixture: Fixture) throws -> Request {
        let asked = try fixture.case.required("request", as: JSONObject.self)
        var request = Request()
        (request.prompt, request.negativePrompt) = try (asked.optional("prompt"), asked.optional("negative"))
        request.count = try asked.required("count")
        request.seed = UInt64(try asked.required("seed", as: Int.self))
        (request.steps, request.guidance) = try (asked.optional("steps"), asked.optional("guidance"))
        (request.width, request.height) = try (asked.optional("width"), asked.optional("height"))
        (request.strength, request.noiseLevel) = try (
            asked.optional("strength"), asked.optional("noise_level")
        )
        request.eta = try asked.optional("eta")
        request.solver = try asked.optional("solver", as: String.self).map {
            try #require(Method(rawValue: $0))
        }
        let names = fixture.file.names
        if names.contains("depth") { request.depth = try fixture.tensor("depth") }
        if names.contains("image") {
            let shape = try fixture.tensor("image").shape
            request.reference = .picture(
                Picture(
                    width: shape[1], height: shape[0], channels: shape[2], pixels: try fixture.array("image"))
            )
        }
        return request
    }

    /// A decoder that draws gives each picture what it would have alone, whatever the batch.
    @Test func `pictures are decoded by streams of their own`() throws {
        let folder = try TemporaryFolder()
        let fixture = try Fixture("upscaling/consistency-decoder")
        try fixture.write("model", to: folder("model"))
        var request = try request(fixture)
        (request.count, request.steps, request.seed) = (3, 2, 40)
        let all = try Model(folder("model")).run(request).pictures()
        (request.batchSize, request.count, request.seed) = (1, 1, 42)
        let last = try Model(folder("model")).run(request).pictures()
        expectClose(all.slice(2..<3, of: 0), last, absolute: 1e-4)
        request.seed = 41
        #expect(try !Model(folder("model")).run(request).pictures().isIdentical(to: last))
    }
}
