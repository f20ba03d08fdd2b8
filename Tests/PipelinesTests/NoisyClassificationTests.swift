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
