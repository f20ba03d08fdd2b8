import Layers
import Tensors

/// The diffusion transformer of pictures with a text, under the parameter names of diffusers'
/// `SD3Transformer2DModel`: Stable Diffusion 3 and 3.5.
///
/// Patches and text are two streams with weights of their own that attend to each other in every block.
/// Source: Esser et al. 2024 (arXiv:2403.03206), section 4.
public struct MMDiT: Sendable {
    /// What the network was built from.
    public let configuration: MMDiTConfiguration

    let patches: PatchEmbedding
    let embedding: TimeTextEmbedding
    let contextEmbedding: Linear
    let blocks: [JointBlock]
    let outputModulation: Modulation
    let outputNorm: LayerNorm
    let outputProjection: Linear

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: MMDiTConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (width, patch) = (configuration.width, configuration.patchSize)
        patches = PatchEmbedding(configuration, weights["pos_embed"])
        embedding = TimeTextEmbedding(configuration, weights["time_text_embed"])
        contextEmbedding = Linear(
            inputs: configuration.jointAttentionDim, outputs: width, weights["context_embedder"])
        blocks = (0..<configuration.numLayers).map {
            JointBlock(
                configuration, layer: $0, answersContext: $0 < configuration.numLayers - 1,
                weights["transformer_blocks"][$0])
        }
        outputModulation = Modulation(width: width, count: 2, weights["norm_out"]["linear"])
        outputNorm = LayerNorm(width: width, epsilon: 1e-6, affine: false, weights["norm_out"]["norm"])
        outputProjection = Linear(
            inputs: width, outputs: patch * patch * (configuration.outChannels ?? configuration.inChannels),
            initializer: .zeros, weights["proj_out"])
    }

    /// The network's output for a batch.
    ///
    /// - Parameters:
    ///   - x: `[batch, inChannels, height, width]`, in the element type of the weights; height and width are
    ///     multiples of the patch, at most `posEmbedMaxSize` times it where that is set.
    ///   - time: `[batch]`, or `[1]` for all alike; from 0 to 1,000.
    ///   - context: the tokens of the text, `[batch, tokens, jointAttentionDim]`.
    ///   - pooled: the text as a whole, `[batch, pooledProjectionDim]`.
    ///   - skippedLayers: blocks that are left out, as in the worse branch of the guidance that Stable
    ///     Diffusion 3.5 medium was published with (`skip_guidance_layers` of its pipeline).
    ///   - control: added to the patches after each block but the last, `[batch, patches, width]`; none, or one for each.
    /// - Returns: `[batch, outChannels, height, width]`
    public func callAsFunction(
        _ x: Tensor, time: Tensor, context: Tensor, pooled: Tensor, skippedLayers: Set<Int> = [],
        control: [Tensor] = []
    ) -> Tensor {
        precondition(
            control.isEmpty || control.count == blocks.count - 1,
            "there are \(control.count) tensors of control for \(blocks.count - 1) blocks")
        let patch = configuration.patchSize
        let (rows, columns) = patchGrid(of: x, patch: patch)
        let condition = embedding(time, pooled: pooled)
        var (tokens, context) = (patches(x), contextEmbedding(context))
        for (layer, block) in blocks.enumerated() {
            if !skippedLayers.contains(layer) {
                let answers = recomputable([tokens, context, condition], dropout: nil) { given -> [Tensor] in
                    let answers = block(given[0], context: given[1], condition: given[2])
                    return block.answersContext ? [answers.0, answers.1] : [answers.0]
                }
                tokens = answers[0]
                if answers.count > 1 { context = answers[1] }
            }
            if layer < control.count { tokens = tokens + control[layer] }
        }
        let parts = outputModulation(condition)
        tokens = outputProjection(outputNorm(tokens, shift: parts[1], scale: parts[0]))
        return joinedPatches(tokens, rows: rows, columns: columns, patch: patch)
    }
}
