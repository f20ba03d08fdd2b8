extension UNet2DConfiguration {
    /// Checks that the values describe a network that can be built.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try validateSizes()
        try validateNorms()
        try validateAttention()
        try validateTime()
    }

    private func validateSizes() throws {
        let levels = blockOutChannels.count
        try require(
            "block_out_channels", (1...16).contains(levels), "must hold 1 to 16 numbers, not \(levels)")
        for (index, channels) in blockOutChannels.enumerated() {
            try checkRange("block_out_channels[\(index)]", channels, within: 1...65_536)
        }
        for (key, count) in [
            ("down_block_types", downBlockTypes.count), ("up_block_types", upBlockTypes.count),
        ] {
            try require(
                key, count == levels,
                "has \(count) entries and 'block_out_channels' has \(levels): make them equal")
        }
        try checkRange("in_channels", inChannels, within: 1...65_536)
        try checkRange("out_channels", outChannels, within: 1...65_536)
        try checkRange("layers_per_block", layersPerBlock, within: 1...256)
        try checkRange("downsample_padding", downsamplePadding, within: 0...1)
        if let sampleSize {
            try checkRange("sample_size", sampleSize.height, within: 1...65_536)
            try checkRange("sample_size", sampleSize.width, within: 1...65_536)
        }
        try require(
            "dropout", (0..<1).contains(dropout), "is \(dropout): use a probability from 0 to below 1")
        try require(
            "mid_block_scale_factor", midBlockScaleFactor.isFinite && midBlockScaleFactor != 0,
            "is \(midBlockScaleFactor): use a number other than 0")
    }

    private func validateNorms() throws {
        try require("norm_eps", normEps.isFinite && normEps > 0, "is \(normEps): use a small positive number")
        try checkRange("norm_num_groups", normNumGroups, within: 1...65_536)
        for channels in blockOutChannels where channels % normNumGroups != 0 {
            throw NetworkError(
                "norm_num_groups",
                "is \(normNumGroups), which does not divide the \(channels) channels of a block")
        }
        guard let groups = attnNormNumGroups, let channels = blockOutChannels.last else { return }
        try checkRange("attn_norm_num_groups", groups, within: 1...65_536)
        try require(
            "attn_norm_num_groups", channels % groups == 0,
            "is \(groups), which does not divide the \(channels) channels of the middle")
    }

    private func validateAttention() throws {
        let size = attentionHeadDim ?? 1
        try checkRange("attention_head_dim", size, within: 1...65_536)
        var attended = zip(blockOutChannels, downBlockTypes).filter { $1 == .attention }.map(\.0)
        attended += zip(blockOutChannels.reversed(), upBlockTypes).filter { $1 == .attention }.map(\.0)
        if addAttention && midBlockType != nil { attended += blockOutChannels.suffix(1) }
        if let heads = numAttentionHeads {
            try checkRange("num_attention_heads", heads, within: 1...65_536)
            for channels in attended where channels % heads != 0 {
                throw NetworkError(
                    "num_attention_heads",
                    "is \(heads), which does not divide the \(channels) channels of a block")
            }
            return
        }
        for channels in attended where channels < size {
            throw NetworkError(
                "attention_head_dim", "is \(size), which is more than the \(channels) channels of a block")
        }
    }

    private func validateTime() throws {
        if let timeEmbeddingDim {
            try checkRange("time_embedding_dim", timeEmbeddingDim, within: 1...1_048_576)
        }
        if let numClassEmbeds { try checkRange("num_class_embeds", numClassEmbeds, within: 1...10_000_000) }
        if let numTrainTimesteps {
            try checkRange("num_train_timesteps", numTrainTimesteps, within: 1...10_000_000)
        }
        switch timeEmbeddingType {
        case .positional:
            let frequencies = timeFeatures / 2
            try require(
                "freq_shift", freqShift < frequencies && freqShift > -65_536,
                "is \(freqShift): use less than half of the first block's channels, \(frequencies)")
        case .learned:
            try require(
                "num_train_timesteps", numTrainTimesteps != nil, "is needed by the time embedding 'learned'")
        case .fourier: break
        }
    }

    private func require(_ key: String, _ condition: Bool, _ problem: String) throws {
        guard condition else { throw NetworkError(key, problem) }
    }
}
