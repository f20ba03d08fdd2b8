import Checkpoints
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct FSQModelTests {
    @Test(arguments: try Fixture.all(in: "autoencoder_losses", prefix: "fsq-"))
    func `rounding, numbers and gradients are the paper's`(_ fixture: Fixture) throws {
        let quantizer = FiniteScalarQuantizer(levels: try fixture.case.required("levels", as: [Int].self))
        let features = try fixture.tensor("features").requiringGradient()
        let latents = quantizer.bounded(features)
        let rounded = quantizer(latents)
        expectClose(rounded, try fixture.tensor("latents"), absolute: 1e-12)
        #expect(try quantizer.indices(of: latents).isIdentical(to: fixture.tensor("indices")))
        expectClose(
            quantizer.vectors(at: try fixture.tensor("indices")).to(.float64),
            try fixture.tensor("latents"), absolute: 1e-6)
        // Not linear, so that the gradient depends on where it is taken: at the rounded latents.
        let loss = (rounded.sin() * (try fixture.tensor("cotangent"))).sum()
        let gradient = try #require(try gradients(of: [loss], withRespectTo: [features])[0])
        expectClose(gradient, try fixture.tensor("gradient"), absolute: 1e-12)
    }

    @Test func `every vector of the grid has its number, and latents beyond it are its edge`() throws {
        let quantizer = FiniteScalarQuantizer(levels: [4, 2, 5])
        #expect(quantizer.codeCount == 40)
        let all = Tensor((0..<40).map { Int64($0) }, shape: [1, 5, 8])
        let vectors = quantizer.vectors(at: all)
        #expect(try quantizer.indices(of: vectors).isIdentical(to: all))
        #expect(try quantizer(vectors).isIdentical(to: vectors))
        for (sign, expected) in [(1e6, 39), (-1e6, 0)] {
            #expect(
                try quantizer.indices(of: .full(sign, [1, 3, 1, 1])).item(Int.self) == expected)
        }
        // Any features reach every level.
        let features = Tensor((-200...200).map { Float($0) / 20 }).reshaped([401, 1, 1, 1])
        let reached = FiniteScalarQuantizer(levels: [7]).indices(
            of: FiniteScalarQuantizer(levels: [7]).bounded(features))
        #expect(Set(try reached.array(of: Int.self)) == Set(0..<7))
    }

    @Test func `the network goes there and back and is kept in a folder`() throws {
        var configuration = FSQModelConfiguration()
        configuration.coder.blockOutChannels = [8, 8]
        configuration.coder.downBlockTypes = [.plain, .plain]
        configuration.coder.upBlockTypes = [.plain, .plain]
        configuration.coder.normNumGroups = 4
        configuration.levels = [5, 4]
        let store = ParameterStore(.initialized(RandomGenerator(seed: 3)))
        let network = try store.build { try FSQModel(configuration, $0) }
        let pictures = RandomGenerator(seed: 4).normal([2, 3, 8, 8])
        let latents = network.encode(pictures)
        #expect(latents.shape == [2, 2, 4, 4])
        #expect(try latents.magnitude().max().item() < 1.01)
        let again = network.reconstruction(of: pictures) { .zeros($0) }
        #expect(try again.pictures.isIdentical(to: network.decode(latents)))
        #expect(again.penalties.isEmpty && again.quantization == nil)
        #expect(try again.use?.counts.sum().item() == 32)
        expectClose(
            network.decode(indices: network.quantizer.indices(of: latents)), again.pictures, ofLargest: 1e-5)

        let temporary = try TemporaryFolder()
        let folder = ModelFolder(temporary("fsq"))
        try network.write(store, to: folder)
        let read = try AutoencoderConfiguration(folder.configuration())
        #expect(read == AutoencoderConfiguration(configuration) && read.latentChannels == 2)
        #expect(try FSQModel.load(folder).network.encode(pictures).isIdentical(to: latents))
    }

    @Test func `wrong levels are named`() {
        for (levels, key) in [
            ([], "levels"), ([1], "levels[0]"), ([3, 70_000], "levels[1]"), ([4096, 4097], "levels"),
        ] {
            var configuration = FSQModelConfiguration()
            configuration.levels = levels
            #expect {
                try configuration.validate()
            } throws: {
                ($0 as? NetworkError)?.key == key
            }
        }
    }
}
