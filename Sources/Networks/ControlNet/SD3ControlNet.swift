import Checkpoints
import Layers
import Tensors

/// A network that reads a picture's latents beside a transformer's inputs and says what is added to its patches after its blocks,
/// under the parameter names of diffusers' `SD3ControlNetModel`.
///
/// It is a copy of some of the blocks that is trained apart from the transformer; what comes out of each passes through a matrix
/// that begins as zeros, so that an untrained one changes nothing.
/// Source: Zhang et al. 2023 (arXiv:2302.05543), section 3.2, for the transformer of Esser et al. 2024 (arXiv:2403.03206).
public struct SD3ControlNet: Sendable {
    /// What the network was built from.
    public let configuration: SD3ControlNetConfiguration

    /// Its own patches; `nil` where they are the transformer's.
    private let patches: PatchEmbedding?
    private let pictureEmbedding: PatchEmbedding
    private let embedding: TimeTextEmbedding
    private let contextEmbedding: Linear?
    private let blocks: Blocks
    private let outputs: [Linear]

    /// Blocks of both streams, or of patches alone.
    private enum Blocks: Sendable {
        case joint([JointBlock])
        case single([PatchBlock])
    }

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: SD3ControlNetConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let transformer = configuration.transformer
        let (width, layers) = (transformer.width, 0..<transformer.numLayers)
        let scope = weights["pos_embed"]
        switch (configuration.usePosEmbed, configuration.posEmbedType) {
        case (false, _): patches = nil
        case (true, .sinusoidal): patches = PatchEmbedding(transformer, scope)
        case (true, nil):
            patches = PatchEmbedding(
                withoutPlaces: transformer.inChannels, width: width, patch: transformer.patchSize, scope)
        }
        embedding = TimeTextEmbedding(transformer, weights["time_text_embed"])
        contextEmbedding = configuration.jointAttentionDim.map {
            Linear(inputs: $0, outputs: width, weights["context_embedder"])
        }
        let all = weights["transformer_blocks"]
        blocks =
            configuration.jointAttentionDim == nil
            ? .single(layers.map { PatchBlock(transformer, all[$0]) })
            : .joint(layers.map { JointBlock(transformer, layer: $0, answersContext: true, all[$0]) })
        outputs = layers.map {
            Linear(
                inputs: width, outputs: width, initializer: .zeros, weights["controlnet_blocks"][$0])
        }
        pictureEmbedding = PatchEmbedding(
            withoutPlaces: transformer.inChannels + configuration.extraConditioningChannels, width: width,
            patch: transformer.patchSize, initializer: .zeros, weights["pos_embed_input"])
    }

    /// A picture as the network adds it to its patches; the same in every step of a run.
    /// - Parameter picture: its latents and what is laid beside them,
    ///   `[batch, inChannels + extraConditioningChannels, height, width]`, in the element type of the weights.
    /// - Returns: `[batch, patches, width]`
    public func embedded(_ picture: Tensor) -> Tensor { pictureEmbedding(picture) }

    /// What is added to a transformer.
    ///
    /// - Parameters:
    ///   - x: `[batch, inChannels, height, width]`, the transformer's sample.
    ///   - time: `[batch]`, or `[1]` for all alike; from 0 to 1,000.
    ///   - conditions: those of the transformer.
    ///   - picture: the embedded picture, `[1 or batch, patches, width]`.
    ///   - shared: the transformer's patches, for a network that has none of its own.
    /// - Returns: one tensor `[batch, patches, width]` for each of its own blocks.
    package func callAsFunction(
        _ x: Tensor, time: Tensor, _ conditions: Conditions, picture: Tensor, patches shared: PatchEmbedding?
    ) -> [Tensor] {
        conditions.checkRead(
            [Conditions.Key.context.name, Conditions.Key.pooledText.name], by: Self.className)
        guard let pooled = conditions[.pooledText], let patches = patches ?? shared else {
            preconditionFailure("this network needs a pooled text, and patches where it has none of its own")
        }
        let isBlind =
            configuration.forceZerosForPooledProjection || configuration.extraConditioningChannels > 0
        let condition = embedding(time, pooled: isBlind ? pooled.zerosAlike() : pooled)
        var tokens = patches(x) + picture
        var found: [Tensor] = []
        switch blocks {
        case .single(let blocks):
            for block in blocks {
                tokens = block(tokens, condition: condition)
                found.append(tokens)
            }
        case .joint(let blocks):
            guard var context = conditions[.context], let contextEmbedding else {
                preconditionFailure("this network needs a context")
            }
            context = contextEmbedding(context)
            for block in blocks {
                (tokens, context) = block(tokens, context: context, condition: condition)
                found.append(tokens)
            }
        }
        return zip(outputs, found).map { $0($1) }
    }

    /// Control for each block of a transformer but the last: what a block of this network gives serves as many blocks there as
    /// it stands for.
    /// - Parameter count: the transformer's blocks.
    public static func spread(_ control: [Tensor], over count: Int) -> [Tensor] {
        let share = Double(count) / Double(control.count)
        return (0..<max(count - 1, 0)).map { control[Int(Double($0) / share)] }
    }
}

extension SD3ControlNet: ConfiguredNetwork {
    /// The name in diffusers.
    public static var className: String { "SD3ControlNetModel" }

    /// The table that places are cut out of.
    public static func placeTable(named name: String) -> PlaceTable? { MMDiT.placeTable(named: name) }
}

/// A block of patches that attend to each other alone. Parameters `norm1.*`, `attn.*`, `ff.*`.
private struct PatchBlock: Sendable {
    let norm: LayerNorm
    let modulation: Modulation
    let attention: JointAttention
    let feedForward: FeedForward

    init(_ configuration: MMDiTConfiguration, _ weights: Weights) {
        var plain = configuration
        // diffusers gives these blocks no norms of queries and keys.
        plain.qkNorm = nil
        let width = configuration.width
        norm = LayerNorm(width: width, epsilon: 1e-6, affine: false, weights)
        modulation = Modulation(width: width, count: 6, weights["norm1"]["linear"])
        attention = JointAttention(plain, hasContext: false, answersContext: false, weights["attn"])
        feedForward = FeedForward(width: width, .geluApproximate, weights["ff"])
    }

    func callAsFunction(_ x: Tensor, condition: Tensor) -> Tensor {
        let parts = modulation(condition)
        let answer = attention(norm(x, shift: parts[0], scale: parts[1])).picture
        let hidden = x.adding(answer, gatedBy: parts[2])
        return feedForward(norm(hidden, shift: parts[3], scale: parts[4]), adding: hidden, gatedBy: parts[5])
    }
}
