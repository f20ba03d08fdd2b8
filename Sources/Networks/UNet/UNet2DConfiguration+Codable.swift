import Layers

extension UNet2DConfiguration: ConfigurationTable {
    package static let keys: [ConfigurationKey<Self>] = [
        .init("sample_size", \.sampleSize),
        .init("in_channels", \.inChannels),
        .init("out_channels", \.outChannels),
        .init("center_input_sample", \.centerInputSample),
        .init("time_embedding_type", choice: \.timeEmbeddingType),
        .init("time_embedding_dim", \.timeEmbeddingDim),
        .init("freq_shift", \.freqShift),
        .init("flip_sin_to_cos", \.flipSinToCos),
        .init("down_block_types", choices: \.downBlockTypes),
        .init("mid_block_type", optionalChoice: \.midBlockType),
        .init("up_block_types", choices: \.upBlockTypes),
        .init("block_out_channels", \.blockOutChannels),
        .init("layers_per_block", \.layersPerBlock),
        .init("mid_block_scale_factor", \.midBlockScaleFactor),
        .init("downsample_padding", \.downsamplePadding),
        .init("downsample_type", choice: \.downsampleType),
        .init("upsample_type", choice: \.upsampleType),
        .init("dropout", \.dropout),
        .init("act_fn", choice: \.actFn),
        .init("attention_head_dim", \.attentionHeadDim),
        .init("norm_num_groups", \.normNumGroups),
        .init("attn_norm_num_groups", \.attnNormNumGroups),
        .init("norm_eps", \.normEps),
        .init("resnet_time_scale_shift", choice: \.resnetTimeScaleShift),
        .init("add_attention", \.addAttention),
        .init("class_embed_type", optionalChoice: \.classEmbedType),
        .init("num_class_embeds", \.numClassEmbeds),
        .init("num_train_timesteps", \.numTrainTimesteps),
    ]
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
