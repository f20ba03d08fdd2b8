import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct PatchDiscriminatorTests {
    @Test(arguments: try Fixture.all(in: "autoencoder_losses", prefix: "discriminator-"))
    func `patches and the gradients of a hinge loss are PyTorch's`(_ fixture: Fixture) throws {
        var configuration = PatchDiscriminator.Configuration(channels: try fixture.case.required("channels"))
        configuration.width = try fixture.case.required("width")
        configuration.layers = try fixture.case.required("layers")
        let pictures = try fixture.tensor("input.pictures")
        #expect(pictures.shape[2] >= configuration.leastSize)
        let store = ParameterStore(.loaded(try fixture.source("weight.")), purpose: .training)
        let network = try store.build { PatchDiscriminator(configuration, $0) }
        let made = try fixture.tensor("input.hidden").convolved(fixture.tensor("input.last"), padding: 1)
        expectClose(network(made), try fixture.tensor("output.patches"), ofLargest: 1e-5)

        let loss = ((1 - network(pictures)).relu().mean() + (1 + network(made)).relu().mean()) * 0.5
        expectClose(loss, try fixture.tensor("output.hinge"), relative: 1e-5)
        try loss.backward()
        let gradients = try fixture.tensors("gradient.")
        let largest = try gradients.values.map { try $0.magnitude().max().item() }.max() ?? 0
        #expect(Set(gradients.keys) == Set(store.names))
        for (name, expected) in gradients {
            let found = try #require(store[name]?.gradient, "\(name)")
            expectClose(found, expected, absolute: 2e-5 * largest, name)
        }
    }

    @Test func `the smallest pictures leave one patch, and the published numbers are the count`() throws {
        for layers in 1...4 {
            var configuration = PatchDiscriminator.Configuration(channels: 3)
            (configuration.width, configuration.layers) = (2, layers)
            let store = ParameterStore(.initialized(RandomGenerator(seed: 1)))
            let network = try store.build { PatchDiscriminator(configuration, $0) }
            let least = configuration.leastSize
            let patches = withoutGradients { network(.zeros([2, 3, least, least])) }
            #expect(patches.failure == nil && patches.shape == [2, 1, 1, 1], "\(layers)")
            #expect(
                withoutGradients { network(.zeros([2, 3, least - 1, least - 1])) }.failure != nil, "\(layers)"
            )
        }
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { PatchDiscriminator(.init(channels: 3), $0) }
        // pix2pix's discriminator of 70×70 pixels, with norms: 2,764,737 and three channels of input.
        #expect(
            store.parameterCount == 3 * 64 * 16 + 64 + 64 * 128 * 16 + 128 * 256 * 16 + 256 * 512 * 16
                + 2 * (128 + 256 + 512) + 512 * 16 + 1)
    }
}
