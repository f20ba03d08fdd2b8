import Checkpoints
import Layers
import Tensors

/// The text encoder of latent diffusion's text-to-image model, trained together with it, under the names of
/// diffusers' `LDMBertModel`.
/// Source: Rombach et al. 2022 (arXiv:2112.10752), section 4.3.1.
public struct LDMBert: ConfiguredNetwork {
    /// What the network was built from.
    public let configuration: LDMBertConfiguration

    let tokens: Embedding
    let positions: Embedding
    let layers: [LDMBertLayer]
    let finalNorm: LayerNorm
    /// Guesses tokens; checkpoints hold it, and generators have no use for it.
    let logits: Linear

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: LDMBertConfiguration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        let (model, width) = (weights["model"], configuration.dModel)
        tokens = Embedding(
            count: configuration.vocabSize, width: width, deviation: 0.02, model["embed_tokens"])
        positions = Embedding(
            count: configuration.maxPositionEmbeddings, width: width, deviation: 0.02,
            model["embed_positions"])
        layers = (0..<configuration.encoderLayers).map { LDMBertLayer(configuration, model["layers"][$0]) }
        finalNorm = LayerNorm(width: width, model["layer_norm"])
        logits = Linear(inputs: width, outputs: configuration.vocabSize, weights["to_logits"])
    }

    /// What a generator is conditioned on, `[batch, tokens, dModel]`.
    /// - Parameters:
    ///   - ids: tokens `[batch, tokens]` as `int64`, at most `maxPositionEmbeddings` a text.
    ///   - mask: `[batch, tokens]`, 0 where a token is padding that no other shall see; latent diffusion
    ///     gives none.
    public func callAsFunction(_ ids: Tensor, mask: Tensor? = nil) -> Tensor {
        let count = ids.shape[1]
        precondition(
            count <= configuration.maxPositionEmbeddings,
            "\(count) tokens, and the network knows \(configuration.maxPositionEmbeddings) places")
        let places = Tensor.range(to: Double(count), .int64, on: ids.device)
        let seen = mask.map(visible)
        return finalNorm(layers.reduce(tokens(ids) + positions(places)) { $1($0, mask: seen) })
    }

    /// A guess for every token, `[batch, tokens, vocabSize]` logits, from what the encoder says.
    public func tokenLogits(_ states: Tensor) -> Tensor { logits(states) }

    /// The name in diffusers.
    public static var className: String { "LDMBertModel" }
    /// How transformers lays it out.
    public static var library: ConfigurationLibrary { .transformers(modelType: "ldmbert") }
}

struct LDMBertLayer {
    let attentionNorm: LayerNorm
    let attention: EncoderAttention
    let finalNorm: LayerNorm
    let linear1: Linear
    let linear2: Linear
    let activation: Activation

    init(_ configuration: LDMBertConfiguration, _ weights: Weights) {
        let (width, inner) = (configuration.dModel, configuration.encoderFfnDim)
        attention = EncoderAttention(
            .init(
                width: width, heads: configuration.encoderAttentionHeads, headSize: configuration.headDim,
                bias: false), weights["self_attn"])
        attentionNorm = LayerNorm(width: width, weights["self_attn_layer_norm"])
        linear1 = Linear(inputs: width, outputs: inner, weights["fc1"])
        linear2 = Linear(inputs: inner, outputs: width, weights["fc2"])
        finalNorm = LayerNorm(width: width, weights["final_layer_norm"])
        activation = configuration.activationFunction
    }

    func callAsFunction(_ x: Tensor, mask: Tensor?) -> Tensor {
        let attended = x + attention(attentionNorm(x), mask: mask)
        return attended + linear2(activation(linear1(finalNorm(attended))))
    }
}
