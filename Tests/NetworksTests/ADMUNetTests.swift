import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// The U-Net of guided diffusion: counts of published networks, and what it is beside a `UNet2D`.
@Suite struct ADMUNetTests {
    /// A network by the flags of its authors.
    private static func published(
        _ channels: [Int], layers: Int, attention: Set<Int>, classes: Int? = 1000, features: Int? = nil,
        isImproved: Bool = false, enlarges: Bool = false
    ) -> ADMUNetConfiguration {
        var configuration = ADMUNetConfiguration()
        let levels = channels.indices
        let plain: (UNet2DConfiguration.DownBlockType, UNet2DConfiguration.UpBlockType) =
            isImproved ? (.plain, .plain) : (.residual, .residual)
        configuration.unet.downBlockTypes = levels.map { attention.contains($0) ? .attention : plain.0 }
        configuration.unet.upBlockTypes = levels.reversed().map {
            attention.contains($0) ? .attention : plain.1
        }
        let resampling: UNet2DConfiguration.ResamplingType = isImproved ? .conv : .resnet
        (configuration.unet.downsampleType, configuration.unet.upsampleType) = (resampling, resampling)
        (configuration.unet.blockOutChannels, configuration.unet.layersPerBlock) = (channels, layers)
        (configuration.unet.outChannels, configuration.unet.numClassEmbeds) = (6, classes)
        (configuration.unet.normNumGroups, configuration.unet.attentionHeadDim) = (32, 64)
        configuration.unet.timeFeatureCount = features
        configuration.lowResolutionFactor = enlarges ? 4 : nil
        return configuration
    }

