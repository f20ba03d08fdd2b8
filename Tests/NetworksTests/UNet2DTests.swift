import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct UNet2DTests {
    @Test(arguments: try Fixture.all(in: "unet"))
    func `forward and gradients are those of diffusers`(_ fixture: Fixture) throws {
        let configuration = try configuration(of: fixture, as: UNet2DConfiguration.self)
        try compare(fixture) {
            try UNet2D(configuration, $0)
        } run: {
            $0($1, time: $2, labels: $3)
        }
    }

    private func parameterCount(_ configuration: UNet2DConfiguration) throws -> Int {
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try UNet2D(configuration, $0) }
        #expect(store.parameters.allSatisfy { $0.device == .meta })
        return store.parameterCount
    }

    /// Counts that are published, or that diffusers gives for a published configuration.
    @Test func `published parameter counts are reproduced`() throws {
        var cifar = UNet2DConfiguration()
        cifar.blockOutChannels = [128, 256, 256, 256]
        cifar.downBlockTypes = [.plain, .attention, .plain, .plain]
        cifar.upBlockTypes = [.plain, .plain, .attention, .plain]
        cifar.attentionHeadDim = nil
        cifar.downsamplePadding = 0
        #expect(try parameterCount(cifar) == 35_746_307)

        var bedrooms = cifar
        bedrooms.blockOutChannels = [128, 128, 256, 256, 512, 512]
        bedrooms.downBlockTypes = [.plain, .plain, .plain, .plain, .attention, .plain]
        bedrooms.upBlockTypes = [.plain, .attention, .plain, .plain, .plain, .plain]
        #expect(try parameterCount(bedrooms) == 113_673_219)

        var faces = UNet2DConfiguration()
        faces.attentionHeadDim = 32
        #expect(try parameterCount(faces) == 274_056_163)
    }

    @Test func `a time for all pictures is the same as one for each`() throws {
        let network = try small(.initialized(RandomGenerator(seed: 3)))
        let x = RandomGenerator(seed: 4).normal([3, 1, 8, 8])
        let alike = network(x, time: Tensor([7, 7, 7] as [Int]), labels: Tensor([0, 1, 4] as [Int]))
        let one = network(x, time: Tensor([7] as [Int]), labels: Tensor([0, 1, 4] as [Int]))
        #expect(try distance(alike, one) < 1e-6)
        let other = network(x, time: Tensor([8] as [Int]), labels: Tensor([0, 1, 4] as [Int]))
        #expect(try distance(alike, other) > 1e-6)
    }

    @Test func `where channels lie in memory does not change the answer`() throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 5)))
        let network = try store.build { try UNet2D(smallConfiguration, $0) }
        var source = store.source
        for (name, tensor) in source.tensors where tensor.rank == 4 {
            source.tensors[name] = tensor.contiguous(.channelsLast)
        }
        let other = try small(.loaded(source))
        let x = RandomGenerator(seed: 6).normal([2, 1, 8, 8])
        let (time, labels) = (Tensor([1, 900] as [Int]), Tensor([2, 3] as [Int]))
        let expected = network(x, time: time, labels: labels)
        #expect(try distance(other(x.contiguous(.channelsLast), time: time, labels: labels), expected) < 1e-5)
    }

    @Test func `dropout acts only where a generator is given, and a seed repeats it`() throws {
        var configuration = smallConfiguration
        configuration.dropout = 0.5
        let network = try ParameterStore(.initialized(RandomGenerator(seed: 7))).build {
            try UNet2D(configuration, $0)
        }
        let x = RandomGenerator(seed: 8).normal([1, 1, 8, 8])
        let (time, labels) = (Tensor([5] as [Int]), Tensor([1] as [Int]))
        func answer(_ seed: UInt64?) -> Tensor {
            network(x, time: time, labels: labels, dropout: seed.map { RandomGenerator(seed: $0) })
        }
        #expect(try distance(answer(nil), answer(nil)) == 0)
        #expect(try distance(answer(9), answer(9)) == 0)
        #expect(try distance(answer(9), answer(10)) > 1e-4)
        #expect(try distance(answer(9), answer(nil)) > 1e-4)
    }

    @Test func `frequencies of the Fourier embedding are kept and never trained`() throws {
        var configuration = smallConfiguration
        configuration.timeEmbeddingType = .fourier
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
        _ = try store.build { try UNet2D(configuration, $0) }
        #expect(store["time_proj.weight"]?.requiresGradient == false)
        #expect(store["conv_in.weight"]?.requiresGradient == true)
        let deviation: Double = try #require(store["time_proj.weight"]).standardDeviation().item()
        #expect((4...40).contains(deviation))
    }

    private var smallConfiguration: UNet2DConfiguration {
        var configuration = UNet2DConfiguration()
        (configuration.inChannels, configuration.outChannels) = (1, 1)
        (configuration.blockOutChannels, configuration.normNumGroups) = ([8, 16], 4)
        configuration.downBlockTypes = [.plain, .attention]
        configuration.upBlockTypes = [.attention, .plain]
        configuration.numClassEmbeds = 5
        return configuration
    }

    private func small(_ origin: ParameterStore.Origin) throws -> UNet2D {
        try ParameterStore(origin).build { try UNet2D(smallConfiguration, $0) }
    }
}
