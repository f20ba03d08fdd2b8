import Checkpoints
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct DiTTests {
    @Test(arguments: try Fixture.all(in: "dit", prefix: "dit"))
    func `forward and gradients are those of diffusers`(_ fixture: Fixture) throws {
        let configuration = try configuration(of: fixture, as: DiTConfiguration.self)
        try compare(fixture) {
            try DiT(configuration, $0)
        } run: {
            $0($1, time: $2, labels: $3)
        }
    }

    /// In float64, so that only the reference is rounded.
    @Test(arguments: try Fixture.all(in: "dit", prefix: "dit"))
    func `every gradient is diffusers' to 1e-5`(_ fixture: Fixture) throws {
        let configuration = try configuration(of: fixture, as: DiTConfiguration.self)
        let store = ParameterStore(
            .loaded(try fixture.source("weight.")), purpose: .training, elementType: .float64)
        let network = try store.build { try DiT(configuration, $0) }
        func input(_ name: String) throws -> Tensor {
            let tensor = try fixture.tensor("input." + name)
            return tensor.elementType.isFloatingPoint ? tensor.to(.float64) : tensor
        }
        let output = network(
            try input("sample"), time: try input("timestep"), labels: try? input("class_labels"))
        try (output * input("cotangent")).mean().backward()
        let gradients = try fixture.tensors("gradient.").filter { store[$0.key] != nil }
        #expect(gradients.count == store.names.count)
        let largest = try gradients.values.map { try $0.magnitude().max().item() }.max() ?? 0
        for (name, expected) in gradients {
            let found = try #require(store[name]?.gradient, "\(name) has no gradient")
            // The reference's frequencies are off by a last bit of float32, which times up to 1,000 multiply.
            let readsFrequencies = name.hasSuffix("timestep_embedder.linear_1.weight")
            expectClose(
                found, expected.to(.float64), absolute: 1e-6 * largest,
                ofLargest: readsFrequencies ? 1e-4 : 1e-5, name)
        }
    }

    private func shapes(_ configuration: DiTConfiguration) throws -> ParameterStore {
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try DiT(configuration, $0) }
        return store
    }

    @Test(arguments: [
        (DiTConfiguration.Size.extraLarge, 749_826_464), (.large, 511_609_888), (.base, 147_439_904),
        (.small, 39_805_088),
    ])
    func `parameter counts are those of diffusers`(_ size: DiTConfiguration.Size, _ count: Int) throws {
        #expect(try shapes(DiTConfiguration(size)).parameterCount == count)
    }

    /// The authors count 675,129,632: one embedder of time and class, and their table of places.
    @Test func `the original layout has the published count`() throws {
        let configuration = DiTConfiguration(.extraLarge)
        let store = try shapes(configuration)
        let embedder = try #require(store.parameterCounts["transformer_blocks.3.norm1.emb"])
        let places = 16 * 16 * configuration.width
        #expect(store.parameterCount - 27 * embedder + places == 675_129_632)

        // The same by the formula of the architecture, w features in each of 28 blocks.
        let w = configuration.width
        func linear(_ inputs: Int, _ outputs: Int) -> Int { (inputs + 1) * outputs }
        let shared = linear(256, w) + linear(w, w) + 1001 * w
        let block = linear(w, 3 * w) + linear(w, w) + linear(w, 4 * w) + linear(4 * w, w) + linear(w, 6 * w)
        let ends = linear(4 * 2 * 2, w) + linear(w, 2 * w) + linear(w, 8 * 2 * 2)
        #expect(places + shared + 28 * block + ends == 675_129_632)
        #expect(shared == embedder)
    }

    private var small: DiTConfiguration {
        var configuration = DiTConfiguration()
        (configuration.numLayers, configuration.numAttentionHeads, configuration.attentionHeadDim) = (3, 2, 4)
        (configuration.inChannels, configuration.outChannels, configuration.numEmbedsAdaNorm) = (2, 4, 5)
        (configuration.sampleSize, configuration.dropout) = (8, 0.5)
        return configuration
    }

    private func fresh(_ configuration: DiTConfiguration, seed: UInt64 = 3) throws -> TensorDictionary {
        let store = ParameterStore(.initialized(RandomGenerator(seed: seed)))
        _ = try store.build { try DiT(configuration, $0) }
        return store.source
    }

    private func network(_ configuration: DiTConfiguration, _ source: TensorDictionary) throws -> DiT {
        try ParameterStore(.loaded(source)).build { try DiT(configuration, $0) }
    }

    @Test func `the blocks of a new network change nothing`() throws {
        let generator = RandomGenerator(seed: 4)
        var source = try fresh(small)
        let x = generator.normal([2, 2, 8, 4])
        let (time, labels) = (Tensor([3, 700] as [Int]), Tensor([1, 5] as [Int]))
        #expect(try network(small, source)(x, time: time, labels: labels).magnitude().max().item() == 0)

        for name in ["proj_out_1.weight", "proj_out_2.weight"] {
            source.tensors[name] = try generator.normal(#require(source.shape(of: name)))
        }
        var shallow = small
        shallow.numLayers = 1
        let kept = source.tensors.filter { name, _ in
            !name.hasPrefix("transformer_blocks") || name.hasPrefix("transformer_blocks.0.")
        }
        let one = try network(shallow, TensorDictionary(kept))(x, time: time, labels: labels)
        #expect(try one.magnitude().max().item() > 0.1)
        #expect(try distance(network(small, source)(x, time: time, labels: labels), one) == 0)

        let gate = "transformer_blocks.1.norm1.linear.bias"
        source.tensors[gate] = .ones([48])
        #expect(try distance(network(small, source)(x, time: time, labels: labels), one) > 1e-3)
    }

    /// A network whose every parameter says something.
    private func stirred() throws -> DiT {
        let generator = RandomGenerator(seed: 5)
        let source = try fresh(small).tensors.mapValues { $0 + 0.2 * generator.normal($0.shape) }
        return try network(small, TensorDictionary(source))
    }

    @Test func `no labels are the class after the last, and one time serves all pictures`() throws {
        let network = try stirred()
        let x = RandomGenerator(seed: 6).normal([2, 2, 8, 8])
        let none = network(x, time: Tensor([9] as [Int]))
        #expect(network.configuration.nullClass == 5)
        let labelled = network(x, time: Tensor([9, 9] as [Int]), labels: Tensor([5, 5] as [Int]))
        #expect(try distance(none, labelled) < 2e-5)
        let other = network(x, time: Tensor([9] as [Int]), labels: Tensor([4] as [Int]))
        #expect(try distance(none, other) > 1e-3)
    }

    @Test func `a class that is not there is an error, not a crash`() throws {
        let answer = try stirred()(
            .zeros([1, 2, 8, 8]), time: Tensor([0] as [Int]), labels: Tensor([6] as [Int]))
        #expect(answer.failure != nil)
    }

    @Test func `dropout acts only where a generator is given, and a seed repeats it`() throws {
        let network = try stirred()
        let x = RandomGenerator(seed: 8).normal([1, 2, 8, 8])
        func answer(_ seed: UInt64?) -> Tensor {
            network(x, time: Tensor([5] as [Int]), dropout: seed.map { RandomGenerator(seed: $0) })
        }
        #expect(try distance(answer(nil), answer(nil)) == 0)
        #expect(try distance(answer(9), answer(9)) == 0)
        #expect(try distance(answer(9), answer(10)) > 1e-4)
        #expect(try distance(answer(9), answer(nil)) > 1e-4)
    }

    @Test func `a folder of the older class is read, and written as the newer one`() throws {
        let temporary = try TemporaryFolder()
        let folder = ModelFolder(temporary("dit"))
        let store = ParameterStore(.loaded(try fresh(small)))
        let network = try store.build { try DiT(small, $0) }
        try network.write(store, to: folder)
        #expect(try folder.configuration()["_class_name"] == "DiTTransformer2DModel")
        var older = try folder.configuration()
        older["_class_name"] = "Transformer2DModel"
        older["cross_attention_dim"] = .null
        try folder.write(older)
        let loaded = try DiT.load(folder)
        #expect(loaded.network.configuration == small)
        #expect(loaded.store.names == store.names)
        older["_class_name"] = "PixArtTransformer2DModel"
        try folder.write(older)
        #expect(throws: CheckpointError.self) { try DiT.load(folder) }
    }
}
