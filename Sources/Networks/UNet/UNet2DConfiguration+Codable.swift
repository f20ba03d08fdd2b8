import Layers

extension UNet2DConfiguration: Codable {
    /// Reads a `config.json`; keys that are absent keep diffusers' defaults, unknown ones are passed over.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public init(from decoder: any Decoder) throws {
        self.init()
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.sampleSize, into: &sampleSize)
        try values.read(.inChannels, into: &inChannels)
        try values.read(.outChannels, into: &outChannels)
        try values.read(.centerInputSample, into: &centerInputSample)
        try values.readChoice(.timeEmbeddingType, into: &timeEmbeddingType)
        try values.read(.timeEmbeddingDim, into: &timeEmbeddingDim)
        try values.read(.freqShift, into: &freqShift)
        try values.read(.flipSinToCos, into: &flipSinToCos)
        try values.readChoices(.downBlockTypes, into: &downBlockTypes)
        try values.readChoice(.midBlockType, into: &midBlockType)
        try values.readChoices(.upBlockTypes, into: &upBlockTypes)
        try values.read(.blockOutChannels, into: &blockOutChannels)
        try values.read(.layersPerBlock, into: &layersPerBlock)
        try values.read(.midBlockScaleFactor, into: &midBlockScaleFactor)
        try values.read(.downsamplePadding, into: &downsamplePadding)
        try values.readChoice(.downsampleType, into: &downsampleType)
        try values.readChoice(.upsampleType, into: &upsampleType)
        try values.read(.dropout, into: &dropout)
        try values.readChoice(.actFn, into: &actFn)
        try values.read(.attentionHeadDim, into: &attentionHeadDim)
        try values.read(.normNumGroups, into: &normNumGroups)
        try values.read(.attnNormNumGroups, into: &attnNormNumGroups)
        try values.read(.normEps, into: &normEps)
        try values.readChoice(.resnetTimeScaleShift, into: &resnetTimeScaleShift)
        try values.read(.addAttention, into: &addAttention)
        try values.readChoice(.classEmbedType, into: &classEmbedType)
        try values.read(.numClassEmbeds, into: &numClassEmbeds)
        try values.read(.numTrainTimesteps, into: &numTrainTimesteps)
        try validate()
    }

    /// Writes every key, `null` included: diffusers' default for an absent key is not always `null`.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(sampleSize, forKey: .sampleSize)
        try values.encode(inChannels, forKey: .inChannels)
        try values.encode(outChannels, forKey: .outChannels)
        try values.encode(centerInputSample, forKey: .centerInputSample)
        try values.encode(timeEmbeddingType, forKey: .timeEmbeddingType)
        try values.encode(timeEmbeddingDim, forKey: .timeEmbeddingDim)
        try values.encode(freqShift, forKey: .freqShift)
        try values.encode(flipSinToCos, forKey: .flipSinToCos)
        try values.encode(downBlockTypes, forKey: .downBlockTypes)
        try values.encode(midBlockType, forKey: .midBlockType)
        try values.encode(upBlockTypes, forKey: .upBlockTypes)
        try values.encode(blockOutChannels, forKey: .blockOutChannels)
        try values.encode(layersPerBlock, forKey: .layersPerBlock)
        try values.encode(midBlockScaleFactor, forKey: .midBlockScaleFactor)
        try values.encode(downsamplePadding, forKey: .downsamplePadding)
        try values.encode(downsampleType, forKey: .downsampleType)
        try values.encode(upsampleType, forKey: .upsampleType)
        try values.encode(dropout, forKey: .dropout)
        try values.encode(actFn, forKey: .actFn)
        try values.encode(attentionHeadDim, forKey: .attentionHeadDim)
        try values.encode(normNumGroups, forKey: .normNumGroups)
        try values.encode(attnNormNumGroups, forKey: .attnNormNumGroups)
        try values.encode(normEps, forKey: .normEps)
        try values.encode(resnetTimeScaleShift, forKey: .resnetTimeScaleShift)
        try values.encode(addAttention, forKey: .addAttention)
        try values.encode(classEmbedType, forKey: .classEmbedType)
        try values.encode(numClassEmbeds, forKey: .numClassEmbeds)
        try values.encode(numTrainTimesteps, forKey: .numTrainTimesteps)
    }
}

extension UNet2DConfiguration.SampleSize: Codable {
    /// A number, or a list of height and width.
    public init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let size = try? value.decode(Int.self) {
            self = .square(size)
            return
        }
        guard let sizes = try? value.decode([Int].self), sizes.count == 2 else {
            throw NetworkError("sample_size", "must be a whole number, a list of height and width, or null")
        }
        self = .rectangle(height: sizes[0], width: sizes[1])
    }

    /// As it was read.
    public func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .square(let size): try value.encode(size)
        case .rectangle(let height, let width): try value.encode([height, width])
        }
    }
}

extension UNet2DConfiguration.TimeEmbeddingType: Named {}
extension UNet2DConfiguration.MidBlockType: Named {}
extension UNet2DConfiguration.ResamplingType: Named {}
extension UNet2DConfiguration.TimeScaleShift: Named {}
extension UNet2DConfiguration.ClassEmbedType: Named {}

// Early checkpoints wrote the block names with a prefix, and activations in any case.

extension UNet2DConfiguration.DownBlockType: Named {
    init?(configured text: String) { self.init(rawValue: withoutOldPrefix(text)) }
}

extension UNet2DConfiguration.UpBlockType: Named {
    init?(configured text: String) { self.init(rawValue: withoutOldPrefix(text)) }
}

extension Activation: Named {
    init?(configured text: String) { self.init(rawValue: text.lowercased()) }
}

private func withoutOldPrefix(_ name: String) -> String {
    name.hasPrefix("UNetRes") ? String(name.dropFirst("UNetRes".count)) : name
}
