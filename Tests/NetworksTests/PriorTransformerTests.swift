import Checkpoints
import Layers
import Networks
import Storage
import Tensors
import TestSupport
import Testing

/// unCLIP's networks between texts and pictures, against diffusers.
@Suite struct PriorTransformerTests {
    /// Builds a network from a reference file, runs it in float32 and float64, and compares what it gives.
    private func compare<Network: ConfiguredNetwork>(
        _ fixture: Fixture, _ type: Network.Type,
        run: (Network, [String: Tensor]) throws -> [String: Tensor]
    ) throws {
        let configuration = try configuration(of: fixture, as: Network.Configuration.self)
        let inputs = try fixture.tensors("input.")
        for (prefix, elementType, share) in [
            ("output.", ElementType.float32, 1e-5), ("output64.", .float64, 1e-11),
        ] {
            let store = try ParameterStore(.loaded(fixture.source("weight.")), elementType: elementType)
            let network = try store.build { try Network(configuration, $0) }
            #expect(store.parameterCount == (try fixture.case.required("parameters")))
            let outputs = try run(
                network, inputs.mapValues { $0.elementType.isFloatingPoint ? $0.to(elementType) : $0 })
            for (name, tensor) in try fixture.tensors(prefix) {
                expectClose(
                    outputs[name] ?? .zeros([0]), tensor, absolute: share / 10, ofLargest: share, name)
            }
        }
    }

    @Test(arguments: try Fixture.all(in: "unclip", prefix: "prior-"))
    func `embeddings of pictures are those of diffusers`(_ fixture: Fixture) throws {
        try compare(fixture, PriorTransformer.self) { network, inputs in
            let found = try network(
                #require(inputs["sample"]), time: #require(inputs["time"]),
                states: #require(inputs["states"]),
                mask: #require(inputs["mask"]), text: #require(inputs["text"]))
            return ["embedding": network.unscaled(found)]
        }
    }

    @Test(arguments: try Fixture.all(in: "unclip", prefix: "projection-"))
    func `what the decoder is conditioned on is that of diffusers`(_ fixture: Fixture) throws {
        try compare(fixture, UnCLIPTextProjection.self) { network, inputs in
            let (text, states) = try (#require(inputs["text"]), #require(inputs["states"]))
            let without = network(
                picture: nil, text: text.slice(0..<1, of: 0), states: states.slice(0..<1, of: 0))
            let with = network(
                picture: try #require(inputs["picture"]), text: text.slice(1..<2, of: 0),
                states: states.slice(1..<2, of: 0))
            return [
                "context": concatenated([without.context, with.context]),
                "time": concatenated([without.time, with.time]),
            ]
        }
    }

    /// The prior of Karlo, whose sizes are the defaults.
    @Test func `the published prior has its number of parameters`() throws {
        func count<Network: ConfiguredNetwork>(_ type: Network.Type, _ json: String) throws -> Int {
            let object = try #require(JSONObject(json: JSONValue(parsing: Array(json.utf8), place: "test")))
            return try type.shapes(object).parameterCount
        }
        #expect(try count(PriorTransformer.self, "{}") == 1_022_030_080)
        #expect(
            try count(
                UnCLIPTextProjection.self, #"{"time_embed_dim": 1536, "cross_attention_dim": 1536}"#)
                == 768 + 2 * (768 * 1536 + 1536) + (768 * 4 * 1536 + 4 * 1536) + (768 * 1536 + 1536) + 2
                * 1536)
        #expect(try count(EmbeddingNormalizer.self, #"{"embedding_dim": 1024}"#) == 2048)
    }

    /// A token sees neither padding nor what comes after it, so that neither changes the answer.
    @Test func `padding of a text changes nothing`() throws {
        var configuration = PriorTransformerConfiguration()
        (configuration.numAttentionHeads, configuration.attentionHeadDim, configuration.numLayers) = (2, 4, 2)
        (configuration.embeddingDim, configuration.numEmbeddings) = (6, 5)
        let store = ParameterStore(.initialized(RandomGenerator(seed: 3)))
        let network = try store.build { try PriorTransformer(configuration, $0) }
        let generator = RandomGenerator(seed: 4)
        let (x, text) = (generator.normal([1, 6]), generator.normal([1, 6]))
        let states = generator.normal([1, 5, 6])
        func answer(_ states: Tensor, seen: Int) -> Tensor {
            network(
                x, time: Tensor([Float(7)]), states: states,
                mask: Tensor((0..<5).map { Int64($0 < seen ? 1 : 0) }).unsqueezed(0), text: text)
        }
        let other = concatenated([states.slice(0..<3, of: 1), generator.normal([1, 2, 6])], along: 1)
        #expect(try distance(answer(states, seen: 3), answer(other, seen: 3)) == 0)
        #expect(try distance(answer(states, seen: 5), answer(other, seen: 5)) > 1e-4)
    }

    @Test func `wrong values are refused by their keys`() throws {
        var configuration = PriorTransformerConfiguration()
        configuration.additionalEmbeddings = 3
        #expect(throws: NetworkError.self) { try configuration.validate() }
        configuration = .init()
        configuration.embeddingDim = 0
        #expect(throws: NetworkError.self) { try configuration.validate() }
        var projection = UnCLIPTextProjectionConfiguration()
        projection.clipExtraContextTokens = 0
        #expect(throws: NetworkError.self) { try projection.validate() }
    }
}
