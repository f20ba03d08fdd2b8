import Checkpoints
import Diffusion
import Pictures
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing

/// DeepFloyd IF on small folders: what it draws, changes and enlarges is what diffusers' pipelines give.
///
/// A fixture of `Tools/oracle/cascades_imagen.py` holds the configurations of the stages, seeds for their weights, a request, and
/// the pictures as they leave the last stage.
@Suite struct DeepFloydTests {
    @Test(arguments: try Fixture.all(in: "deepfloyd"))
    func `pictures are those of diffusers`(_ fixture: Fixture) throws {
        let folder = try TemporaryFolder()
        let run = try model("model", of: fixture, in: folder).run(request(fixture, in: folder))
        expectClose(try run.samples(), try fixture.tensor("latents"), ofLargest: 1e-4)
        let found = try Picture.pictures(of: run.pictures()).flatMap(\.pixels)
        let expected: [UInt8] = try fixture.array("pixels")
        try #require(found.count == expected.count)
        let differences = zip(found, expected).map { abs(Int($0) - Int($1)) }
        #expect(differences.max()! <= 2)
        #expect(Double(differences.reduce(0, +)) / Double(differences.count) <= 0.05)
    }

    /// A picture of several is that picture alone, through all stages.
    @Test func `pictures do not depend on their companions`() throws {
        let (fixture, folder) = (try Fixture("deepfloyd/if-cascade-3"), try TemporaryFolder())
        let model = try model("model", of: fixture, in: folder)
        var request = try request(fixture, in: folder)
        (request.count, request.seed) = (3, 5)
        let all = try model.run(request).samples()
        request.batchSize = 2
        expectClose(try model.run(request).samples(), all, ofLargest: 1e-5)
        (request.count, request.seed, request.batchSize) = (1, 7, nil)
        expectClose(try model.run(request).samples(), all.slice(2..<3, of: 0), ofLargest: 1e-5)
    }

    /// Each stage's weights go before those of the next come, whose digests are in the receipt.
    @Test func `a receipt names every stage`() throws {
        let (fixture, folder) = (try Fixture("deepfloyd/if-cascade-3"), try TemporaryFolder())
        let request = try request(fixture, in: folder)
        let run = try model("model", of: fixture, in: folder).run(request)
        let receipt = try run.receipt()
        let then = try #require(receipt.then)
        #expect(then.map(\.model) == ["then-1", "then-2"])
        let levels = request.following.map { $0.noiseLevel ?? 250 }
        #expect(then.map(\.noiseLevel) == levels)
        #expect(receipt.noiseLevel == nil)
        let models = Set(receipt.weights.map(\.model))
        #expect(models.count == 3 && models.isSuperset(of: ["then-1", "then-2"]))
        let size = try fixture.tensor("pixels").shape
        #expect((receipt.height, receipt.width) == (size[1], size[2]))
    }

    @Test func `noise level, prompt and guidance of a stage count`() throws {
        let (fixture, folder) = (try Fixture("deepfloyd/if-upscale"), try TemporaryFolder())
        let model = try model("model", of: fixture, in: folder)
        let request = try request(fixture, in: folder)
        let plain = try model.run(request).samples()
        let changes: [(inout Request) -> Void] = [
            { $0.noiseLevel = 900 }, { $0.prompt = "another text" }, { $0.guidance = 9 },
        ]
        for change in changes {
            var changed = request
            change(&changed)
            let difference = try (model.run(changed).samples() - plain).magnitude().max()
            #expect(try difference.item(Double.self) > 1e-3)
        }
    }

    /// The right column is Python's `text.lower().strip()`.
    @Test(arguments: [
        ("  A Cat\t", "a cat"), ("ΑΣ", "ας"), ("ΑΣ.", "ας."), ("Σ", "σ"), ("ΑΣΑ", "ασα"),
        ("\u{130}stanbul", "i\u{307}stanbul"), ("\u{1C} A\u{3000}", "a"), ("ΌΣΟΣ ΤΣ’", "όσος τς’"),
        ("ẞ ǅ", "ß ǆ"), ("A\u{301}Σ\u{301}", "a\u{301}ς\u{301}"),
    ])
    func `prompts are brought to lower case as Python does it`(text: String, expected: String) {
        #expect(Array(text.lowercasedAndStripped.unicodeScalars) == Array(expected.unicodeScalars))
    }

    // MARK: The folder and the request

    private func model(_ name: String, of fixture: Fixture, in folder: TemporaryFolder) throws -> Model {
        try fixture.write(name, to: folder(name))
        return try Model(folder(name))
    }

    private func request(_ fixture: Fixture, in folder: TemporaryFolder) throws -> Request {
        let asked = try fixture.case.required("request", as: JSONObject.self)
        var request = Request()
        (request.prompt, request.negativePrompt) = try (asked.optional("prompt"), asked.optional("negative"))
        (request.steps, request.guidance) = try (asked.optional("steps"), asked.optional("guidance"))
        (request.width, request.height) = try (asked.optional("width"), asked.optional("height"))
        (request.strength, request.noiseLevel) = try (
            asked.optional("strength"), asked.optional("noise_level")
        )
        request.count = try asked.required("count")
        request.seed = UInt64(try asked.required("seed", as: Int.self))
        request.solver = try asked.optional("solver", as: String.self).map {
            try #require(Method(rawValue: $0))
        }
        if fixture.file.names.contains("image") {
            request.reference = .picture(try picture(fixture, "image"))
        }
        if fixture.file.names.contains("original") {
            request.original = .picture(try picture(fixture, "original"))
        }
        if fixture.file.names.contains("mask") { request.mask = try picture(fixture, "mask") }
        for (index, stage) in try fixture.case.required("then", as: [JSONObject].self).enumerated() {
            var next = Request.FollowingStage(try model("then-\(index + 1)", of: fixture, in: folder))
            (next.steps, next.guidance) = try (stage.optional("steps"), stage.optional("guidance"))
            next.noiseLevel = try stage.optional("noise_level")
            next.originalStrength = try stage.optional("strength")
            request.following.append(next)
        }
        return request
    }

    private func picture(_ fixture: Fixture, _ name: String) throws -> Picture {
        let shape = try fixture.tensor(name).shape
        return Picture(
            width: shape[1], height: shape[0], channels: shape.count == 3 ? shape[2] : 1,
            pixels: try fixture.array(name))
    }
}
