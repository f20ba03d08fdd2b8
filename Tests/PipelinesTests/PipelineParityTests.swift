import Checkpoints
import Diffusion
import Pictures
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing

/// Small checkpoints of every family: the latents and the pictures are those of diffusers' pipelines.
///
/// A fixture of `Tools/oracle/pipelines.py` holds the configurations of a folder, a seed for the weights of each part,
/// a request, and what diffusers gave.
@Suite struct PipelineParityTests {
    @Test(arguments: try Fixture.all(in: "pipelines").filter { !PixelParityTests.isOnPixels($0) })
    func `latents and pictures are those of diffusers`(_ fixture: Fixture) throws {
        let folder = try TemporaryFolder()
        var request = try request(fixture)
        if try fixture.case.optional("refiner", as: JSONObject.self) != nil {
            request.refiner = try model("refiner", of: fixture, in: folder)
        }
        let run = try model("model", of: fixture, in: folder).run(request)
        expectClose(try run.samples(), try fixture.tensor("latents"), ofLargest: 1e-4)
        let pictures = try Picture.pictures(of: run.pictures())
        let expected: [UInt8] = try fixture.array("pixels")
        let found = pictures.flatMap(\.pixels)
        try #require(found.count == expected.count)
        let differences = zip(found, expected).map { abs(Int($0) - Int($1)) }
        #expect(differences.max()! <= 2)
        #expect(Double(differences.reduce(0, +)) / Double(differences.count) <= 0.05)
    }

    // MARK: The folder

    private func model(_ name: String, of fixture: Fixture, in folder: TemporaryFolder) throws
        -> Model
    {
        try fixture.write(name, to: folder(name))
        return try Model(folder(name))
    }

    // MARK: The request

    private func request(_ fixture: Fixture) throws -> Request {
        let asked = try fixture.case.required("request", as: JSONObject.self)
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
        (request.width, request.height) = try (asked.optional("width"), asked.optional("height"))
        request.eta = try asked.optional("eta")
        request.solver = try asked.optional("solver", as: String.self).map {
            try #require(Method(rawValue: $0))
        }
        request.classes = try asked.optional("label", as: Int.self).map { .one($0) }
        let names = fixture.file.names
        if names.contains("initial") { request.initial = try fixture.tensor("initial") }
        if names.contains("image") { request.reference = .picture(try picture(fixture, "image")) }
        if names.contains("mask") { request.mask = try picture(fixture, "mask") }
        return request
    }

    private func size(_ asked: JSONObject, _ key: String) throws -> Request.Size? {
        try asked.optional(key, as: [Int].self).map { .init(height: $0[1], width: $0[0]) }
    }

    private func picture(_ fixture: Fixture, _ name: String) throws -> Picture {
        let shape = try fixture.tensor(name).shape
        return Picture(
            width: shape[1], height: shape[0], channels: shape.count == 3 ? shape[2] : 1,
            pixels: try fixture.array(name))
    }
}
