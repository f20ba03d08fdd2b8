extension DiTConfiguration: ConfigurationTable {
    package static let otherKeys: Set = [
        "attention_type", "caption_channels", "cross_attention_dim", "double_self_attention",
        "interpolation_scale", "norm_num_groups", "num_vector_embeds", "only_cross_attention",
        "upcast_attention", "use_additional_conditions", "use_linear_projection",
    ]

    package static let keys: [ConfigurationKey<Self>] = [
        .init("num_attention_heads", \.numAttentionHeads),
        .init("attention_head_dim", \.attentionHeadDim),
        .init("in_channels", \.inChannels),
        .init("out_channels", \.outChannels),
        .init("num_layers", \.numLayers),
        .init("dropout", \.dropout),
        .init("attention_bias", \.attentionBias),
        .init("sample_size", \.sampleSize),
        .init("patch_size", \.patchSize),
        .init("activation_fn", choice: \.activationFn),
        .init("norm_type", always: NormType.adaNormZero.rawValue, "must be ada_norm_zero"),
        .init("num_embeds_ada_norm", \.numEmbedsAdaNorm),
        .init("norm_elementwise_affine", \.normElementwiseAffine),
        .init("norm_eps", \.normEps),
    ]

    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try checkRange("num_attention_heads", numAttentionHeads, within: 1...4096)
        try checkRange("attention_head_dim", attentionHeadDim, within: 1...4096)
        try checkRange("in_channels", inChannels, within: 1...65_536)
        try checkRange("out_channels", outChannels ?? inChannels, within: 1...65_536)
        try checkRange("num_layers", numLayers, within: 1...1024)
        try checkRange("patch_size", patchSize, within: 1...1024)
        try checkRange("sample_size", sampleSize, within: patchSize...65_536)
        try checkRange("num_embeds_ada_norm", numEmbedsAdaNorm, within: 1...10_000_000)
        try checkTokenWidth(width, "num_attention_heads")
        guard (0..<1).contains(dropout) else {
            throw NetworkError("dropout", "is \(dropout): use a probability from 0 to below 1")
        }
        guard normEps.isFinite && normEps > 0 else {
            throw NetworkError("norm_eps", "is \(normEps): use a small positive number")
        }
    }
}

// MARK: - The other transformers of the older class

extension DiTConfiguration {
    fileprivate enum NormType: String, CaseIterable, Named {
        case adaNormZero = "ada_norm_zero"
        /// The default of the older class, not to be built here.
        case layerNorm = "layer_norm"
    }

    private enum AttentionType: String, CaseIterable, Named { case `default` }

    /// Keys of `Transformer2DModel` that make another network of it.
    package static func refuseOthers(_ values: KeyedDecodingContainer<ConfigurationName>) throws {
        var className = DiT.className
        try values.read("_class_name", into: &className)
        var normType = className == DiT.className ? NormType.adaNormZero : .layerNorm
        try values.readChoice("norm_type", into: &normType)
        guard normType == .adaNormZero else {
            throw NetworkError(
                "norm_type", "is '\(normType.rawValue)', which is not supported: use ada_norm_zero")
        }
        var attentionType = AttentionType.default
        try values.readChoice("attention_type", into: &attentionType)
        for key in ["cross_attention_dim", "caption_channels", "num_vector_embeds"] {
            var number: Int?
            try values.read(ConfigurationName(key), into: &number)
            guard number == nil else {
                throw NetworkError(key, "must be null: this network reads pictures and classes only")
            }
        }
        var attendsTwice = false
        try values.read("double_self_attention", into: &attendsTwice)
        guard !attendsTwice else {
            throw NetworkError("double_self_attention", "must be false: a block has one attention")
        }
        // diffusers drops this key when it loads such a folder: the places of patches are not stretched.
        var scale: Double?
        try values.read("interpolation_scale", into: &scale)
        guard scale == nil || scale == 1 else {
            throw NetworkError("interpolation_scale", "must be 1 or null")
        }
    }
}

/// Checks that sines and cosines of rows and columns fill a token.
/// - Throws: `NetworkError` that names the key.
func checkTokenWidth(_ width: Int, _ key: String) throws {
    guard width % 4 == 0 else {
        throw NetworkError(
            key, "times 'attention_head_dim' is \(width): make it a multiple of 4 for the places of patches")
    }
}
