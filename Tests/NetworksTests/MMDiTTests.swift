import Checkpoints
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct MMDiTTests {
    @Test(arguments: try Fixture.all(in: "mmdit"))
    func `forward and gradients are those of diffusers`(_ fixture: Fixture) throws {
        let configuration = try configuration(of: fixture, as: MMDiTConfiguration.self)
        let skipped: [Int] = try fixture.case.required("skipped_layers")
        try compare(fixture) {
            try MMDiT(configuration, $0)
        } run: { network, inputs in
            try network(
                #require(inputs["sample"]), time: #require(inputs["timestep"]),
                context: #require(inputs["context"]), pooled: #require(inputs["pooled"]),
                skippedLayers: Set(skipped))
        }
    }

    @Test func `fixtures skip layers, and so change the answer`() throws {
        let fixtures = try Fixture.all(in: "mmdit").filter {
            try !$0.case.required("skipped_layers", as: [Int].self).isEmpty
        }
        let fixture = try #require(fixtures.first)
        let configuration = try configuration(of: fixture, as: MMDiTConfiguration.self)
        let network = try ParameterStore(.loaded(try fixture.source("weight."))).build {
            try MMDiT(configuration, $0)
        }
        let whole = network(
            try fixture.tensor("input.sample"), time: try fixture.tensor("input.timestep"),
            context: try fixture.tensor("input.context"), pooled: try fixture.tensor("input.pooled"))
        #expect(try distance(whole, fixture.tensor("output.sample")) > 1e-3)
    }

    /// Stable Diffusion 3 medium as published; 3.5 medium and large as diffusers counts them.
    @Test func `parameter counts are reproduced, and the table of places is none of them`() throws {
        let medium = MMDiTConfiguration.stableDiffusion3Medium
        var (medium35, large35) = (medium, medium)
        (medium35.posEmbedMaxSize, medium35.dualAttentionLayers, medium35.qkNorm) = (384, Array(0...12), .rms)
        (large35.numLayers, large35.numAttentionHeads, large35.captionProjectionDim) = (38, 38, 2432)
        large35.qkNorm = .rms
        for (configuration, count) in [
            (medium, 2_028_328_000), (medium35, 2_243_171_520), (large35, 8_056_627_520),
        ] {
            let store = ParameterStore(.shapesOnly)
            _ = try store.build { try MMDiT(configuration, $0) }
            #expect(store.parameterCount == count)
            #expect(store.parameterCounts[""] == count)
            #expect(store.parts(depth: 1).reduce(0) { $0 + $1.count } == count)
            let side = try #require(configuration.posEmbedMaxSize)
            #expect(store["pos_embed.pos_embed"]?.shape == [1, side * side, configuration.width])
        }
    }

    private var small: MMDiTConfiguration {
        var configuration = MMDiTConfiguration()
        (configuration.numLayers, configuration.numAttentionHeads, configuration.attentionHeadDim) = (2, 2, 4)
        (configuration.captionProjectionDim, configuration.posEmbedMaxSize) = (8, 6)
        (configuration.inChannels, configuration.outChannels, configuration.sampleSize) = (3, nil, 8)
        (configuration.jointAttentionDim, configuration.pooledProjectionDim) = (5, 7)
        (configuration.dualAttentionLayers, configuration.qkNorm) = ([0], .rms)
        return configuration
    }

    @Test func `a new network answers nothing, and knows the places that diffusers computes`() throws {
        for fixture in try Fixture.all(in: "mmdit") where fixture.file.names.contains(table) {
            let configuration = try configuration(of: fixture, as: MMDiTConfiguration.self)
            let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
            let network = try store.build { try MMDiT(configuration, $0) }
            let places = try #require(store["pos_embed.pos_embed"])
            #expect(!places.requiresGradient)
            expectClose(places, try fixture.tensor(table), absolute: 1e-7)
            let answer = network(
                try fixture.tensor("input.sample"), time: try fixture.tensor("input.timestep"),
                context: try fixture.tensor("input.context"), pooled: try fixture.tensor("input.pooled"))
            #expect(try answer.magnitude().max().item() == 0)
        }
    }

    private let table = "weight.pos_embed.pos_embed"

    /// A network whose every parameter says something, and what it answers to one question.
    private func stirred() throws -> (network: MMDiT, store: ParameterStore) {
        let generator = RandomGenerator(seed: 2)
        let drawn = ParameterStore(.initialized(generator))
        _ = try drawn.build { try MMDiT(small, $0) }
        let noisy = drawn.source.tensors.mapValues { $0 + 0.2 * generator.normal($0.shape) }
        let store = ParameterStore(.loaded(TensorDictionary(noisy)))
        return (try store.build { try MMDiT(small, $0) }, store)
    }

    private func answer(_ network: MMDiT, as type: ElementType = .float32) -> Tensor {
        let generator = RandomGenerator(seed: 3)
        let x = generator.normal([2, 3, 12, 4]).to(type)
        let (context, pooled) = (generator.normal([2, 4, 5]), generator.normal([2, 7]))
        return network(
            x, time: Tensor([400.5] as [Float]), context: context.to(type), pooled: pooled.to(type))
    }

    @Test func `half precision stays half, and near`() throws {
        let (network, store) = try stirred()
        let half = try ParameterStore(.loaded(store.source), elementType: .bfloat16).build {
            try MMDiT(small, $0)
        }
        let (found, exact) = (answer(half, as: .bfloat16), answer(network))
        #expect(found.elementType == .bfloat16)
        let largest: Double = try exact.magnitude().max().item()
        #expect(try distance(found, exact) < 0.1 * largest)
    }

    @Test func `a written folder gives the same network, and needs its table of places`() throws {
        let temporary = try TemporaryFolder()
        let folder = ModelFolder(temporary("transformer"))
        let (network, store) = try stirred()
        try network.write(store, to: folder)
        #expect(try folder.configuration()["_class_name"] == "SD3Transformer2DModel")

        let loaded = try MMDiT.load(folder)
        #expect(loaded.network.configuration == small)
        #expect(try distance(answer(loaded.network), answer(network)) == 0)
        #expect(try answer(network).magnitude().max().item() > 0.01)

        try folder.write(store.named.filter { $0.0 != "pos_embed.pos_embed" })
        #expect { try MMDiT.load(folder) } throws: {
            ($0 as? LoadError)?.report?.missing == ["pos_embed.pos_embed"]
        }
    }
}
