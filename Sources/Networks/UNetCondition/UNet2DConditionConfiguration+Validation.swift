import Layers

extension UNet2DConditionConfiguration {
    /// Checks that the values describe a network.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public func validate() throws {
        try validateLevels()
        try validateNumbers()
        try validateAttention()
        try validateTransformerLayers()
        try validateTime()
        try validateLabels()
    }

    private func validateLevels() throws {
        let levels = blockOutChannels.count
        try require(
            "block_out_channels", (1...16).contains(levels), "must hold 1 to 16 numbers, not \(levels)")
        try checkRanges("block_out_channels", .each(blockOutChannels), within: 1...65_536)
        for (key, count) in [
            ("down_block_types", downBlockTypes.count), ("up_block_types", upBlockTypes.count),
            ("only_cross_attention", onlyCrossAttention.count), ("layers_per_block", layersPerBlock.count),
            ("cross_attention_dim", crossAttentionDim.count), ("attention_head_dim", attentionHeadDim.count),
            ("transformer_layers_per_block", transformerLayersPerBlock.count),
            ("reverse_transformer_layers_per_block", reverseTransformerLayersPerBlock?.count),
        ] {
            try require(
                key, count ?? levels == levels,
                "has \(count ?? 0) entries and 'block_out_channels' has \(levels): make them equal")
        }
        try checkRanges("layers_per_block", layersPerBlock, within: 1...256)
    }

    private func validateNumbers() throws {
        try checkRange("in_channels", inChannels, within: 1...65_536)
        try checkRange("out_channels", outChannels, within: 1...65_536)
        try checkRange("downsample_padding", downsamplePadding, within: 0...1)
        if let sampleSize {
            try checkRange("sample_size", sampleSize.height, within: 1...65_536)
            try checkRange("sample_size", sampleSize.width, within: 1...65_536)
        }
        for (key, kernel) in [("conv_in_kernel", convInKernel), ("conv_out_kernel", convOutKernel)] {
            try checkRange(key, kernel, within: 1...255)
            try require(key, kernel % 2 == 1, "is \(kernel): use an odd number, so that the size stays")
        }
        try require(
            "dropout", (0..<1).contains(dropout), "is \(dropout): use a probability from 0 to below 1")
        try require(
            "mid_block_scale_factor", midBlockScaleFactor.isFinite && midBlockScaleFactor != 0,
            "is \(midBlockScaleFactor): use a number other than 0")
        try require("norm_eps", normEps.isFinite && normEps > 0, "is \(normEps): use a small positive number")
        try require(
            "resnet_out_scale_factor", resnetOutScaleFactor.isFinite && resnetOutScaleFactor != 0,
            "is \(resnetOutScaleFactor): use a number other than 0")
        try checkRange("norm_num_groups", normNumGroups, within: 1...65_536)
        for channels in blockOutChannels where channels % normNumGroups != 0 {
            throw NetworkError(
                "norm_num_groups",
                "is \(normNumGroups), which does not divide the \(channels) channels of a block")
        }
    }

    private func validateAttention() throws {
        try checkRanges("cross_attention_dim", crossAttentionDim, within: 1...65_536)
        try checkRanges("attention_head_dim", attentionHeadDim, within: 1...65_536)
        let levels = blockOutChannels.indices
        let last = levels.count - 1
        var attended = levels.map { (kind: downBlockTypes[$0].kind.attention, level: $0, entry: $0) }
        attended.append((midBlockType?.kind.attention, last, last))
        attended += levels.map { up in
            let kind = upBlockTypes[up].kind.attention
            return (kind, last - up, kind == .transformer ? last - up : up)
        }
        for case (let kind?, let level, let entry) in attended {
            try validate(kind, headSize: attentionHeadDim[entry], level)
        }
        try validateContext()
    }

    private func validate(_ kind: AttentionKind, headSize: Int, _ level: Int) throws {
        let (channels, context) = (blockOutChannels[level], crossAttentionDim[level])
        try require(
            "attention_head_dim", headSize <= channels,
            "is \(headSize), more than the \(channels) channels of a block")
        guard kind == .added else { return }
        try require(
            "attention_head_dim", channels % headSize == 0,
            "is \(headSize), which does not divide the \(channels) channels of a block")
        let groups = AddedContextAttention.contextGroups
        try require(
            "cross_attention_norm", crossAttentionNorm != .group || context % groups == 0,
            "is 'group_norm', whose \(groups) groups do not divide the \(context) features of 'cross_attention_dim'"
        )
        try require(
            "cross_attention_norm", crossAttentionNorm != .layer || context == channels,
            "is 'layer_norm', which norms the \(channels) features that a block has, and 'cross_attention_dim' is \(context)"
        )
    }

    private func validateContext() throws {
        guard let encoderHidDim else {
            try require(
                "encoder_hid_dim", encoderHidDimType == nil,
                "is needed by 'encoder_hid_dim_type' '\(encoderHidDimType?.rawValue ?? "")'")
            return try validatePooling()
        }
        try checkRange("encoder_hid_dim", encoderHidDim, within: 1...1_048_576)
        try require(
            "cross_attention_dim", crossAttentionDim.common != nil,
            "must be one number, to which 'encoder_hid_dim' is brought")
        try validatePooling()
    }

    private func validatePooling() throws {
        let heads = additionEmbedTypeNumHeads
        try checkRange("addition_embed_type_num_heads", heads, within: 1...65_536)
        guard additionEmbedType == .text else { return }
        guard let width = contextWidth else {
            throw NetworkError(
                "cross_attention_dim", "must be one number, because 'addition_embed_type' is 'text'")
        }
        try require(
            "addition_embed_type_num_heads", width % heads == 0,
            "is \(heads), which does not divide the \(width) features of the context")
    }

    private func validateTransformerLayers() throws {
        for level in blockOutChannels.indices {
            try validate(
                "transformer_layers_per_block", transformerLayersPerBlock[level],
                downBlockTypes[level] == .crossAttention ? layersPerBlock[level] : nil)
            try validate(
                reverseTransformerLayersPerBlock == nil
                    ? "transformer_layers_per_block" : "reverse_transformer_layers_per_block",
                upTransformerLayers(level), upBlockTypes[level] == .crossAttention ? layers(up: level) : nil)
        }
        try require(
            "reverse_transformer_layers_per_block",
            reverseTransformerLayersPerBlock != nil
                || transformerLayersPerBlock.values.allSatisfy { $0.count == nil },
            "is needed where 'transformer_layers_per_block' lists the transformers of a block")
    }

    private func validate(_ key: String, _ layers: PerLevel<Int>, _ transformers: Int?) throws {
        try checkRanges(key, layers, within: 1...256)
        guard let count = layers.count else { return }
        try require(key, count > 0, "lists no transformer of a block")
        guard let transformers else { return }
        try require(
            key, count == transformers, "lists \(count) transformers of a block that has \(transformers)")
    }

    private func validateTime() throws {
        if let timeEmbeddingDim {
            try checkRange("time_embedding_dim", timeEmbeddingDim, within: 1...1_048_576)
        }
        if let timeCondProjDim {
            try checkRange("time_cond_proj_dim", timeCondProjDim, within: 1...1_048_576)
        }
        guard timeEmbeddingType == .positional else {
            return try require(
                "time_embedding_dim", timeWidth % 2 == 0,
                "is \(timeWidth): the time embedding 'fourier' needs an even number")
        }
        try checkShift(blockOutChannels[0], "half of the first block's channels")
    }

    private func validateLabels() throws {
        if let numClassEmbeds { try checkRange("num_class_embeds", numClassEmbeds, within: 1...10_000_000) }
        let reader = classEmbedType == .projection || classEmbedType == .simpleProjection
        if let width = projectionClassEmbeddingsInputDim {
            try checkRange("projection_class_embeddings_input_dim", width, within: 1...1_048_576)
        } else {
            try require(
                "projection_class_embeddings_input_dim", !reader && additionEmbedType != .textTime,
                "is needed by '\(reader ? classEmbedType?.rawValue ?? "" : "text_time")'")
        }
        if additionEmbedType == .textTime {
            let width = additionTimeEmbedDim ?? 0
            try require(
                "addition_time_embed_dim", (1...65_536).contains(width),
                "is needed by 'text_time': use a whole number from 1 to 65536")
            try checkShift(width, "half of 'addition_time_embed_dim'")
        }
        guard classEmbeddingsConcat else { return }
        try require("class_embeddings_concat", isConditional, "is true, and there is no class embedding")
        try require(
            "class_embeddings_concat", additionEmbedType == nil,
            "is true, which '\(additionEmbedType?.rawValue ?? "")' cannot be added to")
    }

    private func checkShift(_ width: Int, _ bound: String) throws {
        try require(
            "freq_shift", freqShift < width / 2 && freqShift > -65_536,
            "is \(freqShift): use less than \(bound), \(width / 2)")
    }

    private func checkRanges(_ key: String, _ values: PerLevel<Int>, within range: ClosedRange<Int>)
        throws
    {
        for (index, value) in values.values.enumerated() {
            try checkRange(
                values.count == nil ? key : "\(key)[\(index)]", value, within: range)
        }
    }

    private func require(_ key: String, _ condition: Bool, _ problem: String) throws {
        guard condition else { throw NetworkError(key, problem) }
    }
}
