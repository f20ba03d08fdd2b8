import Layers

/// The configuration of a `DepthEstimator`: the keys and defaults of transformers' `DPTConfig` (version 5), with a residual
/// network before the transformer (`is_hybrid`) or patches of the picture. Dropout is left out: it acts in training only.
public struct DPTConfiguration: Equatable, Sendable {
    /// Features of a token.
    public var hiddenSize = 768
    /// Features inside the two-layer network of a layer.
    public var intermediateSize = 3072
    /// Layers.
    public var numHiddenLayers = 12
    /// Heads of attention.
    public var numAttentionHeads = 12
    /// The non-linearity of a layer.
    public var hiddenAct = Activation.gelu
    /// Added to variances by the norms.
    public var layerNormEps = 1e-12
    /// Height and width of a picture.
    public var imageSize = 384
    /// Height and width of what becomes a token.
    public var patchSize = 16
    /// Channels of a picture.
    public var numChannels = 3
    /// Whether queries, keys and values have biases.
    public var qkvBias = true
    /// Whether tokens are features of a residual network, and not patches.
    public var isHybrid = false
    /// The residual network.
    public var backbone = Self.usualBackbone
    /// The layers whose tokens become features, four of them; a hybrid takes the last two.
    public var backboneOutIndices = [2, 5, 8, 11]
    /// What becomes of the token that stands for the whole picture.
    public var readoutType = Readout.project
    /// By how much the features of each of the four are enlarged.
    public var reassembleFactors = [4.0, 2, 1, 0.5]
    /// The channels of each of the four.
    public var neckHiddenSizes = [96, 192, 384, 768]
    /// The channels that all are brought to.
    public var fusionHiddenSize = 256
    /// Whether a convolution stands before the head.
    public var addProjection = false

    /// What becomes of the token that stands for the whole picture.
    public enum Readout: String, Codable, Sendable, CaseIterable, Named {
        /// Nothing.
        case ignore
        /// It is added to all others.
        case add
        /// It stands beside all others before a linear layer.
        case project
    }

    /// The defaults of transformers.
    public init() {}

    private static var usualBackbone: BiTConfiguration {
        var backbone = BiTConfiguration()
        (backbone.depths, backbone.hiddenSizes) = ([3, 4, 9], [256, 512, 1024])
        backbone.embeddingDynamicPadding = true
        return backbone
    }

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try encoder.validate()
        try checkRange("num_channels", numChannels, within: 1...65_536)
        try checkRange("image_size", imageSize, within: 1...65_536)
        try checkRange("patch_size", patchSize, within: 1...imageSize)
        try checkRange("fusion_hidden_size", fusionHiddenSize, within: 2...1_048_576)
        for (key, count) in [
            ("backbone_out_indices", backboneOutIndices.count),
            ("reassemble_factors", reassembleFactors.count),
            ("neck_hidden_sizes", neckHiddenSizes.count),
        ] where count != 4 {
            throw NetworkError(key, "has \(count) values, and four are needed")
        }
        guard backboneOutIndices.allSatisfy({ (0..<numHiddenLayers).contains($0) }),
            zip(backboneOutIndices, backboneOutIndices.dropFirst()).allSatisfy(<)
        else {
            throw NetworkError(
                "backbone_out_indices", "must be places of the \(numHiddenLayers) layers, from 0 on, in order"
            )
        }
        guard neckHiddenSizes.allSatisfy({ (1...1_048_576).contains($0) }) else {
            throw NetworkError("neck_hidden_sizes", "must be numbers of channels from 1 to 1048576")
        }
        guard reassembleFactors.allSatisfy({ $0 > 0 && $0 <= 64 && ($0 >= 1 ? $0 : 1 / $0).isWhole }) else {
            throw NetworkError("reassemble_factors", "must be whole numbers from 1 to 64, or 1 over one")
        }
        if isHybrid { try validateHybrid() }
    }

    private func validateHybrid() throws {
        try backbone.validate()
        guard backbone.depths.count == 3 else {
            throw NetworkError(
                "backbone_config", "has \(backbone.depths.count) stages, and a hybrid takes three")
        }
        guard backbone.hiddenSizes[0] == neckHiddenSizes[0], backbone.hiddenSizes[1] == neckHiddenSizes[1]
        else {
            throw NetworkError(
                "neck_hidden_sizes",
                "must begin with the 'hidden_sizes' of the first two stages of the backbone, \(backbone.hiddenSizes[0]) and \(backbone.hiddenSizes[1])"
            )
        }
        guard readoutType == .project else {
            throw NetworkError("readout_type", "must be \"project\" where 'is_hybrid' is true")
        }
        guard patchSize == 16, backbone.numChannels == numChannels else {
            throw NetworkError(
                "patch_size",
                "must be 16 where 'is_hybrid' is true: the backbone makes features 16 times smaller")
        }
    }

    var encoder: CLIPEncoderOptions {
        CLIPEncoderOptions(
            width: hiddenSize, innerWidth: intermediateSize, layers: numHiddenLayers,
            heads: numAttentionHeads,
            activation: hiddenAct, epsilon: layerNormEps)
    }

    /// Tokens along a side.
    var side: Int { imageSize / patchSize }
}

