import Checkpoints
import Layers
import Tensors

/// What T5 makes of texts.
public struct T5Output {
    /// The embedded tokens and the result of each layer, `[batch, tokens, dModel]`, before the last norm.
    public let states: [Tensor]
    /// The last of them, normed: what generators are conditioned on.
    public let last: Tensor
}

/// T5's encoder of texts, under the names of transformers' `T5EncoderModel`; versions 1.0 and 1.1.
/// The text encoder of Imagen, DeepFloyd, Stable Diffusion 3 and many others.
/// Source: Raffel et al. 2020 (arXiv:1910.10683), section 2.1; Shazeer 2020 (arXiv:2002.05202) for 1.1.
public struct T5Encoder: ConfiguredNetwork {
    /// What the network was built from.
    public let configuration: T5Configuration

    let tokens: Embedding
    let layers: [T5Layer]
    let positions: RelativePositions
    let finalNorm: RMSNorm

    /// The network of a configuration, its parameters from a scope.
    /// - Throws: `NetworkError` where the configuration describes no network.
    public init(_ configuration: T5Configuration, _ weights: Weights) throws {
        try configuration.validate()
        self.configuration = configuration
        tokens = Embedding(count: configuration.vocabSize, width: configuration.dModel, weights["shared"])
        let encoder = weights["encoder"]
        layers = (0..<configuration.numLayers).map { T5Layer(configuration, encoder["block"][$0]) }
        // All layers share the first one's.
        positions = RelativePositions(
            configuration, encoder["block"][0]["layer"][0]["SelfAttention"]["relative_attention_bias"])
        finalNorm = RMSNorm(
            width: configuration.dModel, epsilon: configuration.layerNormEpsilon,
            encoder["final_layer_norm"])
    }

    /// What T5 makes of texts.
    /// - Parameters:
    ///   - ids: tokens `[batch, tokens]` as `int64`.
    ///   - mask: `[batch, tokens]`, 0 where a token is padding that no other shall see. Stable Diffusion 3
    ///     gives none.
    public func callAsFunction(_ ids: Tensor, mask: Tensor? = nil) -> T5Output {
        let embedded = tokens(ids)
        var bias = positions(count: ids.shape[1], on: ids.device)
        if let mask {
            let least = bias.elementType == .float16 ? -65_504 : -1e38
            bias = visible(mask).choosing(
                bias, otherwise: .full(least, [1], bias.elementType, on: bias.device))
        }
        var states = [embedded]
        for layer in layers { states.append(layer(states[states.count - 1], bias: bias)) }
        return T5Output(states: states, last: finalNorm(states[states.count - 1]))
    }

    /// The name in transformers.
    public static var className: String { "T5EncoderModel" }
    /// How transformers lays it out.
    public static var library: ConfigurationLibrary { .transformers(modelType: "t5") }
    /// Some checkpoints hold the table of tokens under the name of its second use only.
    public static var nameMap: NameMap {
        ["encoder.embed_tokens.weight": "shared.weight", "*": "*"]
    }

    /// Whether a tensor is no part of the network, though its checkpoint may hold it: the decoder, and the
    /// table of tokens a second time.
    public static func passesOver(_ name: String, in source: any TensorSource) -> Bool {
        name.hasPrefix("decoder.") || name == "lm_head.weight"
            || (name == "encoder.embed_tokens.weight" && source.shape(of: "shared.weight") != nil)
    }
}

/// Attention and a feed-forward network, each behind a norm and beside a shortcut. Without dividing scores
/// by √(head size): the weights are drawn, and trained, to make up for it.
struct T5Layer {
    let attentionNorm: RMSNorm
    let attention: EncoderAttention
    let feedForwardNorm: RMSNorm
    let feedForward: T5FeedForward

    init(_ configuration: T5Configuration, _ weights: Weights) {
        let (width, epsilon) = (configuration.dModel, configuration.layerNormEpsilon)
        let (first, second) = (weights["layer"][0], weights["layer"][1])
        attention = EncoderAttention(
            .init(
                width: width, heads: configuration.numHeads, headSize: configuration.dKv, bias: false,
                outputBias: false, scale: 1, names: ["q", "k", "v", "o"]), first["SelfAttention"])
        attentionNorm = RMSNorm(width: width, epsilon: epsilon, first["layer_norm"])
        feedForward = T5FeedForward(configuration, second["DenseReluDense"])
        feedForwardNorm = RMSNorm(width: width, epsilon: epsilon, second["layer_norm"])
    }

    func callAsFunction(_ x: Tensor, bias: Tensor) -> Tensor {
        let attended = bounded(x + attention(attentionNorm(x), mask: bias))
        return bounded(attended + feedForward(feedForwardNorm(attended)))
    }

    /// In `float16`, without infinities: where there are some, all numbers end 1,000 before the largest.
    private func bounded(_ x: Tensor) -> Tensor {
        guard x.elementType == .float16 else { return x }
        let largest = 65_504.0
        let end = (x.magnitude() .> largest).any().choosing(
            .full(largest - 1_000, [], .float16, on: x.device),
            otherwise: .full(largest, [], .float16, on: x.device))
        return x.clamped(between: -end, and: end)
    }
}

/// Two linear layers around a non-linearity, which in version 1.1 multiplies a third.
struct T5FeedForward {
    let gate: Linear
    let inward: Linear?
    let outward: Linear
    let outwardType: ElementType
    let activation: Activation

    init(_ configuration: T5Configuration, _ weights: Weights) {
        let (width, inner) = (configuration.dModel, configuration.dFf)
        func linear(_ name: String) -> Linear {
            Linear(inputs: width, outputs: inner, bias: false, weights[name])
        }
        gate = linear(configuration.isGatedAct ? "wi_0" : "wi")
        inward = configuration.isGatedAct ? linear("wi_1") : nil
        // Its results do not fit into float16.
        let out = weights["wo"].avoidingFloat16
        outward = Linear(inputs: inner, outputs: width, bias: false, out)
        outwardType = out.elementType
        activation = configuration.denseActFn
    }

    func callAsFunction(_ x: Tensor) -> Tensor {
        let gated = activation(gate(x))
        return outward((inward.map { gated * $0(x) } ?? gated).to(outwardType))
    }
}
