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
    let timeEmbedding: TimestepEmbedding
    let pooledEmbedding: TimestepEmbedding
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
        patches = PatchEmbedding(
            channels: configuration.inChannels, width: width, patch: patch,
            base: configuration.sampleSize / patch, tableSize: configuration.posEmbedMaxSize,
            weights["pos_embed"])
        let embedder = weights["time_text_embed"]
        timeEmbedding = TimestepEmbedding(inputs: 256, outputs: width, embedder["timestep_embedder"])
        pooledEmbedding = TimestepEmbedding(
            inputs: configuration.pooledProjectionDim, outputs: width, embedder["text_embedder"])
        contextEmbedding = Linear(
            inputs: configuration.jointAttentionDim, outputs: width, weights["context_embedder"])
        blocks = (0..<configuration.numLayers).map {
            JointBlock(configuration, layer: $0, weights["transformer_blocks"][$0])
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
    /// - Returns: `[batch, outChannels, height, width]`
    public func callAsFunction(
        _ x: Tensor, time: Tensor, context: Tensor, pooled: Tensor, skippedLayers: Set<Int> = []
    ) -> Tensor {
        let patch = configuration.patchSize
        let (rows, columns) = patchGrid(of: x, patch: patch)
        let frequencies = sinusoidalEmbedding(time, width: 256, cosinesFirst: true).to(x.elementType)
        let condition = (timeEmbedding(frequencies) + pooledEmbedding(pooled)).silu()
        var (tokens, context) = (patches(x), contextEmbedding(context))
        for (layer, block) in blocks.enumerated() where !skippedLayers.contains(layer) {
            let answers = recomputable([tokens, context, condition], dropout: nil) { given -> [Tensor] in
                let answers = block(given[0], context: given[1], condition: given[2])
                return block.answersContext ? [answers.0, answers.1] : [answers.0]
            }
            tokens = answers[0]
            if answers.count > 1 { context = answers[1] }
        }
        let parts = outputModulation(condition)
        tokens = outputProjection(outputNorm(tokens, shift: parts[1], scale: parts[0]))
        return joinedPatches(tokens, rows: rows, columns: columns, patch: patch)
    }
}
