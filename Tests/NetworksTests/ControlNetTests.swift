import Checkpoints
import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

/// Answers are compared with those of diffusers through the program (`ControlNetCommandTests`).
@Suite struct ControlNetTests {
    /// Counts of diffusers' class for the published U-Nets; the first is published, too.
    @Test(arguments: [
        (PublishedUNets.stableDiffusion1, 361_279_120), (PublishedUNets.stableDiffusion2, 364_228_240),
        (PublishedUNets.large, 1_251_014_160),
    ])
    func `parameters are counted`(_ unet: UNet2DConditionConfiguration, _ count: Int) throws {
        var configuration = ControlNetConfiguration()
        configuration.unet = unet
        let json = try ControlNet.json(configuration)
        #expect(json["up_block_types"] == nil && json["conditioning_channels"] == 3)
        let store = try ControlNet.shapes(json)
        #expect(store.parameterCount == count)
        #expect(configuration.controlChannels.count == unet.downBlockTypes.count * 3)
    }

    /// What follows from a configuration and from the order of colours; what begins as zeros.
    @Test func `a new network adds nothing, and colours have an order`() throws {
        var configuration = ControlNetConfiguration()
        configuration.unet.blockOutChannels = [8, 16]
        configuration.unet.downBlockTypes = [.crossAttention, .plain]
        (configuration.unet.normNumGroups, configuration.unet.attentionHeadDim) = (4, .same(2))
        configuration.unet.crossAttentionDim = .same(6)
        configuration.conditioningEmbeddingOutChannels = [4, 4]
        let generator = RandomGenerator(seed: 3)
        let (x, picture) = (generator.normal([2, 4, 6, 8]), generator.normal([1, 3, 12, 16]))
        let (time, context) = (Tensor([Float(7)]), Conditions(context: generator.normal([2, 3, 6])))
        func network(_ order: ControlNetConfiguration.ChannelOrder) throws -> ControlNet {
            configuration.channelOrder = order
            let store = ParameterStore(.initialized(RandomGenerator(seed: 4)))
            return try store.build { try ControlNet(configuration, $0) }
        }
        let rgb = try network(.rgb)
        let control = rgb(x, time: time, context, picture: rgb.embedded(picture))
        #expect(control.down.map { $0.shape[1] } == configuration.controlChannels)
        #expect(control.down.map { $0.shape[3] } == [8, 8, 8, 4, 4, 4])
        #expect(try control.tensors.allSatisfy { try $0.magnitude().max().item(Float.self) == 0 })
        let trained = ParameterStore(.initialized(RandomGenerator(seed: 4)))
        _ = try trained.build { try ControlNet(configuration, $0) }
        let source = TensorDictionary(
            Dictionary(uniqueKeysWithValues: trained.named.map { ($0, $1 + 0.1) }))
        func loaded(_ order: ControlNetConfiguration.ChannelOrder) throws -> ControlNet {
            configuration.channelOrder = order
            return try ParameterStore(.loaded(source)).build { try ControlNet(configuration, $0) }
        }
        let (one, other) = (try loaded(.rgb), try loaded(.bgr))
        #expect(try one.embedded(picture).isIdentical(to: other.embedded(picture.flipped(1))))
        // Prepared conditions give the same.
        let plain = one(x, time: time, context, picture: one.embedded(picture))
        let prepared = one(x, time: time, one.preparing(context), picture: one.embedded(picture))
        for (first, second) in zip(plain.tensors, prepared.tensors) {
            expectClose(first, second, absolute: 1e-5)
        }
        // Shares grow from a tenth to all of it.
        let grown = plain.scaled(by: 2, grows: true)
        expectClose(grown.down[0], plain.down[0] * 0.2, absolute: 1e-5)
        expectClose(try #require(grown.middle), try #require(plain.middle) * 2, absolute: 1e-5)
        let alone = plain.alone(in: 1, of: 2)
        let (own, whole) = (try #require(plain.middle), try #require(alone.middle))
        #expect(whole.shape[0] == 4)
        #expect(try whole.slice(2..<4, of: 0).isIdentical(to: own))
    }

    @Test(
        arguments: [
            ("conditioning_channels", 0), ("conditioning_embedding_out_channels", []),
            ("conditioning_embedding_out_channels", [16, 0]),
            ("controlnet_conditioning_channel_order", "rbg"),
            ("num_attention_heads", 4), ("encoder_hid_dim", 8), ("cross_attention_dim", 0),
            ("down_block_types", ["DownBlock2D"]),
        ] as [(String, JSONValue)])
    func `what describes no network is refused`(_ key: String, _ value: JSONValue) throws {
        var object = try ControlNet.json(ControlNetConfiguration())
        object[key] = value
        let error = #expect(throws: (any Error).self) { try ControlNet.shapes(object) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(key))
    }
}
