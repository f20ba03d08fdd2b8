import Layers
import Tensors

/// The autoregressive prior of unCLIP: CLIP's embedding of a picture, as a sequence of quantized principal components, of the
/// text that it may belong to.
///
/// A causal transformer over the states of the text, the text as a whole, the bucket of the cosine of text and picture, and
/// the components so far. Parameters `encoder_hidden_states_proj.*`, `embedding_proj.*`, `cosine_embedding.*`,
/// `code_embedding.*`, `positional_embedding`, `transformer_blocks.N.*`, `norm_out.*`, `proj_to_codes.*`; constants
/// `quantizer.*`.
/// Source: Ramesh et al. 2022 (arXiv:2204.06125), section 2.2.
public struct AutoregressivePrior: ConfiguredNetwork {
    /// The name in this project; no other program has a folder layout for it.
    public static var className: String { "AutoregressivePrior" }

    /// What the network was built from.
    public let configuration: AutoregressivePriorConfiguration
    /// From embeddings to sequences and back.
    public let quantizer: EmbeddingQuantizer

    let stateProjection: Linear
    let textProjection: Linear
    let cosineTable: Embedding
    let codeTable: Embedding
    let places: Tensor
    let blocks: [PriorBlock]
    let outputNorm: LayerNorm
    let outputProjection: Linear

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: AutoregressivePriorConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (width, buckets) = (configuration.width, configuration.buckets)
        stateProjection = Linear(
            inputs: configuration.stateDim, outputs: width, weights["encoder_hidden_states_proj"])
        textProjection = Linear(
            inputs: configuration.embeddingDim, outputs: width, weights["embedding_proj"])
        cosineTable = Embedding(
            count: buckets, width: width, deviation: 0.02, weights["cosine_embedding"])
        codeTable = Embedding(count: buckets, width: width, deviation: 0.02, weights["code_embedding"])
        let count = configuration.prefix + configuration.components - 1
        places = weights.parameter("positional_embedding", [1, count, width], .normal(deviation: 0.02))
        blocks = (0..<configuration.numLayers).map {
            PriorBlock(configuration.blocks, weights["transformer_blocks"][$0])
        }
        outputNorm = LayerNorm(width: width, weights["norm_out"])
        outputProjection = Linear(inputs: width, outputs: buckets, weights["proj_to_codes"])
        quantizer = EmbeddingQuantizer(
            features: configuration.embeddingDim, components: configuration.components, buckets: buckets,
            weights["quantizer"])
    }

    /// The logits of the components after those that are known.
    ///
    /// - Parameters:
    ///   - codes: the first components' buckets `[batch, known]` as `int64`, fewer than there are.
    ///   - cosine: the bucket of the cosine of text and picture, `[batch]` as `int64`.
    ///   - conditions: the context (states of the text) with its mask, and the pooled text.
    ///   - dropout: decides what dropout drops; `nil` outside training.
    /// - Returns: `[batch, known + 1, buckets]`: of every component from the first on, given those before it.
    public func callAsFunction(
        codes: Tensor, cosine: Tensor, _ conditions: Conditions, dropout: RandomGenerator? = nil
    ) -> Tensor {
        guard let states = conditions[.context], let mask = conditions[.contextMask],
            let text = conditions[.pooledText]
        else { preconditionFailure("a prior needs the states of a text, their mask and the text as a whole") }
        let known = codes.shape[1]
        let (prefix, count) = (configuration.prefix, configuration.prefix + known)
        precondition(
            states.shape[1] == configuration.numEmbeddings && known < configuration.components,
            "\(states.shape[1]) tokens of a text and \(known) components, and the prior takes \(configuration.numEmbeddings) and at most \(configuration.components - 1)"
        )
        let parts = [
            stateProjection(states), textProjection(text).unsqueezed(1), cosineTable(cosine).unsqueezed(1),
            codeTable(codes),
        ]
        var tokens = concatenated(parts, along: 1) + places.slice(0..<count, of: 1)
        let seen = visibleBefore(mask, count)
        for block in blocks {
            tokens = recomputable([tokens], dropout: dropout) {
                block($0[0], mask: seen, dropout: dropout)
            }
        }
        return outputProjection(outputNorm(tokens.slice(prefix - 1..<count, of: 1)))
    }

    /// What a token sees: itself and those before it that are no padding, `[batch, 1, count, count]` of booleans.
    private func visibleBefore(_ mask: Tensor, _ count: Int) -> Tensor {
        let isText = mask.padded([0, count - configuration.numEmbeddings], value: 1)
        return visible(isText) .& Tensor.ones([count, count], .bool, on: mask.device).lowerTriangle()
    }
}
