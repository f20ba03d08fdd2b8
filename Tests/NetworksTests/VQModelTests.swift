import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct VQModelTests {
    @Test(arguments: try Fixture.all(in: "autoencoders", prefix: "vq-"))
    func `encoding, codes and decoding are those of diffusers`(_ fixture: Fixture) throws {
        let outputs = [("pictures", "latents"), ("latents", "pictures"), ("latents", "unquantized")]
        try expectReference(fixture, as: VQModel.self, outputs) { network, output, x in
            switch output {
            case "latents": network.encode(x)
            case "pictures": network.decode(x)
            default: network.decode(quantized: x)
            }
        }
        let network = try autoencoder(fixture, as: VQModel.self).network
        let latents = try fixture.tensor("input.latents")
        let indices = network.quantizer.indices(of: latents)
        #expect(try indices.isIdentical(to: fixture.tensor("output.indices")))
        expectClose(
            network.decode(indices: indices), try fixture.tensor("output.pictures"), ofLargest: 1e-5)
    }

    @Test(arguments: try Fixture.all(in: "autoencoders", prefix: "vq-"))
    func `losses and gradients are those of diffusers`(_ fixture: Fixture) throws {
        let (network, store) = try autoencoder(fixture, as: VQModel.self, purpose: .training)
        let leaf = try fixture.tensor("input.latents").requiringGradient()
        let quantization = network.quantizer(leaf)
        // diffusers weighs the two losses the other way round, as its sources once did by mistake.
        let loss = quantization.commitmentLoss + 0.25 * quantization.codebookLoss
        expectClose(loss, try fixture.tensor("output.legacy_loss"), relative: 1e-5)
        let pictures = network.decode(quantized: quantization.latents)
        try ((pictures * fixture.tensor("input.cotangent")).mean() + loss).backward()
        expectClose(
            try #require(leaf.gradient), try fixture.tensor("gradient.latents"), ofLargest: 1e-4)
        expectClose(
            try #require(store["quantize.embedding.weight"]?.gradient),
            try fixture.tensor("gradient.codebook"), ofLargest: 1e-4)
    }

    /// Every row with parameters of the listings of both first stages in S. Goswami's article, in its order.
    @Test(arguments: [
        (VQModelConfiguration.f4, rowsOfF4, 55_322_782), (.f8, rowsOfF8, 67_717_295),
    ])
    func `every row of the published listings is reproduced`(
        _ configuration: VQModelConfiguration, _ rows: [(String, Int)], _ total: Int
    ) throws {
        let store = try counts(configuration, VQModel.self)
        #expect(store.parameterCount == total)
        let parts = ["encoder", "decoder", "quantize"].flatMap { part in
            store.parts(depth: 2).filter { $0.name.hasPrefix(part + ".") }
        }
        let convolutions = store.parts(depth: 1).filter { $0.name.hasSuffix("quant_conv") }
        let found = (parts + convolutions).map { "\($0.name) \($0.count)" }
        #expect(found == rows.map { "\($0.0) \($0.1)" })
    }

    @Test func `the gradient passes a codebook as if it were not there`() throws {
        let quantizer = try codebook([[0, 1], [1, 0], [-1, -1]]).quantizer
        let cotangent = RandomGenerator(seed: 1).normal([2, 2, 3, 3])
        // A function that is not linear, so that its gradient depends on where it is taken.
        func function(_ codes: Tensor) -> Tensor { (codes.sin() * cotangent).sum() }
        let latents = RandomGenerator(seed: 2).normal([2, 2, 3, 3])
        let through = valueAndGradient(of: { function(quantizer($0).latents) }, at: latents).gradient
        let there = valueAndGradient(of: function, at: quantizer(latents).latents).gradient
        #expect(try through.isIdentical(to: there))
        expectClose(quantizer(latents).latents, quantizer(latents).vectors, absolute: 1e-6)
    }

    @Test func `each loss teaches one side, and codes are the nearest`() throws {
        let (quantizer, store) = try codebook([[0, 0], [3, 0]], purpose: .training)
        let leaf = Tensor([1, 2, 1, 0] as [Double]).to(.float32).reshaped([1, 2, 1, 2]).requiringGradient()
        let quantization = quantizer(leaf)  // (1, 1) and (2, 0)
        #expect(try quantization.indices.array(of: Int.self) == [0, 1])
        try quantization.codebookLoss.backward()
        #expect(leaf.gradient == nil)
        let codes = try #require(store["embedding.weight"]?.gradient)
        // The mean of four squares: 2 · (code − latent) / 4.
        #expect(try codes.array(of: Double.self) == [-0.5, -0.5, 0.5, 0])
        try store["embedding.weight"]?.clearGradient()
        try quantization.commitmentLoss.backward()
        #expect(try leaf.gradient?.array(of: Double.self) == [0.5, -0.5, 0.5, 0])
        #expect(store["embedding.weight"]?.gradient == nil)
        #expect(try quantization.loss(commitment: 0.5).item() == 0.75 + 0.375)
    }

    @Test func `there and back gives the picture and what the codebook did`() throws {
        let fixture = try #require(try Fixture.all(in: "autoencoders", prefix: "vq-").first)
        let network = try autoencoder(fixture, as: VQModel.self).network
        let pictures = try fixture.tensor("input.pictures")
        let (again, quantization) = network(pictures)
        expectClose(again, network.decode(network.encode(pictures)), ofLargest: 1e-6)
        #expect(try quantization.encoded.isIdentical(to: network.encode(pictures)))
        let latents = network.latents(of: pictures) { _ in Tensor.zeros([]) }
        #expect(try latents.isIdentical(to: quantization.encoded))
    }

    private func codebook(_ vectors: [[Double]], purpose: ParameterStore.Purpose = .training) throws
        -> (quantizer: VectorQuantizer, store: ParameterStore)
    {
        let table = Tensor(vectors.flatMap { $0 }).reshaped([vectors.count, vectors[0].count])
        let source = TensorDictionary(["embedding.weight": table])
        let store = ParameterStore(.loaded(source), purpose: purpose)
        let quantizer = try store.build {
            VectorQuantizer(count: vectors.count, width: vectors[0].count, $0)
        }
        return (quantizer, store)
    }
}

extension VQModelConfiguration {
    /// The first stage of latent diffusion for CelebA-HQ: f = 4, Z = 8192, d = 3.
    fileprivate static var f4: VQModelConfiguration {
        var configuration = VQModelConfiguration()
        configuration.coder.blockOutChannels = [128, 256, 512]
        configuration.coder.downBlockTypes = Array(repeating: .plain, count: 3)
        configuration.coder.upBlockTypes = Array(repeating: .plain, count: 3)
        configuration.coder.layersPerBlock = 2
        configuration.numVQEmbeddings = 8192
        return configuration
    }

    /// The first stage of latent diffusion for classes of ImageNet: f = 8, Z = 16384, d = 4.
    fileprivate static var f8: VQModelConfiguration {
        var configuration = f4
        configuration.coder.blockOutChannels = [128, 256, 256, 512]
        configuration.coder.downBlockTypes = [.plain, .plain, .plain, .attention]
        configuration.coder.upBlockTypes = [.attention, .plain, .plain, .plain]
        configuration.coder.latentChannels = 4
        configuration.numVQEmbeddings = 16384
        return configuration
    }
}

private let rowsOfF4: [(String, Int)] = [
    ("encoder.conv_in", 3_584), ("encoder.down_blocks", 11_824_000), ("encoder.mid_block", 10_494_976),
    ("encoder.conv_norm_out", 1_024), ("encoder.conv_out", 13_827),
    ("decoder.conv_in", 14_336), ("decoder.mid_block", 10_494_976), ("decoder.up_blocks", 22_447_744),
    ("decoder.conv_norm_out", 256), ("decoder.conv_out", 3_459),
    ("quantize.embedding", 24_576), ("quant_conv", 12), ("post_quant_conv", 12),
]

private let rowsOfF8: [(String, Int)] = [
    ("encoder.conv_in", 3_584), ("encoder.down_blocks", 16_879_744), ("encoder.mid_block", 10_494_976),
    ("encoder.conv_norm_out", 1_024), ("encoder.conv_out", 18_436),
    ("decoder.conv_in", 18_944), ("decoder.mid_block", 10_494_976), ("decoder.up_blocks", 29_736_320),
    ("decoder.conv_norm_out", 256), ("decoder.conv_out", 3_459),
    ("quantize.embedding", 65_536), ("quant_conv", 20), ("post_quant_conv", 20),
]
