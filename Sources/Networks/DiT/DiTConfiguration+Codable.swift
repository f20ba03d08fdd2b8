extension DiTConfiguration: Codable {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case numAttentionHeads = "num_attention_heads"
        case attentionHeadDim = "attention_head_dim"
        case inChannels = "in_channels"
        case outChannels = "out_channels"
        case numLayers = "num_layers"
        case dropout
        case attentionBias = "attention_bias"
        case sampleSize = "sample_size"
        case patchSize = "patch_size"
        case activationFn = "activation_fn"
        case normType = "norm_type"
        case numEmbedsAdaNorm = "num_embeds_ada_norm"
        case normElementwiseAffine = "norm_elementwise_affine"
        case normEps = "norm_eps"
    }

    /// Reads a `config.json`; keys that are absent keep the defaults of `DiTTransformer2DModel`, as diffusers
    /// does when it loads the older class, too. Unknown keys are passed over.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public init(from decoder: any Decoder) throws {
        self.init()
        try Self.refuseOtherTransformers(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.numAttentionHeads, into: &numAttentionHeads)
        try values.read(.attentionHeadDim, into: &attentionHeadDim)
        try values.read(.inChannels, into: &inChannels)
        try values.read(.outChannels, into: &outChannels)
        try values.read(.numLayers, into: &numLayers)
        try values.read(.dropout, into: &dropout)
        try values.read(.attentionBias, into: &attentionBias)
        try values.read(.sampleSize, into: &sampleSize)
        try values.read(.patchSize, into: &patchSize)
        try values.readChoice(.activationFn, into: &activationFn)
        try values.read(.numEmbedsAdaNorm, into: &numEmbedsAdaNorm)
        try values.read(.normElementwiseAffine, into: &normElementwiseAffine)
        try values.read(.normEps, into: &normEps)
        try validate()
    }

    /// Writes every key, `null` included.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(numAttentionHeads, forKey: .numAttentionHeads)
        try values.encode(attentionHeadDim, forKey: .attentionHeadDim)
        try values.encode(inChannels, forKey: .inChannels)
        try values.encode(outChannels, forKey: .outChannels)
        try values.encode(numLayers, forKey: .numLayers)
        try values.encode(dropout, forKey: .dropout)
        try values.encode(attentionBias, forKey: .attentionBias)
        try values.encode(sampleSize, forKey: .sampleSize)
        try values.encode(patchSize, forKey: .patchSize)
        try values.encode(activationFn, forKey: .activationFn)
        try values.encode(NormType.adaNormZero.rawValue, forKey: .normType)
        try values.encode(numEmbedsAdaNorm, forKey: .numEmbedsAdaNorm)
        try values.encode(normElementwiseAffine, forKey: .normElementwiseAffine)
        try values.encode(normEps, forKey: .normEps)
    }

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
    private enum NormType: String, CaseIterable, Named {
        case adaNormZero = "ada_norm_zero"
        /// The default of the older class, not to be built here.
        case layerNorm = "layer_norm"
    }

    private enum AttentionType: String, CaseIterable, Named { case `default` }

    /// Keys of `Transformer2DModel` that make another network of it.
    private enum OtherKeys: String, CodingKey {
        case className = "_class_name"
        case normType = "norm_type"
        case attentionType = "attention_type"
        case crossAttentionDim = "cross_attention_dim"
        case captionChannels = "caption_channels"
        case numVectorEmbeds = "num_vector_embeds"
        case doubleSelfAttention = "double_self_attention"
        case interpolationScale = "interpolation_scale"
    }

    private static func refuseOtherTransformers(_ decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: OtherKeys.self)
        var className = DiT.className
        try values.read(.className, into: &className)
        var normType = className == DiT.className ? NormType.adaNormZero : .layerNorm
        try values.readChoice(.normType, into: &normType)
        guard normType == .adaNormZero else {
            throw NetworkError(
                "norm_type", "is '\(normType.rawValue)', which is not supported: use ada_norm_zero")
        }
        var attentionType = AttentionType.default
        try values.readChoice(.attentionType, into: &attentionType)
        for key in [OtherKeys.crossAttentionDim, .captionChannels, .numVectorEmbeds] {
            var number: Int?
            try values.read(key, into: &number)
            guard number == nil else {
                throw NetworkError(key.rawValue, "must be null: this network reads pictures and classes only")
            }
        }
        var attendsTwice = false
        try values.read(.doubleSelfAttention, into: &attendsTwice)
        guard !attendsTwice else {
            throw NetworkError(
                OtherKeys.doubleSelfAttention.rawValue, "must be false: a block has one attention")
        }
        // diffusers drops this key when it loads such a folder: the places of patches are not stretched.
        var scale: Double?
        try values.read(.interpolationScale, into: &scale)
        guard scale == nil || scale == 1 else {
            throw NetworkError(OtherKeys.interpolationScale.rawValue, "must be 1 or null")
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
