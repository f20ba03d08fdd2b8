import Layers

extension UNet2DConditionConfiguration: Codable {
    /// Reads a `config.json`; keys that are absent keep diffusers' defaults. Keys of diffusers that change
    /// nothing in the blocks there are, and unknown ones, are passed over.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public init(from decoder: any Decoder) throws {
        self.init()
        try Refused.check(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try values.read(.sampleSize, into: &sampleSize)
        try values.read(.inChannels, into: &inChannels)
        try values.read(.outChannels, into: &outChannels)
        try values.read(.centerInputSample, into: &centerInputSample)
        try values.read(.flipSinToCos, into: &flipSinToCos)
        try values.read(.freqShift, into: &freqShift)
        try values.readChoices(.downBlockTypes, into: &downBlockTypes)
        try values.readChoice(.midBlockType, into: &midBlockType)
        try values.readChoices(.upBlockTypes, into: &upBlockTypes)
        try values.read(.onlyCrossAttention, into: &onlyCrossAttention)
        try values.read(.blockOutChannels, into: &blockOutChannels)
        try values.read(.layersPerBlock, into: &layersPerBlock)
        try values.read(.downsamplePadding, into: &downsamplePadding)
        try values.read(.midBlockScaleFactor, into: &midBlockScaleFactor)
        try values.read(.dropout, into: &dropout)
        try values.readChoice(.actFn, into: &actFn)
        try values.read(.normNumGroups, into: &normNumGroups)
        try values.read(.normEps, into: &normEps)
        try values.read(.crossAttentionDim, into: &crossAttentionDim)
        try values.read(.transformerLayersPerBlock, into: &transformerLayersPerBlock)
        try values.read(.reverseTransformerLayersPerBlock, into: &reverseTransformerLayersPerBlock)
        try values.read(.attentionHeadDim, into: &attentionHeadDim)
        try values.read(.useLinearProjection, into: &useLinearProjection)
        try values.readChoice(.classEmbedType, into: &classEmbedType)
        try values.readChoice(.additionEmbedType, into: &additionEmbedType)
        try values.read(.additionTimeEmbedDim, into: &additionTimeEmbedDim)
        try values.read(.numClassEmbeds, into: &numClassEmbeds)
        // Published configurations have null for false here.
        var upcasts: Bool? = upcastAttention
        try values.read(.upcastAttention, into: &upcasts)
        upcastAttention = upcasts ?? false
        try values.readChoice(.resnetTimeScaleShift, into: &resnetTimeScaleShift)
        try values.readChoice(.timeEmbeddingType, into: &timeEmbeddingType)
        try values.read(.timeEmbeddingDim, into: &timeEmbeddingDim)
        try values.readChoice(.timeEmbeddingActFn, into: &timeEmbeddingActFn)
        try values.readChoice(.timestepPostAct, into: &timestepPostAct)
        try values.read(.timeCondProjDim, into: &timeCondProjDim)
        try values.read(.convInKernel, into: &convInKernel)
        try values.read(.convOutKernel, into: &convOutKernel)
        try values.read(.projectionClassEmbeddingsInputDim, into: &projectionClassEmbeddingsInputDim)
        try values.read(.classEmbeddingsConcat, into: &classEmbeddingsConcat)
        try validate()
    }

