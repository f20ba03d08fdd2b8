extension MMDiTConfiguration: Codable {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case sampleSize = "sample_size"
        case patchSize = "patch_size"
        case inChannels = "in_channels"
        case numLayers = "num_layers"
        case attentionHeadDim = "attention_head_dim"
        case numAttentionHeads = "num_attention_heads"
        case jointAttentionDim = "joint_attention_dim"
        case captionProjectionDim = "caption_projection_dim"
        case pooledProjectionDim = "pooled_projection_dim"
        case outChannels = "out_channels"
        case posEmbedMaxSize = "pos_embed_max_size"
        case dualAttentionLayers = "dual_attention_layers"
        case qkNorm = "qk_norm"
    }

    /// Reads a `config.json`; keys that are absent keep diffusers' defaults, unknown ones are passed over.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.sampleSize, into: &sampleSize)
        try values.read(.patchSize, into: &patchSize)
        try values.read(.inChannels, into: &inChannels)
        try values.read(.numLayers, into: &numLayers)
        try values.read(.attentionHeadDim, into: &attentionHeadDim)
        try values.read(.numAttentionHeads, into: &numAttentionHeads)
        try values.read(.jointAttentionDim, into: &jointAttentionDim)
        try values.read(.captionProjectionDim, into: &captionProjectionDim)
        try values.read(.pooledProjectionDim, into: &pooledProjectionDim)
        try values.read(.outChannels, into: &outChannels)
        try values.read(.posEmbedMaxSize, into: &posEmbedMaxSize)
        try values.read(.dualAttentionLayers, into: &dualAttentionLayers)
        try values.readChoice(.qkNorm, into: &qkNorm)
        try validate()
    }

    /// Writes every key, `null` included: diffusers' default for an absent key is not always `null`.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(sampleSize, forKey: .sampleSize)
        try values.encode(patchSize, forKey: .patchSize)
        try values.encode(inChannels, forKey: .inChannels)
        try values.encode(numLayers, forKey: .numLayers)
        try values.encode(attentionHeadDim, forKey: .attentionHeadDim)
        try values.encode(numAttentionHeads, forKey: .numAttentionHeads)
        try values.encode(jointAttentionDim, forKey: .jointAttentionDim)
        try values.encode(captionProjectionDim, forKey: .captionProjectionDim)
        try values.encode(pooledProjectionDim, forKey: .pooledProjectionDim)
        try values.encode(outChannels, forKey: .outChannels)
        try values.encode(posEmbedMaxSize, forKey: .posEmbedMaxSize)
        try values.encode(dualAttentionLayers, forKey: .dualAttentionLayers)
        try values.encode(qkNorm?.rawValue, forKey: .qkNorm)
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
        try checkRange("joint_attention_dim", jointAttentionDim, within: 1...1_048_576)
        try checkRange("pooled_projection_dim", pooledProjectionDim, within: 1...1_048_576)
        if let posEmbedMaxSize { try checkRange("pos_embed_max_size", posEmbedMaxSize, within: 1...4096) }
        try checkTokenWidth(width, "num_attention_heads")
        guard captionProjectionDim == width else {
            throw NetworkError(
                "caption_projection_dim",
                "is \(captionProjectionDim) and the heads make \(width) features: make them equal")
        }
        for (index, layer) in dualAttentionLayers.enumerated() {
            try checkRange("dual_attention_layers[\(index)]", layer, within: 0...1023)
        }
    }
}

extension MMDiTConfiguration.QueryKeyNorm: Named {}
