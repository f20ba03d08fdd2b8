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
}
