/// The configuration of an `UnCLIPDecoder`: the keys of diffusers' `UNet2DConditionModel` for the U-Net, and those of its
/// `UnCLIPTextProjModel` that do not follow from them.
public struct UnCLIPDecoderConfiguration: Equatable, Sendable {
    /// The U-Net; what is added to its time comes from the projection.
    public var unet = UNet2DConditionConfiguration()
    /// Tokens that the embedding of the picture becomes.
    public var clipExtraContextTokens = 4
    /// Features of CLIP's embeddings, and of the states of the text.
    public var clipEmbeddingsDim = 96

    /// Two resolutions of 32 and 64 channels, with attention to the context at the lower one.
    public init() {
        (unet.inChannels, unet.outChannels) = (3, 3)
        (unet.blockOutChannels, unet.layersPerBlock) = ([32, 64], .same(1))
        (unet.downBlockTypes, unet.upBlockTypes) = ([.plain, .crossAttention], [.crossAttention, .plain])
        (unet.crossAttentionDim, unet.attentionHeadDim) = (.same(64), .same(4))
        (unet.normNumGroups, unet.classEmbedType) = (8, .identity)
    }

    /// What the U-Net is conditioned on is made by a projection of these sizes.
    public var projection: UnCLIPTextProjectionConfiguration {
        var projection = UnCLIPTextProjectionConfiguration()
        projection.clipExtraContextTokens = clipExtraContextTokens
        projection.clipEmbeddingsDim = clipEmbeddingsDim
        projection.timeEmbedDim = unet.timeWidth
        projection.crossAttentionDim = unet.crossAttentionDim.common ?? 0
        return projection
    }
}

extension UnCLIPDecoderConfiguration: ConfigurationTable {
    /// Keys of the U-Net that are the same in every decoder of embeddings.
    private static let fixedKeys: Set = ["class_embed_type", "num_class_embeds"]

    package static let keys: [ConfigurationKey<Self>] =
        UNet2DConditionConfiguration.keys.filter { !fixedKeys.contains($0.name) }.map { $0.within(\.unet) }
        + [
            .init("clip_extra_context_tokens", \.clipExtraContextTokens),
            .init("clip_embeddings_dim", \.clipEmbeddingsDim),
        ]
}

extension UnCLIPDecoderConfiguration: TrainableSettings {
    /// Checks that the values describe networks that can be built, and that go together.
    /// - Throws: `NetworkError` that names the first key whose value will not do.
    public func validate() throws {
        try unet.validate()
        guard unet.looksAtContext, unet.crossAttentionDim.common != nil, unet.encoderHidDim == nil else {
            throw NetworkError(
                "cross_attention_dim",
                "must be one number, and some blocks must have cross attention (CrossAttnDownBlock2D): the decoder attends to tokens made of the embedding"
            )
        }
        guard unet.additionEmbedType == nil, unet.timeCondProjDim == nil else {
            throw NetworkError(
                unet.additionEmbedType == nil ? "time_cond_proj_dim" : "addition_embed_type",
                "must be null: what is added to the time is made of the embedding")
        }
        try projection.validate()
    }

    /// Sizes, channels, and the features of CLIP's embeddings.
    public static let fittedKeys: Set = [
        "sample_size", "in_channels", "out_channels", "clip_embeddings_dim",
    ]

    /// The same for pictures of a size and for embeddings of so many features, where their keys were not given.
    public func fitted(to demands: NetworkDemands) -> Self {
        var fitted = self
        demands.set("sample_size", &fitted.unet.sampleSize, to: demands.size)
        demands.set("in_channels", &fitted.unet.inChannels, to: demands.channels)
        demands.set("out_channels", &fitted.unet.outChannels, to: demands.outputChannels)
        demands.set("clip_embeddings_dim", &fitted.clipEmbeddingsDim, to: demands.pooledWidth)
        return fitted
    }
}
