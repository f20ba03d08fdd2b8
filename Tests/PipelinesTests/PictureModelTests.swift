import Diffusers
import Diffusion
import Layers
import Networks
import Pipelines
import Tensors
import TestSupport
import Testing

/// A network of a few hundred parameters with ten classes and the one that stands for none.
private func configuration(classes: Int?) -> UNet2DConfiguration {
    var configuration = UNet2DConfiguration()
    configuration.sampleSize = .square(8)
    (configuration.inChannels, configuration.outChannels) = (1, 1)
    configuration.blockOutChannels = [8, 8]
    configuration.layersPerBlock = 1
    configuration.normNumGroups = 4
    configuration.attentionHeadDim = 4
    configuration.downBlockTypes = [.plain, .attention]
    configuration.upBlockTypes = [.attention, .plain]
    configuration.numClassEmbeds = classes
    return configuration
}

@Suite struct PictureModelTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(classes: Int?, _ kind: SchedulerClass = .ddim) throws -> ModelLayout {
        let network = NetworkConfiguration(configuration(classes: classes))
        let store = ParameterStore(.initialized(RandomGenerator(seed: 3)))
        _ = try store.build(network.network)
        var card = ModelCard()
        card.nullClass = classes.map { $0 - 1 }
        let layout = ModelLayout(folder("model-\(classes ?? 0)-\(kind.rawValue)"))
        try layout.write(
            network, process: SchedulerConfiguration(kind).process, card: card, parameters: store.named)
        return layout
    }

    @Test(arguments: SchedulerClass.allCases)
    func whatIsWrittenOpensAsItWas(kind: SchedulerClass) throws {
        let layout = try write(classes: 11, kind)
        let model = try PixelAssembly(ModelLayout(model: layout.path))
        #expect(model.configuration == NetworkConfiguration(configuration(classes: 11)))
        #expect(model.process.stored == .scheduler(SchedulerConfiguration(kind)))
        #expect(model.card.nullClass == 10)
        #expect(try ModelDigests(layout).record().hash.count == 64)
    }

    /// Guidance in one batch of both branches equals the formula over two runs of the network.
    @Test func guidedSamplesFollowTheFormula() throws {
        let model = try PixelAssembly(write(classes: 11), ModelOptions(.float64))
        var request = Request()
        (request.count, request.seed, request.steps) = (2, 5, 4)
        (request.classes, request.guidance) = (.one(7), 2.5)
        let run = try Model(model).run(request)
        let found = try run.samples()
        let noise = NoiseSource(seed: 5, count: 2, elementType: .float64)
        func branch(_ label: Int) -> Denoiser {
            let labels = Tensor([label, label])
            let meaning = Parameterization(Prediction.noise, scaling: .variancePreserving) { $0.time! }
            return Denoiser(meaning) { x, time in
                model.network(x, time: time, Conditions(labels: labels), dropout: nil)
            }
        }
        let guided = ClassifierFreeGuidance(scale: 2.5)
            .denoiser(conditional: branch(7), unconditional: branch(10)).thresholded(.fixed(range: 1))
        var last = Tensor.zeros([])
        let steps = DDIMSolver().sampling(
            noise.draw([1, 8, 8]), through: run.settings[0].sampler.grid, denoiser: guided, noise: noise)
        for step in steps { last = step.sample }
        expectClose(found, last.detached(), absolute: 1e-12)
    }

    @Test func classesAreSpreadOverTheCount() throws {
        let model = try Model(PixelAssembly(write(classes: 11)))
        var request = Request()
        (request.count, request.steps, request.classes) = (20, 2, .all)
        #expect(try model.run(request).settings[0].labels == (0..<20).map { $0 / 2 })
        request.classes = nil
        #expect(try model.run(request).settings[0].labels == Array(repeating: 10, count: 20))
        request.classes = .one(10)
        #expect(throws: PipelineError.self) { try model.run(request) }
        request.classes = .all
        request.count = 9
        #expect(throws: PipelineError.self) { try model.run(request) }
    }

    @Test func weightsThatAreNotFiniteStopTheRun() throws {
        let model = try Model(PixelAssembly(write(classes: nil)))
        var request = Request()
        request.steps = 2
        request.initial = Tensor.full(Double.nan, [1, 1, 8, 8])
        #expect { try model.run(request).samples() } throws: { "\($0)".contains("not finite") }
    }
}
