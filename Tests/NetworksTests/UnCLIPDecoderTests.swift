import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// unCLIP's decoder as it is trained: the U-Net and the projection that each are compared with diffusers, put together.
@Suite struct UnCLIPDecoderTests {
    private let configuration: UnCLIPDecoderConfiguration = {
        var configuration = UnCLIPDecoderConfiguration()
        (configuration.unet.blockOutChannels, configuration.unet.normNumGroups) = ([8, 16], 4)
        (configuration.unet.crossAttentionDim, configuration.unet.attentionHeadDim) = (.same(8), .same(2))
        (configuration.clipEmbeddingsDim, configuration.clipExtraContextTokens) = (6, 3)
        return configuration
    }()

    private func conditions(_ picture: Tensor, _ generator: RandomGenerator) -> Conditions {
        var conditions = Conditions(
            context: generator.normal([2, 4, 6]), pooledText: generator.normal([2, 6]))
        conditions[.contextMask] = Tensor([1, 1, 1, 0, 1, 1, 0, 0].map(Int64.init), shape: [2, 4])
        conditions[.embedding] = picture
        return conditions
    }

    @Test func `zeros stand for no picture`() throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)))
        let network = try store.build { try UnCLIPDecoder(configuration, $0) }
        try store["text_proj.learned_classifier_free_guidance_embeddings"]!
            .assign(RandomGenerator(seed: 2).normal([6]))
        let generator = RandomGenerator(seed: 3)
        let x = generator.normal([2, 3, 8, 8])
        let learnt = store["text_proj.learned_classifier_free_guidance_embeddings"]!
        let some = generator.normal([1, 6])
        let shared = conditions(concatenated([some, Tensor.zeros([1, 6])]), generator)
        var explicit = shared
        explicit[.embedding] = concatenated([some, learnt.unsqueezed(0)])
        let time = Tensor([Float(20), 400])
        let found = network(x, time: time, shared, dropout: nil)
        #expect(try found.isIdentical(to: network(x, time: time, explicit, dropout: nil)))
        var other = shared
        other[.embedding] = concatenated([some * 2, Tensor.zeros([1, 6])])
        let changed = network(x, time: time, other, dropout: nil)
        #expect(try distance(changed.select(0), found.select(0)) > 1e-4)
        expectClose(changed.select(1), found.select(1), absolute: 1e-6)
    }

    @Test func `the parts are those of the folder`() throws {
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try UnCLIPDecoder(configuration, $0) }
        let (unet, projection) = (ParameterStore(.shapesOnly), ParameterStore(.shapesOnly))
        _ = try unet.build { try UNet2DCondition(configuration.unet, $0) }
        _ = try projection.build { try UnCLIPTextProjection(configuration.projection, $0) }
        #expect(store.parameterCount == unet.parameterCount + projection.parameterCount)
        #expect(
            Set(store.named.map(\.0))
                == Set(
                    unet.named.map { "decoder.\($0.0)" } + projection.named.map { "text_proj.\($0.0)" }))
    }

    @Test func `decoders that read no tokens are refused`() {
        for change: (inout UnCLIPDecoderConfiguration) -> Void in [
            {
                $0.unet.downBlockTypes = [.plain, .plain]; $0.unet.upBlockTypes = [.plain, .plain];
                $0.unet.midBlockType = .plain
            },
            { $0.unet.additionEmbedType = .text }, { $0.clipEmbeddingsDim = 0 },
        ] {
            var changed = configuration
            change(&changed)
            #expect(throws: NetworkError.self) { try changed.validate() }
        }
    }
}
