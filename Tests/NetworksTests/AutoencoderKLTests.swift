import Foundation
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct AutoencoderKLTests {
    @Test(arguments: try Fixture.all(in: "autoencoders", prefix: "kl-"))
    func `encoding and decoding, whole and in tiles, are those of diffusers`(_ fixture: Fixture) throws {
        let outputs = [
            ("pictures", "moments"), ("latents", "pictures"), ("large", "large_moments"),
            ("large_latents", "large_pictures"),
        ]
        try expectReference(fixture, as: AutoencoderKL.self, outputs) { network, output, x in
            var network = network
            if output.hasPrefix("large") { network.tiling = network.configuration.tiling }
            guard output.hasSuffix("moments") else { return network.decode(x) }
            let distribution = network.encode(x)
            return concatenated([distribution.mean, distribution.logVariance], along: 1)
        }
    }

    @Test(arguments: try Fixture.all(in: "autoencoders", prefix: "kl-"))
    func `gradients of pictures and latents are those of diffusers`(_ fixture: Fixture) throws {
        let network = try autoencoder(fixture, as: AutoencoderKL.self).network
        func gradient(_ name: String, _ function: (Tensor) -> Tensor) throws -> Tensor {
            let cotangent = try fixture.tensor("input.cotangent." + name)
            return valueAndGradient(
                of: { (function($0) * cotangent).mean() }, at: try fixture.tensor("input." + name)
            ).gradient
        }
        let pictures = try gradient("pictures") {
            let distribution = network.encode($0)
            return concatenated([distribution.mean, distribution.logVariance], along: 1)
        }
        expectClose(pictures, try fixture.tensor("gradient.pictures"), ofLargest: 1e-4)
        let latents = try gradient("latents") { network.decode($0) }
        expectClose(latents, try fixture.tensor("gradient.latents"), ofLargest: 1e-4)
    }

    @Test(arguments: try Fixture.all(in: "autoencoders", prefix: "posterior-"))
    func `the posterior is that of diffusers, its noise drawn from the same seed`(_ fixture: Fixture) throws {
        let distribution = LatentDistribution(try fixture.tensor("moments"))
        let other = LatentDistribution(try fixture.tensor("other"))
        func expect(_ value: Tensor, _ name: String) throws {
            expectClose(value, try fixture.tensor(name), relative: 1e-12, name)
        }
        try expect(distribution.mean, "mean")
        try expect(distribution.mode, "mean")
        try expect(distribution.logVariance, "log_variance")
        #expect(try distribution.logVariance.max().item() == 20)
        #expect(try distribution.logVariance.min().item() == -30)
        let generator = RandomGenerator(seed: UInt64(try fixture.case.required("noise", as: Int.self)))
        try expect(distribution.sample(generator.normal([3, 2, 2, 3], .float64)), "sample")
        try expect(distribution.divergence(), "divergence")
        try expect(distribution.divergence(from: other), "divergence_from_other")
        try expect(
            other.negativeLogLikelihood(of: try fixture.tensor("values")), "negative_log_likelihood")
    }

    /// Counts that diffusers gives for published configurations.
    @Test func `published parameter counts are reproduced`() throws {
        let stable = published
        #expect(try counts(stable, AutoencoderKL.self).parameterCount == 83_653_863)
        var third = stable
        third.coder.latentChannels = 16
        (third.useQuantConv, third.usePostQuantConv) = (false, false)
        #expect(try counts(third, AutoencoderKL.self).parameterCount == 83_819_683)
    }

    @Test func `pictures one after the other are the pictures together`() throws {
        var network = try small()
        let latents = RandomGenerator(seed: 3).normal([3, 4, 4, 6])
        let pictures = RandomGenerator(seed: 4).normal([3, 3, 8, 12])
        let (together, moments) = (network.decode(latents), network.encode(pictures))
        network.isSlicing = true
        expectClose(network.decode(latents), together, ofLargest: 1e-5)
        expectClose(network.encode(pictures).mean, moments.mean, ofLargest: 1e-5)
    }

    @Test func `tiles change nothing where one holds the picture, and the result where several do`() throws {
        var network = try small()
        let latents = RandomGenerator(seed: 5).normal([1, 4, 6, 4])
        let whole = network.decode(latents)
        network.tiling = Tiling(pictureSize: 12, latentSize: 6)
        #expect(try network.decode(latents).isIdentical(to: whole))
        network.tiling = Tiling(pictureSize: 8, latentSize: 4)
        #expect(network.decode(latents).shape == whole.shape)
        #expect(try distance(network.decode(latents), whole) > 1e-3)
    }

    @Test func `the tiles of a configuration are diffusers', and always advance`() {
        var configuration = published
        configuration.coder.sampleSize = .rectangle(height: 512, width: 768)
        #expect(configuration.tiling == Tiling(pictureSize: 512, latentSize: 64, overlap: 0.25))
        configuration.coder.sampleSize = .square(8)
        #expect(configuration.tiling == Tiling(pictureSize: 16, latentSize: 2))
    }

    @Test func `latents are scaled as each family does, and back`() throws {
        let latents = RandomGenerator(seed: 6).normal([2, 2, 3, 3], .float64)
        let shifted = LatentScaling(factor: 1.5305, shift: 0.0609)
        expectClose(shifted.scaled(latents), (latents - 0.0609) * 1.5305, relative: 1e-14)
        let channels = LatentScaling.Channels(mean: [0.5, -1], deviation: [2, 4])
        let moments = LatentScaling(factor: 0.5, channels: channels)
        let expected = concatenated(
            [(latents.slice(0..<1, of: 1) - 0.5) / 4, (latents.slice(1..<2, of: 1) + 1) / 8], along: 1)
        expectClose(moments.scaled(latents), expected, absolute: 1e-14)
        for scaling in [LatentScaling(factor: 0.18215), shifted, moments] {
            expectClose(scaling.unscaled(scaling.scaled(latents)), latents, absolute: 1e-14)
        }
    }

    @Test func `latents of pictures are drawn with noise of their own shape`() throws {
        let network = try small()
        let pictures = RandomGenerator(seed: 7).normal([2, 3, 8, 8])
        var asked: [Shape] = []
        let latents = network.latents(of: pictures) { shape in
            asked.append(shape)
            return RandomGenerator(seed: 8).normal(shape)
        }
        #expect(asked == [[2, 4, 4, 4]])
        let expected = network.encode(pictures).sample(RandomGenerator(seed: 8).normal([2, 4, 4, 4]))
        #expect(try latents.isIdentical(to: expected))
    }

    private func small() throws -> AutoencoderKL {
        var configuration = AutoencoderKLConfiguration()
        configuration.coder.blockOutChannels = [8, 8]
        configuration.coder.downBlockTypes = [.plain, .plain]
        configuration.coder.upBlockTypes = [.plain, .plain]
        configuration.coder.normNumGroups = 4
        return try ParameterStore(.initialized(RandomGenerator(seed: 2))).build {
            try AutoencoderKL(configuration, $0)
        }
    }
}

/// That of Stable Diffusion 1 and 2.
private var published: AutoencoderKLConfiguration {
    var configuration = AutoencoderKLConfiguration()
    configuration.coder.blockOutChannels = [128, 256, 512, 512]
    configuration.coder.downBlockTypes = Array(repeating: .plain, count: 4)
    configuration.coder.upBlockTypes = Array(repeating: .plain, count: 4)
    configuration.coder.layersPerBlock = 2
    configuration.coder.sampleSize = .square(512)
    return configuration
}
