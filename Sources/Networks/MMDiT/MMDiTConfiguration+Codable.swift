extension MMDiTConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("sample_size", \.sampleSize),
        .init("patch_size", \.patchSize),
        .init("in_channels", \.inChannels),
        .init("num_layers", \.numLayers),
        .init("attention_head_dim", \.attentionHeadDim),
        .init("num_attention_heads", \.numAttentionHeads),
        .init("joint_attention_dim", \.jointAttentionDim),
        .init("caption_projection_dim", \.captionProjectionDim),
        .init("pooled_projection_dim", \.pooledProjectionDim),
        .init("out_channels", \.outChannels),
        .init("pos_embed_max_size", \.posEmbedMaxSize),
        .init("dual_attention_layers", \.dualAttentionLayers),
        .init("qk_norm", optionalChoice: \.qkNorm),
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
        try checkRange("joint_attention_dim", jointAttentionDim, within: 1...1_048_576)
        try checkRange("pooled_projection_dim", pooledProjectionDim, within: 1...1_048_576)
        if let posEmbedMaxSize { try checkRange("pos_embed_max_size", posEmbedMaxSize, within: 1...4096) }
        try checkTokenWidth(width, "num_attention_heads")
        guard captionProjectionDim == width else {
            throw NetworkError(
                "caption_projection_dim",
                "is \(captionProjectionDim) and the heads make \(width) features: make them equal")
        }
        try checkRange("dual_attention_layers", dualAttentionLayers.count, within: 0...1024)
        for (index, layer) in dualAttentionLayers.enumerated() {
            try checkRange("dual_attention_layers[\(index)]", layer, within: 0...1023)
        }
    }
}

extension MMDiTConfiguration.QueryKeyNorm: Named {}
