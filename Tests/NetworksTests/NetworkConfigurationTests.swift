import Checkpoints
import Layers
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct NetworkConfigurationTests {
    @Test func `every denoising network has a word and a class of its own`() {
        let networks = KnownNetworks.denoising
        // Recipes, folders and older runs name these.
        let words = networks.map { $0.word }
        #expect(
            Set(words).isSuperset(of: ["unet2d", "annotated", "unet2d-condition", "dit", "mmdit", "mlp"]))
        #expect(Set(words).count == words.count)
        for network in networks {
            #expect(KnownNetworks.denoising(word: network.word) == network)
            #expect(KnownNetworks.denoising(word: network.className) == network)
            #expect(KnownNetworks.network(named: network.className) == network)
        }
        #expect(KnownNetworks.denoising(word: "unet") == nil)
    }

    @Test func `a configuration survives its file`() throws {
        for network in KnownNetworks.denoising {
            let defaults = NetworkConfiguration(defaultsOf: network)
            let json = try defaults.json()
            #expect(json["_class_name"] == .string(network.className))
            #expect(try NetworkConfiguration(json) == defaults)
            #expect(defaults.className == network.className)
        }
        let error = #expect(throws: CheckpointError.self) {
            try NetworkConfiguration(["_class_name": "UNet9DModel"])
        }
        #expect(error?.description.contains("the network class \"UNet9DModel\" is not known here") == true)
        #expect(NetworkConfiguration(DiTConfiguration()) != NetworkConfiguration(MMDiTConfiguration()))
    }

    @Test func `traits say what a network takes`() {
        var unet = UNet2DConfiguration()
        (unet.sampleSize, unet.outChannels) = (.rectangle(height: 8, width: 16), 6)
        let plain = NetworkConfiguration(unet)
        #expect(plain.family == "ddpm" && plain.channels == 3 && plain.outputChannels == 6)
        #expect(plain.learnsVariance && plain.sizeMultiple == 8 && plain.labels == nil)
        #expect(plain.pictureSize! == (8, 16) && plain.hasDeepFeatures && plain.context == nil)
        unet.numClassEmbeds = 11
        #expect(NetworkConfiguration(unet).labels == .init(count: 11, nullClass: nil, isRequired: true))

        var condition = UNet2DConditionConfiguration()
        condition.crossAttentionDim = .same(768)
        #expect(NetworkConfiguration(condition).context == .init(width: 768, key: "cross_attention_dim"))
        condition.crossAttentionDim = .each([8, 8, 8, 16])
        #expect(NetworkConfiguration(condition).context == .init(width: nil, key: "cross_attention_dim"))
        condition.downBlockTypes = [.plain, .plain, .plain, .plain]
        condition.upBlockTypes = condition.downBlockTypes.map { _ in .plain }
        condition.midBlockType = .plain
        #expect(
            NetworkConfiguration(condition).context == nil
                && NetworkConfiguration(condition).sizeMultiple == 1)

        let transformer = NetworkConfiguration(DiTConfiguration(.small))
        #expect(transformer.labels == .init(count: 1001, nullClass: 1000, isRequired: false))
        #expect(
            transformer.labels?.namedCount == 1000 && transformer.patch == 2 && transformer.learnsVariance)

        let joint = NetworkConfiguration(MMDiTConfiguration())
        #expect(joint.context?.width == 4096 && joint.pooled?.width == 2048 && joint.largestSide == 192)

        let points = NetworkConfiguration(MLPConfiguration())
        #expect(points.sample == .point && points.sample.rank == 1 && points.library == "langevin")
        #expect(points.activationCount([2]) == 3 * 128)
    }

    /// Data decide what is left open, and nothing that was given.
    @Test func `networks are fitted to data`() throws {
        var demands = NetworkDemands(sample: [1, 8, 12])
        (demands.classes, demands.learnsVariance) = (11, true)
        (demands.contextWidth, demands.pooledWidth) = (48, 32)
        for network in KnownNetworks.denoising {
            let defaults = NetworkConfiguration(defaultsOf: network)
            guard defaults.sample == .picture else { continue }
            let fitted = defaults.traits(fittedTo: demands)
            #expect(fitted.channels == 1 && fitted.outputChannels == 2, "\(network)")
            #expect(fitted.labels == nil || fitted.classCount == 11)
            #expect(fitted.context == nil || fitted.context?.width == 48)
            #expect(fitted.pooled == nil || fitted.pooled?.width == 32)
        }
        #expect(NetworkConfiguration(UNet2DConfiguration()).traits(fittedTo: demands).pictureSize! == (8, 12))
        demands.given = ["in_channels", "num_class_embeds"]
        let kept = NetworkConfiguration(UNet2DConfiguration()).traits(fittedTo: demands)
        #expect(kept.channels == 3 && kept.outputChannels == 2 && kept.labels == nil)

        var points = NetworkDemands(sample: [7])
        points.learnsVariance = true
        let fitted = NetworkConfiguration(MLPConfiguration()).traits(fittedTo: points)
        #expect(fitted.channels == 7 && fitted.outputChannels == 14 && fitted.labels == nil)

        // Tokens inside are as wide as the heads make them.
        var joint = MMDiTConfiguration()
        joint.numAttentionHeads = 2
        #expect(throws: NetworkError.self) { try joint.validate() }
        _ = try NetworkConfiguration(joint).fitted(to: NetworkDemands())
    }
}

extension NetworkConfiguration {
    fileprivate func traits(fittedTo demands: NetworkDemands) -> NetworkTraits {
        func traits<Settings: NetworkSettings>(_ settings: Settings) -> NetworkTraits {
            Settings.Network.traits(Settings.Network.fitted(settings, to: demands))
        }
        return traits(settings)
    }
}
