import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct AutoencoderTinyTests {
    @Test(arguments: try Fixture.all(in: "autoencoders", prefix: "tiny-"))
    func `encoding and decoding are those of diffusers`(_ fixture: Fixture) throws {
        let outputs = [("pictures", "latents"), ("latents", "pictures")]
        try expectReference(fixture, as: AutoencoderTiny.self, outputs) { network, output, x in
            output == "latents" ? network.encode(x) : network.decode(x)
        }
    }

    @Test func `the published parameter count is reproduced`() throws {
        let store = try counts(AutoencoderTinyConfiguration(), AutoencoderTiny.self)
        #expect(store.parameterCount == 2_445_063)
    }

    @Test func `the answer is given in the size of pictures, its latents not drawn`() throws {
        let network = try ParameterStore(.initialized(RandomGenerator(seed: 1))).build {
            try AutoencoderTiny(AutoencoderTinyConfiguration(), $0)
        }
        let pictures = RandomGenerator(seed: 2).normal([1, 3, 16, 24])
        let latents = network.latents(of: pictures) { _ in
            Issue.record("noise was asked for")
            return .zeros([])
        }
        #expect(latents.shape == [1, network.latentChannels, 2, 3])
        #expect(network.pixelsPerLatent == 8)
        #expect(network.decode(latents).shape == pictures.shape)
        #expect(network.latentScaling == LatentScaling(factor: 1))
    }
}