    /// The numbers of parameters that the published code gives for the flags of its checkpoints.
    @Test(arguments: [
        ("512", 558_997_638), ("iDDPM 64", 121_063_942), ("iDDPM CIFAR-10", 52_546_438),
        ("64 to 256", 311_795_910), ("128 to 512", 308_835_270),
    ])
    func publishedNetworksHaveTheirCounts(name: String, count: Int) throws {
        let upsampler = [192, 192, 384, 384, 768, 768]
        let configurations = [
            "512": Self.published(
                [128, 256, 256, 512, 512, 1024, 1024], layers: 2, attention: [4, 5, 6], features: 256),
            "iDDPM 64": Self.published(
                [128, 256, 384, 512], layers: 3, attention: [2, 3], classes: nil, isImproved: true),
            "iDDPM CIFAR-10": Self.published(
                [128, 256, 256, 256], layers: 3, attention: [1, 2], classes: nil, isImproved: true),
            "64 to 256": Self.published(upsampler, layers: 2, attention: [3, 4, 5], enlarges: true),
            "128 to 512": Self.published(upsampler, layers: 2, attention: [4, 5], enlarges: true),
        ]
        let configuration = try #require(configurations[name])
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try ADMUNet(configuration, $0) }
        #expect(store.parameterCount == count)
    }

    /// The first level of the classifier of 512 pixels has half of the features of its time.
    @Test func theClassifierOf512PixelsHasItsCount() throws {
        let object = try UNetClassifier.json(UNetClassifierConfiguration())
        var settings = try UNetClassifier.configuration(object)
        settings.encoder =
            Self.published(
                [64, 128, 128, 256, 256, 512, 512], layers: 2, attention: [4, 5, 6], features: 128
            ).unet
        (settings.encoder.sampleSize, settings.numClasses) = (.square(512), 1000)
        let store = ParameterStore(.shapesOnly)
        _ = try store.build { try UNetClassifier(settings, $0) }
        #expect(store.parameterCount == 54_448_360)
    }

    private static func small() -> ADMUNetConfiguration {
        var configuration = ADMUNetConfiguration()
        configuration.unet.blockOutChannels = [8, 16]
        (configuration.unet.normNumGroups, configuration.unet.attentionHeadDim) = (4, 8)
        (configuration.unet.inChannels, configuration.unet.outChannels) = (1, 2)
        configuration.unet.numClassEmbeds = 3
        return configuration
    }

    private static func network(_ configuration: ADMUNetConfiguration, seed: UInt64 = 3) throws -> (
        ADMUNet, ParameterStore
    ) {
        let store = ParameterStore(.initialized(RandomGenerator(seed: seed)))
        return (try store.build { try ADMUNet(configuration, $0) }, store)
    }

    /// Two heads of 8 channels at 16 channels are heads of a width there; the low picture is resized and laid beside.
    @Test func anEnlargingNetworkIsAUNetOfBothPictures() throws {
        var configuration = Self.small()
        (configuration.unet.attentionHeadDim, configuration.unet.numAttentionHeads) = (nil, 2)
        (configuration.lowResolutionFactor, configuration.timeScale) = (2, 0.25)
        let (network, store) = try Self.network(configuration)
        var plain = configuration.unet
        (plain.inChannels, plain.attnNormNumGroups, plain.timeEmbeddingDim) = (2, 4, 32)
        (plain.numAttentionHeads, plain.attentionHeadDim) = (nil, 8)
        let source = TensorDictionary(Dictionary(uniqueKeysWithValues: store.named))
        let unet = try ParameterStore(.loaded(source)).build { try UNet2D(plain, $0) }
        let draw = RandomGenerator(seed: 4)
        let (x, low) = (draw.normal([2, 1, 8, 8]), draw.normal([2, 1, 4, 4]))
        var conditions = Conditions(labels: Tensor([0, 2] as [Int]))
        conditions[.lowResolution] = low
        let time = Tensor([40, 700] as [Float])
        let found = network(x, time: time, conditions, dropout: nil)
        let both = concatenated([x, low.resizedBilinear(height: 8, width: 8)], along: 1)
        let expected = unet(both, time: time * 0.25, labels: conditions[.labels])
        #expect(try found.isIdentical(to: expected))
        #expect(found.shape == [2, 2, 8, 8])
    }

    /// The noise level is embedded beside the time: another level gives another output, each example its own.
    @Test func theNoiseLevelIsACondition() throws {
        var configuration = Self.small()
        (configuration.lowResolutionFactor, configuration.hasNoiseLevel) = (2, true)
        let (network, store) = try Self.network(configuration)
        #expect(store.named.contains { $0.0 == "noise_level_embedding.linear_2.bias" })
        let draw = RandomGenerator(seed: 4)
        let (x, low) = (draw.normal([2, 1, 8, 8]), draw.normal([2, 1, 4, 4]))
        func output(_ levels: [Float]) -> Tensor {
            var conditions = Conditions(labels: Tensor([0, 2] as [Int]))
            (conditions[.lowResolution], conditions[.noiseLevel]) = (low, Tensor(levels))
            return network(x, time: Tensor([5] as [Float]), conditions, dropout: nil)
        }
        let (one, other) = (output([100, 100]), output([100, 600]))
        #expect(try output([100]).isIdentical(to: one))
        expectClose(other.slice(0..<1, of: 0), one.slice(0..<1, of: 0), absolute: 1e-6)
        #expect(try (other - one).slice(1..<2, of: 0).magnitude().max().item(Double.self) > 1e-4)
    }

    @Test func whatCannotBeBuiltIsNamed() throws {
        func problem(_ change: (inout ADMUNetConfiguration) -> Void) -> String {
            var configuration = Self.small()
            change(&configuration)
            do {
                try configuration.validate()
                return ""
            } catch { return "\(error)" }
        }
        #expect(problem { $0.hasNoiseLevel = true }.contains("noise_level_embedding"))
        #expect(problem { $0.timeScale = 0 }.contains("time_scale"))
        #expect(problem { $0.lowResolutionFactor = 0 }.contains("low_resolution_factor"))
        #expect(problem { $0.unet.numAttentionHeads = 3 }.contains("num_attention_heads"))
        #expect(problem { $0.unet.timeFeatureCount = 1 }.contains("time_features"))
        #expect(problem { _ in } == "")
    }
}