    /// Writes every key, `null` included: diffusers' default for an absent key is not always `null`.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(sampleSize, forKey: .sampleSize)
        try values.encode(inChannels, forKey: .inChannels)
        try values.encode(outChannels, forKey: .outChannels)
        try values.encode(centerInputSample, forKey: .centerInputSample)
        try values.encode(flipSinToCos, forKey: .flipSinToCos)
        try values.encode(freqShift, forKey: .freqShift)
        try values.encode(downBlockTypes, forKey: .downBlockTypes)
        try values.encode(midBlockType, forKey: .midBlockType)
        try values.encode(upBlockTypes, forKey: .upBlockTypes)
        try values.encode(onlyCrossAttention, forKey: .onlyCrossAttention)
        try values.encode(blockOutChannels, forKey: .blockOutChannels)
        try values.encode(layersPerBlock, forKey: .layersPerBlock)
        try values.encode(downsamplePadding, forKey: .downsamplePadding)
        try values.encode(midBlockScaleFactor, forKey: .midBlockScaleFactor)
        try values.encode(dropout, forKey: .dropout)
        try values.encode(actFn, forKey: .actFn)
        try values.encode(normNumGroups, forKey: .normNumGroups)
        try values.encode(normEps, forKey: .normEps)
        try values.encode(crossAttentionDim, forKey: .crossAttentionDim)
        try values.encode(transformerLayersPerBlock, forKey: .transformerLayersPerBlock)
        try values.encode(reverseTransformerLayersPerBlock, forKey: .reverseTransformerLayersPerBlock)
        try values.encode(attentionHeadDim, forKey: .attentionHeadDim)
        try values.encode(useLinearProjection, forKey: .useLinearProjection)
        try values.encode(classEmbedType, forKey: .classEmbedType)
        try values.encode(additionEmbedType, forKey: .additionEmbedType)
        try values.encode(additionTimeEmbedDim, forKey: .additionTimeEmbedDim)
        try values.encode(numClassEmbeds, forKey: .numClassEmbeds)
        try values.encode(upcastAttention, forKey: .upcastAttention)
        try values.encode(resnetTimeScaleShift, forKey: .resnetTimeScaleShift)
        try values.encode(timeEmbeddingType, forKey: .timeEmbeddingType)
        try values.encode(timeEmbeddingDim, forKey: .timeEmbeddingDim)
        try values.encode(timeEmbeddingActFn, forKey: .timeEmbeddingActFn)
        try values.encode(timestepPostAct, forKey: .timestepPostAct)
        try values.encode(timeCondProjDim, forKey: .timeCondProjDim)
        try values.encode(convInKernel, forKey: .convInKernel)
        try values.encode(convOutKernel, forKey: .convOutKernel)
        try values.encode(projectionClassEmbeddingsInputDim, forKey: .projectionClassEmbeddingsInputDim)
        try values.encode(classEmbeddingsConcat, forKey: .classEmbeddingsConcat)
    }

    /// Keys of diffusers that would change the result, each with why it is refused.
    private enum Refused: String, CodingKey, CaseIterable {
        case numAttentionHeads = "num_attention_heads"
        case dualCrossAttention = "dual_cross_attention"
        case encoderHidDim = "encoder_hid_dim"
        case encoderHidDimType = "encoder_hid_dim_type"
        case attentionType = "attention_type"

        var problem: String {
            switch self {
            case .numAttentionHeads:
                "is refused by diffusers, too: give the number of heads under 'attention_head_dim'"
            case .dualCrossAttention: "is not supported: the transformers here look at one context"
            case .encoderHidDim, .encoderHidDimType:
                "is not supported: the context must come in the width of 'cross_attention_dim'"
            case .attentionType: "is not supported unless it is 'default'"
            }
        }

        static func check(_ decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Refused.self)
            for key in allCases where values.contains(key) {
                let isDefault =
                    try values.decodeNil(forKey: key) || (try? values.decode(Bool.self, forKey: key)) == false
                    || (try? values.decode(String.self, forKey: key)) == "default"
                guard isDefault else { throw NetworkError(key.rawValue, key.problem) }
            }
        }
    }
}

extension UNet2DConditionConfiguration.DownBlockType: Named {}
extension UNet2DConditionConfiguration.MidBlockType: Named {}
extension UNet2DConditionConfiguration.UpBlockType: Named {}
extension UNet2DConditionConfiguration.TimeEmbeddingType: Named {}
extension UNet2DConditionConfiguration.ClassEmbedType: Named {}
extension UNet2DConditionConfiguration.AdditionEmbedType: Named {}
