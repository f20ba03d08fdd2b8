import Layers

extension UNet2DConditionConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("sample_size", \.sampleSize),
        .init("in_channels", \.inChannels),
        .init("out_channels", \.outChannels),
        .init("center_input_sample", \.centerInputSample),
        .init("flip_sin_to_cos", \.flipSinToCos),
        .init("freq_shift", \.freqShift),
        .init("down_block_types", choices: \.downBlockTypes),
        .init("mid_block_type", optionalChoice: \.midBlockType),
        .init("up_block_types", choices: \.upBlockTypes),
        .init("only_cross_attention", \.onlyCrossAttention),
        .init("mid_block_only_cross_attention", \.midBlockOnlyCrossAttention),
        .init("cross_attention_norm", optionalChoice: \.crossAttentionNorm),
        .init("block_out_channels", \.blockOutChannels),
        .init("layers_per_block", \.layersPerBlock),
        .init("downsample_padding", \.downsamplePadding),
        .init("mid_block_scale_factor", \.midBlockScaleFactor),
        .init("dropout", \.dropout),
        .init("act_fn", choice: \.actFn),
        .init("norm_num_groups", \.normNumGroups),
        .init("norm_eps", \.normEps),
        .init("cross_attention_dim", \.crossAttentionDim),
        .init("encoder_hid_dim", \.encoderHidDim),
        .init("encoder_hid_dim_type", optionalChoice: \.encoderHidDimType),
        .init("transformer_layers_per_block", \.transformerLayersPerBlock),
        .init("reverse_transformer_layers_per_block", \.reverseTransformerLayersPerBlock),
        .init("attention_head_dim", \.attentionHeadDim),
        .init("use_linear_projection", \.useLinearProjection),
        .init("class_embed_type", optionalChoice: \.classEmbedType),
        .init("addition_embed_type", optionalChoice: \.additionEmbedType),
        .init("addition_time_embed_dim", \.additionTimeEmbedDim),
        .init("addition_embed_type_num_heads", \.additionHeads),
        .init("num_class_embeds", \.numClassEmbeds),
        .init("upcast_attention", \.upcasts),
        .init("resnet_time_scale_shift", choice: \.resnetTimeScaleShift),
        .init("resnet_skip_time_act", \.skipsTimeAct),
        .init("resnet_out_scale_factor", \.outScaleFactor),
        .init("time_embedding_type", choice: \.timeEmbeddingType),
        .init("time_embedding_dim", \.timeEmbeddingDim),
        .init("time_embedding_act_fn", optionalChoice: \.timeEmbeddingActFn),
        .init("timestep_post_act", optionalChoice: \.timestepPostAct),
        .init("time_cond_proj_dim", \.timeCondProjDim),
        .init("conv_in_kernel", \.convInKernel),
        .init("conv_out_kernel", \.convOutKernel),
        .init("projection_class_embeddings_input_dim", \.projectionClassEmbeddingsInputDim),
        .init("class_embeddings_concat", \.classEmbeddingsConcat),
    ]

    /// Published configurations have `null` for false here.
    private var upcasts: Bool? {
        get { upcastAttention }
        set { upcastAttention = newValue ?? false }
    }

    // `null` in files of networks that do not read them.
    private var additionHeads: Int? {
        get { additionEmbedTypeNumHeads }
        set { additionEmbedTypeNumHeads = newValue ?? 64 }
    }
    private var skipsTimeAct: Bool? {
        get { resnetSkipTimeAct }
        set { resnetSkipTimeAct = newValue ?? false }
    }
    private var outScaleFactor: Double? {
        get { resnetOutScaleFactor }
        set { resnetOutScaleFactor = newValue ?? 1 }
    }

    /// Keys of diffusers that would change the result, each with why it is refused.
    private static let refused = [
        "num_attention_heads":
            "is refused by diffusers, too: give the number of heads under 'attention_head_dim'",
        "dual_cross_attention": "is not supported: the transformers here look at one context",
        "attention_type": "is not supported unless it is 'default'",
    ]

    package static var otherKeys: Set<String> { Set(refused.keys) }

    package static func refuseOthers(_ values: KeyedDecodingContainer<ConfigurationName>) throws {
        for (name, problem) in refused.sorted(by: { $0.key < $1.key }) {
            let key = ConfigurationName(name)
            guard values.contains(key) else { continue }
            let isDefault =
                try values.decodeNil(forKey: key) || (try? values.decode(Bool.self, forKey: key)) == false
                || (try? values.decode(String.self, forKey: key)) == "default"
            guard isDefault else { throw NetworkError(name, problem) }
        }
    }
}

extension UNet2DConditionConfiguration.DownBlockType: Named {}
extension UNet2DConditionConfiguration.MidBlockType: Named {}
extension UNet2DConditionConfiguration.UpBlockType: Named {}
extension UNet2DConditionConfiguration.TimeEmbeddingType: Named {}
extension UNet2DConditionConfiguration.ClassEmbedType: Named {}
extension UNet2DConditionConfiguration.AdditionEmbedType: Named {}
extension UNet2DConditionConfiguration.CrossAttentionNorm: Named {}
extension UNet2DConditionConfiguration.EncoderHidDimType: Named {}
