import Diffusion
import Pictures
import Pipelines
import Storage
import TestSupport
import Testing

extension Fixture {
    /// What a fixture of `Tools/oracle/pipelines.py` or `cascades.py` asks for.
    func request() throws -> Request {
        let asked = try self.case.required("request", as: JSONObject.self)
        var request = Request()
        (request.prompt, request.negativePrompt) = try (asked.optional("prompt"), asked.optional("negative"))
        request.guidanceRescale = try asked.optional("rescale") ?? 0
        request.clipSkip = try asked.optional("clip_skip") ?? 0
        (request.strength, request.denoisingEnd) = try (
            asked.optional("strength"), asked.optional("denoising_end")
        )
        (request.originalSize, request.targetSize) = try (size(asked, "original"), size(asked, "target"))
        if let crop = try asked.optional("crop", as: [Int].self) {
            request.crop = (top: crop[1], left: crop[0])
        }
        request.count = try asked.required("count")
        request.seed = UInt64(try asked.required("seed", as: Int.self))
        (request.steps, request.guidance) = try (asked.optional("steps"), asked.optional("guidance"))
        (request.priorSteps, request.priorGuidance, request.upscaleSteps) = try (
            asked.optional("prior_steps"), asked.optional("prior_guidance"), asked.optional("upscale_steps")
        )
        request.noiseLevel = try asked.optional("noise_level")
        if file.names.contains("image_to") { request.embeddings.towards = try picture("image_to") }
        if let texts = try asked.optional("text_diff", as: [String].self) {
            request.embeddings.difference = .init(
                from: texts[0], to: texts[1], share: try asked.optional("text_diff_share"))
        }
        (request.width, request.height) = try (asked.optional("width"), asked.optional("height"))
        request.eta = try asked.optional("eta")
        request.solver = try asked.optional("solver", as: String.self).map {
            try #require(Method(rawValue: $0))
        }
        request.classes = try asked.optional("label", as: Int.self).map { .one($0) }
        if file.names.contains("initial") { request.initial = try tensor("initial") }
        if file.names.contains("image") { request.reference = .picture(try picture("image")) }
        if file.names.contains("mask") { request.mask = try picture("mask") }
        return request
    }

    private func size(_ asked: JSONObject, _ key: String) throws -> Request.Size? {
        try asked.optional(key, as: [Int].self).map { .init(height: $0[1], width: $0[0]) }
    }

    private func picture(_ name: String) throws -> Picture {
        let shape = try tensor(name).shape
        return Picture(
            width: shape[1], height: shape[0], channels: shape.count == 3 ? shape[2] : 1,
            pixels: try array(name))
    }

    /// Expects the latents and the pixels of a run that are those of the fixture.
    func expectSame(_ run: Run) throws {
        expectClose(try run.samples(), try tensor("latents"), ofLargest: 1e-4)
        let found = try Picture.pictures(of: run.pictures()).flatMap(\.pixels)
        let expected: [UInt8] = try array("pixels")
        try #require(found.count == expected.count)
        let differences = zip(found, expected).map { abs(Int($0) - Int($1)) }
        #expect(differences.max()! <= 2)
        #expect(Double(differences.reduce(0, +)) / Double(differences.count) <= 0.05)
    }
}
