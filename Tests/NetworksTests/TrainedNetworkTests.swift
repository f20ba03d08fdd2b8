import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// Every denoising network can be trained from new weights.
@Suite struct TrainedNetworkTests {
    /// A network, and inputs that go with it.
    struct Subject: Sendable, CustomTestStringConvertible {
        let configuration: NetworkConfiguration
        var testDescription: String { configuration.className }

        init(_ settings: some NetworkSettings) { configuration = NetworkConfiguration(settings) }

        init(_ configuration: NetworkConfiguration) { self.configuration = configuration }

        /// Two samples' worth of every condition that the network reads.
        func conditions(_ draw: RandomGenerator) -> Conditions {
            let traits = configuration.traits
            var conditions = Conditions()
            if traits.labels != nil { conditions[.labels] = Tensor([0, 2] as [Int]) }
            if let context = traits.context {
                conditions[.context] = draw.normal([2, 5, context.width ?? 0])
            }
            if let tokens = traits.tokens {
                // The last token is the one that fills texts up.
                let (words, filling) = (tokens.length - 1, Int64(tokens.vocabulary - 1))
                conditions[.tokens] = concatenated(
                    [
                        draw.integers([2, words], in: 0..<tokens.vocabulary),
                        Tensor([filling, filling], shape: [2, 1]),
                    ], along: 1)
            }
            if let pooled = traits.pooled { conditions[.pooledText] = draw.normal([2, pooled.width ?? 0]) }
            if let numbers = traits.numbers {
                conditions[.numbers] = Tensor([8, 16, 0, 1] as [Float], shape: [2, 2])
                conditions[.pooledText] = draw.normal([2, numbers.total - 2 * numbers.width])
            }
            return conditions
        }

        /// Two noisy samples.
        func samples(_ draw: RandomGenerator) -> Tensor {
            let channels = configuration.channels
            return draw.normal(configuration.sample == .point ? [2, channels] : [2, channels, 8, 8])
        }
    }

    /// Networks whose defaults are large, in a few thousand parameters with all that they can be conditioned on.
    private static let small: [Subject] = {
        var unet = UNet2DConfiguration()
        (unet.blockOutChannels, unet.layersPerBlock, unet.normNumGroups) = ([8, 16], 1, 4)
        (unet.downBlockTypes, unet.upBlockTypes) = ([.plain, .attention], [.attention, .plain])
        (unet.attentionHeadDim, unet.numClassEmbeds) = (4, 3)
        var annotated = AnnotatedUNetConfiguration()
        (annotated.dim, annotated.dimMults, annotated.numClassEmbeds) = (8, [1, 2], 3)
        var condition = UNet2DConditionConfiguration()
        (condition.blockOutChannels, condition.layersPerBlock) = ([8, 16], .same(1))
        (condition.downBlockTypes, condition.upBlockTypes) = (
            [.crossAttention, .plain], [.plain, .crossAttention]
        )
        (condition.normNumGroups, condition.attentionHeadDim) = (4, .same(2))
        (condition.crossAttentionDim, condition.numClassEmbeds) = (.same(6), 3)
        (condition.additionEmbedType, condition.additionTimeEmbedDim) = (.textTime, 4)
        condition.projectionClassEmbeddingsInputDim = 13
        var transformer = DiTConfiguration()
        (transformer.numLayers, transformer.numAttentionHeads, transformer.attentionHeadDim) = (2, 2, 8)
        (transformer.sampleSize, transformer.numEmbedsAdaNorm) = (8, 3)
        var joint = MMDiTConfiguration()
        (joint.numLayers, joint.numAttentionHeads, joint.attentionHeadDim) = (3, 2, 8)
        (joint.captionProjectionDim, joint.sampleSize, joint.posEmbedMaxSize) = (16, 8, 8)
        (joint.jointAttentionDim, joint.pooledProjectionDim) = (6, 10)
        (joint.inChannels, joint.outChannels, joint.qkNorm, joint.dualAttentionLayers) = (4, nil, .rms, [0])
        var perceptron = MLPConfiguration()
        (perceptron.width, perceptron.layers, perceptron.numClassEmbeds) = (16, 2, 3)
        return [
            Subject(unet), Subject(annotated), Subject(condition), Subject(transformer), Subject(joint),
            Subject(perceptron),
        ]
    }()

    /// Every network; those that are small by default, as they are for three classes.
    static let subjects: [Subject] = KnownNetworks.denoising.map { network in
        if let known = small.first(where: { $0.configuration.type == network }) { return known }
        var demands = NetworkDemands()
        demands.classes = 3
        let defaults = NetworkConfiguration(defaultsOf: network)
        return Subject((try? defaults.fitted(to: demands)) ?? defaults)
    }

    /// One backward pass reaches every parameter with finite numbers.
    @Test(arguments: subjects) func `every parameter has a finite gradient`(_ subject: Subject) throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
        let network = try store.build(subject.configuration.network)
        let draw = RandomGenerator(seed: 2)
        let output = network(
            subject.samples(draw), time: Tensor([3, 700] as [Float]), subject.conditions(draw), dropout: nil)
        #expect(output.shape[1] == subject.configuration.outputChannels)
        try (output - draw.normal(output.shape)).squared().mean().backward()
        for (name, parameter) in store.named where !store.buffers.contains(name) {
            let gradient = try #require(parameter.gradient, "\(name) has none")
            #expect(try gradient.isFinite().all().item(Bool.self), "\(name)")
        }
    }

    /// The context's queries in the last block of an `MMDiT`, where the context is only read: unused, as in diffusers.
    private static let unused = [
        "transformer_blocks.2.attn.add_q_proj.", "transformer_blocks.2.attn.norm_added_q.",
    ]

    /// Layers that begin as zeros hold others back for some steps, and none for good.
    @Test(arguments: subjects) func `every parameter is learned and the loss falls`(_ subject: Subject) throws
    {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
        let network = try store.build(subject.configuration.network)
        let first = Dictionary(uniqueKeysWithValues: store.named.map { ($0, $1.detached().copied()) })
        let draw = RandomGenerator(seed: 2)
        let (x, conditions) = (subject.samples(draw), subject.conditions(draw))
        let channels = subject.configuration.outputChannels
        let target = draw.normal(Shape([x.shape[0], channels] + x.shape.extents.dropFirst(2)))
        let optimizer = AdamW(store, .init(weightDecay: 0))
        var losses: [Double] = []
        for _ in 0..<12 {
            let output = network(x, time: Tensor([3, 700] as [Float]), conditions, dropout: nil)
            let loss = (output - target).squared().mean()
            losses.append(try loss.item())
            try loss.backward()
            try optimizer.step(learningRate: 3e-3)
            try optimizer.clearGradients()
        }
        #expect(losses[11] < 0.9 * losses[0], "\(losses)")
        for (name, parameter) in store.named
        where !store.buffers.contains(name) && !Self.unused.contains(where: name.hasPrefix) {
            let moved: Double = try (parameter.detached() - first[name]!).magnitude().max().item()
            #expect(moved > 0, "\(name) stayed as it was")
        }
    }
}
