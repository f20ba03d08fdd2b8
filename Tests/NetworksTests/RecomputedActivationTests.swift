import Layers
import Networks
import Tensors
import TestSupport
import Testing

/// Networks whose blocks compute their activations again have the gradients of those that keep them.
@Suite struct RecomputedActivationTests {
    /// Gradients by parameter of a network with random parameters, and that of the context.
    private func gradients<Network: NoiseNetwork>(
        _ channels: Int, context: Shape? = nil, recomputed: Bool,
        _ build: (Weights) throws -> Network
    ) throws -> [(String, Tensor)] {
        let draw = RandomGenerator(seed: 1)
        let store = ParameterStore(.initialized(draw), purpose: .training, elementType: .float64)
        let network = try store.build(build)
        for parameter in store.parameters { try parameter.fillNormal(mean: 0.1, deviation: 0.2, draw) }
        let x = draw.normal([2, channels, 8, 8], .float64)
        // The context is computed, too, as that of a text encoder in training.
        let source = context.map { draw.normal($0, .float64).requiringGradient() }
        let conditions = Conditions(context: source.map { $0 * 2 })
        let output = ActivationCheckpointing.enabled(where: recomputed) {
            network(x, time: Tensor([3, 700] as [Int64]), conditions, dropout: draw)
        }
        try output.squared().mean().backward()
        let found = try store.named.map { ($0, try #require($1.gradient, "\($0)")) }
        let state = [("generator", draw.normal([3]))]
        return found + state + (try source.map { [("context", try #require($0.gradient))] } ?? [])
    }

    private func expectSame<Network: NoiseNetwork>(
        _ channels: Int, context: Shape? = nil, _ build: (Weights) throws -> Network
    ) throws {
        let kept = try gradients(channels, context: context, recomputed: false, build)
        let again = try gradients(channels, context: context, recomputed: true, build)
        for (one, two) in zip(kept, again) {
            expectClose(one.1.to(.float64), two.1.to(.float64), absolute: 1e-12, ofLargest: 1e-10, one.0)
        }
    }

    @Test func unconditionalUNet() throws {
        var configuration = UNet2DConfiguration()
        configuration.blockOutChannels = [8, 16]
        configuration.downBlockTypes = [.plain, .attention]
        configuration.upBlockTypes = [.attention, .residual]
        (configuration.normNumGroups, configuration.attentionHeadDim) = (4, 4)
        configuration.dropout = 0.2
        try expectSame(3) { try UNet2D(configuration, $0) }
    }

    @Test func conditionalUNet() throws {
        var configuration = UNet2DConditionConfiguration()
        configuration.blockOutChannels = [8, 16]
        configuration.downBlockTypes = [.crossAttention, .plain]
        configuration.upBlockTypes = [.plain, .crossAttention]
        (configuration.normNumGroups, configuration.attentionHeadDim) = (4, .same(2))
        (configuration.crossAttentionDim, configuration.dropout) = (.same(6), 0.2)
        try expectSame(4, context: [2, 5, 6]) { try UNet2DCondition(configuration, $0) }
    }

    @Test func transformer() throws {
        var configuration = DiTConfiguration()
        (configuration.numAttentionHeads, configuration.attentionHeadDim) = (2, 4)
        (configuration.numLayers, configuration.sampleSize, configuration.dropout) = (3, 8, 0.2)
        configuration.numEmbedsAdaNorm = 10
        try expectSame(4) { try DiT(configuration, $0) }
    }

    /// How many parameters the record of a forward pass keeps: those that its backward pass misses when they have been
    /// written to in between. Blocks that are computed again keep none of theirs.
    private func keptParameters(
        _ store: ParameterStore, recomputed: Bool, _ forward: () throws -> Tensor
    ) throws -> Int {
        try store.named.count { _, parameter in
            let loss = try ActivationCheckpointing.enabled(where: recomputed) {
                try forward().squared().mean()
            }
            try withoutGradients { try parameter.assign(parameter.detached().copied()) }
            return (try? loss.backward()) == nil
        }
    }

    private func expectRecomputed(_ store: ParameterStore, _ forward: () throws -> Tensor) throws {
        func gradients(recomputed: Bool) throws -> [Tensor] {
            for parameter in store.parameters { try parameter.clearGradient() }
            try ActivationCheckpointing.enabled(where: recomputed) { try forward().squared().mean() }
                .backward()
            return try store.named.compactMap { try $1.gradient?.copied() }
        }
        let (kept, again) = (try gradients(recomputed: false), try gradients(recomputed: true))
        #expect(kept.count == again.count && !kept.isEmpty)
        for (one, two) in zip(kept, again) { expectClose(one, two, relative: 1e-4, absolute: 1e-6) }
        let (all, few) = (
            try keptParameters(store, recomputed: false, forward),
            try keptParameters(store, recomputed: true, forward)
        )
        #expect(few < all, "\(few) of \(all)")
    }

    @Test(arguments: TrainedNetworkTests.subjects)
    func everyDenoisingNetwork(_ subject: TrainedNetworkTests.Subject) throws {
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
        let network = try store.build(subject.configuration.network)
        // Layers that begin as zeros hide the others.
        let start = RandomGenerator(seed: 4)
        try withoutGradients {
            for (name, parameter) in store.named where !store.buffers.contains(name) {
                try parameter.assign(parameter.detached() + start.normal(parameter.shape) * 0.05)
            }
        }
        let draw = RandomGenerator(seed: 2)
        let (x, conditions) = (subject.samples(draw), subject.conditions(draw))
        try expectRecomputed(store) {
            network(x, time: Tensor([3, 700] as [Float]), conditions, dropout: nil)
        }
    }

    @Test func autoencoder() throws {
        var configuration = AutoencoderKLConfiguration()
        (configuration.coder.blockOutChannels, configuration.coder.normNumGroups) = ([8, 8], 4)
        configuration.coder.downBlockTypes = [.plain, .attention]
        configuration.coder.upBlockTypes = [.attention, .plain]
        let store = ParameterStore(.initialized(RandomGenerator(seed: 1)), purpose: .training)
        let network = try store.build { try AutoencoderKL(configuration, $0) }
        let pictures = RandomGenerator(seed: 2).normal([2, 3, 8, 8])
        try expectRecomputed(store) { network.decode(network.encode(pictures).mean) }
    }

    @Test func contrastiveTowers() throws {
        var configuration = CLIPConfiguration()
        (configuration.textConfig.vocabSize, configuration.textConfig.eosTokenId) = (20, 2)
        (configuration.textConfig.hiddenSize, configuration.textConfig.intermediateSize) = (8, 16)
        (configuration.textConfig.numHiddenLayers, configuration.textConfig.numAttentionHeads) = (2, 2)
        (configuration.visionConfig.hiddenSize, configuration.visionConfig.intermediateSize) = (8, 16)
        (configuration.visionConfig.numHiddenLayers, configuration.visionConfig.numAttentionHeads) = (2, 2)
        (configuration.visionConfig.imageSize, configuration.visionConfig.patchSize) = (8, 4)
        configuration.projectionDim = 6
        let store = ParameterStore(
            .initialized(RandomGenerator(seed: 1)), purpose: .training, elementType: .float64)
        let network = try store.build { try CLIP(configuration, $0) }
        let pictures = RandomGenerator(seed: 2).normal([2, 3, 8, 8], .float64)
        let ids = Tensor([1, 5, 2, 1, 7, 2] as [Int64], shape: [2, 3])
        try expectRecomputed(store) {
            network.logits(
                texts: network.textEmbeddings(ids), pictures: network.pictureEmbeddings(pictures))
        }
    }
}
