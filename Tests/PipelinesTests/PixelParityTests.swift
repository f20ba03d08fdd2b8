import Checkpoints
import Diffusers
import Diffusion
import Foundation
import Layers
import Networks
import Pictures
import Pipelines
import Storage
import Tensors
import TestSupport
import Testing

/// Networks on pixels of EDM's process, of consistency models and of the variance-exploding equation: samples and
/// pictures are those of diffusers' schedulers and pipelines.
@Suite struct PixelParityTests {
    /// The kinds of fixtures of `Tools/oracle/pipelines.py` that are networks on pixels.
    static let kinds: Set = ["edm", "consistency", "score-sde"]

    static func isOnPixels(_ fixture: Fixture) -> Bool {
        (try? fixture.case.required("kind", as: String.self)).map(kinds.contains) ?? false
    }

    @Test(arguments: try Fixture.all(in: "pipelines").filter(isOnPixels))
    func `samples and pictures are those of diffusers`(_ fixture: Fixture) throws {
        let folder = try TemporaryFolder()
        try fixture.write("model", to: folder("model"))
        let run = try Model(folder("model")).run(request(fixture))
        expectClose(try run.samples(), try fixture.tensor("latents"), ofLargest: 2e-5)
        let found = try Picture.pictures(of: run.pictures()).flatMap(\.pixels)
        let expected: [UInt8] = try fixture.array("pixels")
        try #require(found.count == expected.count)
        #expect(zip(found, expected).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
        #expect(zip(found, expected).count { $0 != $1 } * 500 <= found.count)
    }

    /// What a folder says of its process is written again as it was.
    @Test(arguments: try Fixture.all(in: "pipelines").filter(isOnPixels))
    func foldersAreWrittenAsTheyWere(_ fixture: Fixture) throws {
        let folder = try TemporaryFolder()
        try fixture.write("model", to: folder("model"))
        let model = try PixelAssembly(ModelLayout(folder("model")))
        try ModelLayout(folder("again")).write(
            model.configuration, process: model.process, card: model.card, parameters: [])
        let again = try ModelLayout(folder("again")).process()
        #expect(again.stored == model.process.stored)
        let index = ("model_index.json", "_class_name")
        let names = try ["model", "again"].map {
            try ModelFolder(folder($0)).configuration(index.0).required(index.1, as: String.self)
        }
        #expect(names[0] == names[1])
    }

    /// One thing only can be predicted there, and an option that nothing reads is refused.
    @Test(arguments: ["consistency", "score-sde"])
    func otherPredictionsAreRefused(kind: String) throws {
        let fixture = try #require(try Fixture.all(in: "pipelines").first { $0.name.hasSuffix("/\(kind)") })
        let folder = try TemporaryFolder()
        try fixture.write("model", to: folder("model"))
        #expect {
            try PixelAssembly(ModelLayout(folder("model")), ModelOptions(prediction: .velocity))
        } throws: {
            "\($0)".contains("prediction")
        }
        var request = try request(fixture)
        request.eta = 0.5
        let model = try Model(folder("model"))
        #expect { try model.run(request) } throws: { "\($0)".hasPrefix("eta is 0.5") }
    }

    private func request(_ fixture: Fixture) throws -> Request {
        let asked = try fixture.case.required("request", as: JSONObject.self)
        var request = Request()
        request.count = try asked.required("count")
        request.seed = UInt64(try asked.required("seed", as: Int.self))
        request.steps = try asked.optional("steps")
        request.classes = try asked.optional("label", as: Int.self).map { .one($0) }
        return request
    }
}

/// Run folders on processes that diffusers has no class for keep the process by its kind.
@Suite struct DescribedModelTests {
    private func configuration() -> UNet2DConfiguration {
        var configuration = UNet2DConfiguration()
        configuration.sampleSize = .square(8)
        (configuration.inChannels, configuration.outChannels) = (1, 1)
        configuration.blockOutChannels = [8, 8]
        configuration.layersPerBlock = 1
        configuration.normNumGroups = 4
        configuration.downBlockTypes = [.plain, .plain]
        configuration.upBlockTypes = [.plain, .plain]
        return configuration
    }

    private func write(_ description: ProcessDescription, to path: String) throws -> ModelLayout {
        let network = NetworkConfiguration(configuration())
        let store = ParameterStore(.initialized(RandomGenerator(seed: 3)))
        _ = try store.build(network.network)
        let layout = ModelLayout(path)
        try layout.write(
            network, process: description.trained(sampledBy: nil), card: ModelCard(), parameters: store.named)
        return layout
    }

    @Test(arguments: ["edm", "vp-sde", "sub-vp-sde", "ve", "flow", "cosine"])
    func processesOfAKindAreKeptAndSampled(kind: String) throws {
        let folder = try TemporaryFolder()
        let description = try ProcessDescription(kind).predicting(nil)
        let layout = try write(description, to: folder("model"))
        let model = try PixelAssembly(ModelLayout(model: layout.path))
        #expect(model.process.stored.map { "\($0.name)" } == kind)
        let object = try ModelFolder(layout.path + "/scheduler").configuration("scheduler_config.json")
        #expect(try object.required("kind", as: String.self) == kind && object["_class_name"] == nil)
        let source = try ModelSource(layout.path)
        #expect(try source.foreignKeys().isEmpty && source.process().stored == model.process.stored)
        for method in [nil, Method.ddim, .heun, .dpmPlusPlus2M] {
            var request = Request()
            (request.count, request.steps, request.solver) = (2, 4, method)
            let run = try Model(model).run(request)
            #expect(try run.samples().isFinite().all().item(Bool.self))
            #expect(run.settings[0].words.process == kind)
        }
        // Another prediction than the run's.
        let other = try PixelAssembly(layout, ModelOptions(prediction: .velocity))
        #expect(other.process.parameterization.output.word == "v")
    }

    @Test func whatAProcessRefusesIsRefusedInFoldersToo() throws {
        let folder = try TemporaryFolder()
        let layout = try write(ProcessDescription("flow", prediction: "flow"), to: folder("model"))
        #expect { try PixelAssembly(layout, ModelOptions(prediction: .noise)) } throws: {
            "\($0)".contains("prediction 'noise'") && "\($0)".contains("scheduler_config.json")
        }
    }
}
