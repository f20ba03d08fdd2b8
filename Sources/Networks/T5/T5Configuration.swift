import Layers

/// The configuration of a `T5Encoder`: the keys and defaults of transformers' `T5Config` (version 5) that an
/// encoder has. Dropout is left out: the encoder is run, not trained.
public struct T5Configuration: Equatable, Sendable {
    /// Tokens that there are.
    public var vocabSize = 32128
    /// Features of a token.
    public var dModel = 512
    /// Features of a head.
    public var dKv = 64
    /// Features inside the feed-forward network of a layer.
    public var dFf = 2048
    /// Layers.
    public var numLayers = 6
    /// Heads of attention; they need not have `dModel` features together.
    public var numHeads = 8
    /// Kinds of distance between tokens that attention tells apart.
    public var relativeAttentionNumBuckets = 32
    /// From this distance on all are alike.
    public var relativeAttentionMaxDistance = 128
    /// Added to mean squares by the norms.
    public var layerNormEpsilon = 1e-6
    /// The non-linearity of the feed-forward networks: `relu` in version 1.0, `newGELU` in 1.1.
    public var denseActFn = Activation.relu
    /// Whether it multiplies a second product, as in version 1.1.
    public var isGatedAct = false

    /// The defaults of transformers: version 1.0, small.
    public init() {}

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("vocab_size", vocabSize, within: 1...10_000_000)
        try checkRange("d_model", dModel, within: 1...1_048_576)
        try checkRange("d_kv", dKv, within: 1...65_536)
        try checkRange("d_ff", dFf, within: 1...1_048_576)
        try checkRange("num_layers", numLayers, within: 1...1_000)
        try checkRange("num_heads", numHeads, within: 1...65_536)
        // Half of the buckets is for each direction, and half of those for single distances.
        try checkRange("relative_attention_num_buckets", relativeAttentionNumBuckets, within: 4...65_536)
        try checkRange(
            "relative_attention_max_distance", relativeAttentionMaxDistance,
            within: relativeAttentionNumBuckets / 4 + 1...1_048_576)
        try checkPositive("layer_norm_epsilon", layerNormEpsilon)
    }
}

extension T5Configuration: Codable {
    /// The keys, as `config.json` writes them.
    public enum CodingKeys: String, CodingKey, CaseIterable, Sendable {
        case vocabSize = "vocab_size"
        case dModel = "d_model"
        case dKv = "d_kv"
        case dFf = "d_ff"
        case numLayers = "num_layers"
        case numHeads = "num_heads"
        case relativeAttentionNumBuckets = "relative_attention_num_buckets"
        case relativeAttentionMaxDistance = "relative_attention_max_distance"
        case layerNormEpsilon = "layer_norm_epsilon"
        case feedForwardProj = "feed_forward_proj"
        case denseActFn = "dense_act_fn"
        case isGatedAct = "is_gated_act"
        case isDecoder = "is_decoder"
    }

    /// Reads a `config.json`; keys that are absent keep transformers' defaults, those that change nothing here
    /// are passed over.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.vocabSize, into: &vocabSize)
        try values.read(.dModel, into: &dModel)
        try values.read(.dKv, into: &dKv)
        try values.read(.dFf, into: &dFf)
        try values.read(.numLayers, into: &numLayers)
        try values.read(.numHeads, into: &numHeads)
        try values.read(.relativeAttentionNumBuckets, into: &relativeAttentionNumBuckets)
        try values.read(.relativeAttentionMaxDistance, into: &relativeAttentionMaxDistance)
        try values.read(.layerNormEpsilon, into: &layerNormEpsilon)
        // Both of these are said again by newer files, and then those count.
        try values.readChoice(.feedForwardProj, into: &feedForward)
        try values.readChoice(.denseActFn, into: &denseActFn)
        try values.read(.isGatedAct, into: &isGatedAct)
        var isDecoder = false
        try values.read(.isDecoder, into: &isDecoder)
        guard !isDecoder else { throw NetworkError("is_decoder", "is true, and this is an encoder") }
        try validate()
    }

    /// Writes every key.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(vocabSize, forKey: .vocabSize)
        try values.encode(dModel, forKey: .dModel)
        try values.encode(dKv, forKey: .dKv)
        try values.encode(dFf, forKey: .dFf)
        try values.encode(numLayers, forKey: .numLayers)
        try values.encode(numHeads, forKey: .numHeads)
        try values.encode(relativeAttentionNumBuckets, forKey: .relativeAttentionNumBuckets)
        try values.encode(relativeAttentionMaxDistance, forKey: .relativeAttentionMaxDistance)
        try values.encode(layerNormEpsilon, forKey: .layerNormEpsilon)
        try values.encode(feedForward.rawValue, forKey: .feedForwardProj)
        try values.encode(denseActFn, forKey: .denseActFn)
        try values.encode(isGatedAct, forKey: .isGatedAct)
        try values.encode(false, forKey: .isDecoder)
    }

    private var feedForward: FeedForwardProjection {
        get { FeedForwardProjection(activation: denseActFn, isGated: isGatedAct) }
        set { (denseActFn, isGatedAct) = (newValue.activation, newValue.isGated) }
    }
}

/// `relu`, `gated-silu`, …; `gated-gelu` means the approximation of the original, `gelu_new`.
private struct FeedForwardProjection: Named {
    var activation: Activation
    var isGated: Bool

    static let allCases = [false, true].flatMap { gated in
        Activation.allCases.filter { !gated || $0 != .gelu }
            .map { FeedForwardProjection(activation: $0, isGated: gated) }
    }

    var rawValue: String {
        guard isGated else { return activation.rawValue }
        return "gated-" + (activation == .newGELU ? Activation.gelu : activation).rawValue
    }

    init(activation: Activation, isGated: Bool) {
        self.activation = activation
        self.isGated = isGated
    }

    init?(rawValue text: String) {
        let word = text.hasPrefix("gated-") ? text.dropFirst("gated-".count) : text[...]
        guard let activation = Activation(configured: String(word)) else { return nil }
        isGated = word.count < text.count
        self.activation = text == "gated-gelu" ? .newGELU : activation
    }
}
