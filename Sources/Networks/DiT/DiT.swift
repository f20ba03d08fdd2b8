import Checkpoints
import Layers
import Tensors

/// The diffusion transformer of pictures with a class, under the parameter names of diffusers'
/// `DiTTransformer2DModel`.
///
/// Patches are tokens; time and class reach every block as shifts, scales and gates. diffusers gives each
/// block embedders of time and class of its own, and starts the frequencies of time a little otherwise
/// than the authors' program; so does this network, whose pictures are to be diffusers'.
/// Source: Peebles and Xie 2023 (arXiv:2212.09748).
public struct DiT: Sendable {
    /// What the network was built from.
    public let configuration: DiTConfiguration

    let patches: PatchEmbedding
    let blocks: [DiTBlock]
    let outputModulation: Modulation
    let outputNorm: LayerNorm
    let outputProjection: Linear

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: DiTConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (width, patch) = (configuration.width, configuration.patchSize)
        patches = PatchEmbedding(
            channels: configuration.inChannels, width: width, patch: patch,
            base: configuration.sampleSize / patch, tableSize: nil, weights["pos_embed"])
        blocks = (0..<configuration.numLayers).map {
            DiTBlock(configuration, weights["transformer_blocks"][$0])
        }
        outputModulation = Modulation(width: width, count: 2, weights["proj_out_1"])
        outputNorm = LayerNorm(width: width, epsilon: 1e-6, affine: false, weights["norm_out"])
        outputProjection = Linear(
            inputs: width, outputs: patch * patch * (configuration.outChannels ?? configuration.inChannels),
            initializer: .zeros, weights["proj_out_2"])
    }

    /// The network's output for a batch.
    ///
    /// - Parameters:
    ///   - x: `[batch, inChannels, height, width]`, in the element type of the weights; height and width are
    ///     multiples of the patch.
    ///   - time: `[batch]`, or `[1]` for all alike.
    ///   - labels: `[batch]` as `int64`, or `[1]` for all alike; `nil` stands for no class.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, outChannels, height, width]`; a learned variance follows the noise.
    public func callAsFunction(
        _ x: Tensor, time: Tensor, labels: Tensor? = nil, dropout: RandomGenerator? = nil
    ) -> Tensor {
        let (rows, columns) = patchGrid(of: x, patch: configuration.patchSize)
        let frequencies = sinusoidalEmbedding(time, width: 256, shift: 1, cosinesFirst: true)
            .to(x.elementType)
        let labels = labels ?? .full(Double(configuration.nullClass), [1], .int64, on: x.device)
        let conditions = blocks.map { $0.condition(frequencies, labels) }
        var tokens = patches(x)
        for (block, condition) in zip(blocks, conditions) {
            tokens = recomputable([tokens, condition], dropout: dropout) {
                block($0[0], condition: $0[1], dropout: dropout)
            }
        }
        let parts = outputModulation(conditions[0])
        tokens = outputProjection(outputNorm(tokens, shift: parts[0], scale: parts[1]))
        return joinedPatches(tokens, rows: rows, columns: columns, patch: configuration.patchSize)
    }
}

/// Attention among patches and a feed-forward network, both modulated by the time and the class.
/// Parameters `norm1.*`, `attn1.*`, `norm3.*`, `ff.*`.
struct DiTBlock {
    let timeEmbedding: TimestepEmbedding
    let labelEmbedding: Embedding
    let modulation: Modulation
    let norm1: LayerNorm
    let attention: SelfAttention
    let norm3: LayerNorm
    let feedForward: FeedForward
    let dropout: Dropout

    init(_ configuration: DiTConfiguration, _ weights: Weights) {
        let width = configuration.width
        let embedder = weights["norm1"]["emb"]
        timeEmbedding = TimestepEmbedding(inputs: 256, outputs: width, embedder["timestep_embedder"])
        labelEmbedding = Embedding(
            count: configuration.numEmbedsAdaNorm + 1, width: width,
            embedder["class_embedder"]["embedding_table"])
        modulation = Modulation(width: width, count: 6, weights["norm1"]["linear"])
        norm1 = LayerNorm(width: width, epsilon: 1e-6, affine: false, weights["norm1"]["norm"])
        attention = SelfAttention(
            width: width, heads: configuration.numAttentionHeads, headSize: configuration.attentionHeadDim,
            bias: configuration.attentionBias, weights["attn1"])
        norm3 = LayerNorm(
            width: width, epsilon: configuration.normEps, affine: configuration.normElementwiseAffine,
            weights["norm3"])
        feedForward = FeedForward(
            width: width, configuration.activationFn, dropout: configuration.dropout, weights["ff"])
        dropout = Dropout(configuration.dropout)
    }

    /// Time and class as this block embeds them, after the non-linearity.
    /// - Parameters:
    ///   - frequencies: `[batch, 256]`
    ///   - labels: `[batch]`
    /// - Returns: `[batch, width]`
    func condition(_ frequencies: Tensor, _ labels: Tensor) -> Tensor {
        (timeEmbedding(frequencies) + labelEmbedding(labels)).silu()
    }

    /// `[batch, patches, width]`, the shape stays.
    func callAsFunction(_ x: Tensor, condition: Tensor, dropout generator: RandomGenerator?) -> Tensor {
        let parts = modulation(condition)
        let normed = norm1(x, shift: parts[0], scale: parts[1])
        let attended =
            dropout.probability > 0
            ? x.adding(dropout(attention(normed), generator), gatedBy: parts[2])
            : attention(normed, adding: x, gatedBy: parts[2])
        return feedForward(
            norm3(attended, shift: parts[3], scale: parts[4]), adding: attended, gatedBy: parts[5],
            dropout: generator)
    }
}
