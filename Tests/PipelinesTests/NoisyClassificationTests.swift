import Diffusion
import Layers
import Networks
import Pipelines
import Tensors
import TestSupport
import Testing

/// A trained classifier's folder guides samples by the probabilities that it was trained for.
@Suite struct NoisyClassificationTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func written(_ process: Diffusion.Process) throws -> NoisyClassification {
        var configuration = UNetClassifierConfiguration()
        (configuration.encoder.sampleSize, configuration.encoder.inChannels) = (.square(8), 1)
        (configuration.encoder.blockOutChannels, configuration.encoder.normNumGroups) = ([8, 8, 8], 4)
        (configuration.encoder.attentionHeadDim, configuration.numClasses) = (4, 3)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 3)))
        _ = try store.build { try UNetClassifier(configuration, $0) }
        var card = ModelCard()
        card.classNames = ["a", "b", "c"]
        let path = folder("classifier")
        try ModelLayout(path).write(
            classifier: configuration, process: process, card: card, parameters: store.named)
        return try NoisyClassification(ModelSource(path), ModelOptions(.float64))
    }

    /// −ln p(y|x) of guidance at a level is the loss at that level, on every process.
    @Test(arguments: ProcessKind.gaussian.map(\.word))
    func guidanceSeesWhatTrainingSaw(word: String) throws {
        let process = try ProcessDescription(word).predicting("v").trained(sampledBy: nil)
        let model = try written(process)
        #expect(model.card.classNames == ["a", "b", "c"] && model.classifiedCount == 3)
        let own = model.process
        let sampler = try own.sampling.sampler(nil, steps: 4, grid: nil, options: SamplerOptions())
        let labels = [2, 0]
        let guide = try model.classifier(of: [1, 8, 8], labels: labels, sampler: sampler, process: own)
        let draw = RandomGenerator(seed: 5)
        let (data, noise) = (draw.normal([2, 1, 8, 8], .float64), draw.normal([2, 1, 8, 8], .float64))
        let objective = ClassificationObjective(own)
        for share in [0.2, 0.7] {
            let time = own.schedule.time(atShare: share)
            let level = own.schedule.level(at: time)
            let losses = try objective.losses(
                Example(data: data, noise: noise, labels: Tensor(labels)),
                Roles { model.network($0, time: $1) }, at: [time, time], RandomGenerator(seed: 0))
            let logits = guide.logits(data * level.alpha + noise * level.sigma, level)
            let found = -logits.logSoftmax(1).taken(Tensor(labels).unsqueezed(1), along: 1).squeezed(1)
            expectClose(found, losses.total, absolute: 1e-4, "\(word) at \(share)")
        }
    }

    /// A network that has no unconditional branch is guided under its class, as OpenAI guides theirs.
    @Test func aNetworkByClassIsGuidedUnderItsClass() throws {
        let process = try ProcessDescription("betas").predicting("noise").trained(sampledBy: nil)
        var settings = UNet2DConfiguration()
        (settings.sampleSize, settings.inChannels, settings.outChannels) = (.square(8), 1, 1)
        (settings.blockOutChannels, settings.layersPerBlock, settings.normNumGroups) = ([8, 8], 1, 4)
        (settings.downBlockTypes, settings.upBlockTypes) = ([.plain, .plain], [.plain, .plain])
        (settings.attentionHeadDim, settings.numClassEmbeds) = (4, 3)
        let configuration = NetworkConfiguration(settings)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 4)), elementType: .float64)
        let model = Model(
            PixelAssembly(
                name: "by class", configuration: configuration, process: process, card: ModelCard(),
                network: try store.build(configuration.network), elementType: .float64))
        let classifier = Model(try written(process))
        func samples(_ scale: Double?, _ label: Int = 2) throws -> Tensor {
            var request = Request()
            (request.steps, request.seed, request.classes) = (3, 1, .one(label))
            if let scale {
                (request.guidanceMethod, request.guidance) = (GuidanceMethod(rawValue: "classifier"), scale)
                request.classifier = classifier
            }
            return try model.run(request).samples()
        }
        let plain = try samples(nil)
        expectClose(try samples(1e-9), plain, absolute: 1e-6)
        #expect(try (samples(20) - plain).magnitude().max().item(Double.self) > 1e-6)
        #expect(throws: PipelineError.self) { try samples(1, 3) }
    }

    @Test func whatItCannotDoIsASentence() throws {
        let process = try ProcessDescription("betas").predicting("noise").trained(sampledBy: nil)
        let model = try written(process)
        #expect { try model.stages(Request()) } throws: {
            "\($0)".contains("is a classifier of noisy pictures")
        }
        let sampler = try process.sampling.sampler(nil, steps: 4, grid: nil, options: SamplerOptions())
        #expect {
            try model.classifier(of: [3, 8, 8], labels: [0], sampler: sampler, process: process)
        } throws: {
            "\($0)".contains("classifier: classifier takes pictures of [1, 8, 8]")
        }
    }
}
