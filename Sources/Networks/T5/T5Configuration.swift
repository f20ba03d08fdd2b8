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

extension T5Configuration: ConfigurationTable {
    package static let otherKeys: Set = [
        "dropout_rate", "n_positions", "num_decoder_layers", "scale_decoder_outputs",
    ]

    package static let keys: [ConfigurationKey<Self>] = [
        .init("vocab_size", \.vocabSize),
        .init("d_model", \.dModel),
        .init("d_kv", \.dKv),
        .init("d_ff", \.dFf),
        .init("num_layers", \.numLayers),
        .init("num_heads", \.numHeads),
        .init("relative_attention_num_buckets", \.relativeAttentionNumBuckets),
        .init("relative_attention_max_distance", \.relativeAttentionMaxDistance),
        .init("layer_norm_epsilon", \.layerNormEpsilon),
        // Newer files repeat both of these, and then the newer keys count.
        .init("feed_forward_proj", choice: \.feedForward),
        .init("dense_act_fn", choice: \.denseActFn),
        .init("is_gated_act", \.isGatedAct),
        .init("is_decoder", always: false, "is true, and this is an encoder"),
    ]

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