extension Double {
    fileprivate var isWhole: Bool { abs(self - rounded()) < 1e-9 }
}

extension DPTConfiguration: ConfigurationTable {
    package static let otherKeys: Set = [
        "attention_probs_dropout_prob", "auxiliary_loss_weight", "backbone", "backbone_featmap_shape",
        "backbone_kwargs",
        "hidden_dropout_prob", "initializer_range", "neck_ignore_stages", "pooler_act", "pooler_output_size",
        "semantic_classifier_dropout",
        "semantic_loss_ignore_index", "use_auxiliary_head",
        "use_batch_norm_in_fusion_residual", "use_bias_in_fusion_residual", "use_pretrained_backbone",
        "use_timm_backbone",
    ]

    package static let keys: [ConfigurationKey<Self>] = [
        .init("hidden_size", \.hiddenSize),
        .init("intermediate_size", \.intermediateSize),
        .init("num_hidden_layers", \.numHiddenLayers),
        .init("num_attention_heads", \.numAttentionHeads),
        .init("hidden_act", choice: \.hiddenAct),
        .init("layer_norm_eps", \.layerNormEps),
        .init("image_size", \.imageSize),
        .init("patch_size", \.patchSize),
        .init("num_channels", \.numChannels),
        .init("qkv_bias", \.qkvBias),
        .init("is_hybrid", \.isHybrid),
        .init("backbone_config", part: \.backbone),
        .init("backbone_out_indices", \.backboneOutIndices),
        .init("readout_type", choice: \.readoutType),
        .init("reassemble_factors", \.reassembleFactors),
        .init("neck_hidden_sizes", \.neckHiddenSizes),
        .init("fusion_hidden_size", \.fusionHiddenSize),
        .init("add_projection", \.addProjection),
        .init("head_in_index", always: -1, "must be -1: the last features are taken"),
    ]

    package static func refuseOthers(_ values: KeyedDecodingContainer<ConfigurationName>) throws {
        var (isHybrid, hasNorm) = (false, false as Bool?)
        try values.read("is_hybrid", into: &isHybrid)
        try values.read("use_batch_norm_in_fusion_residual", into: &hasNorm)
        guard hasNorm != true else {
            throw NetworkError(
                "use_batch_norm_in_fusion_residual", "is true: such networks are not supported")
        }
        var bias: Bool? = true
        try values.read("use_bias_in_fusion_residual", into: &bias)
        guard bias != false else {
            throw NetworkError("use_bias_in_fusion_residual", "is false: such networks are not supported")
        }
        // A hybrid has ignored these stages in every published file.
        var ignored: [Int]? = isHybrid ? [0, 1] : []
        try values.read("neck_ignore_stages", into: &ignored)
        guard ignored == nil || ignored == [0, 1] || ignored == [] && !isHybrid else {
            throw NetworkError("neck_ignore_stages", "must be [0, 1] for a hybrid")
        }
        // What is written of a network on patches has the keys of a backbone, and names none.
        var backbone: [String: BackboneName]? = nil
        if !isHybrid { backbone = try? values.decode([String: BackboneName].self, forKey: "backbone_config") }
        guard backbone?["model_type"] == nil else {
            throw NetworkError(
                "backbone_config", "is of another network than patches or a hybrid ('is_hybrid')")
        }
    }
}

/// A value of a backbone's configuration, of which only that it is there counts.
private struct BackboneName: Decodable {
    init(from decoder: any Decoder) {}
}
