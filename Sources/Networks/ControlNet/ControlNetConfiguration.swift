import Layers

/// The configuration of a `ControlNet`: the keys, values and defaults of diffusers' `ControlNetModel` (version 0.42), so that its
/// `config.json` is read and written as it stands.
public struct ControlNetConfiguration: Equatable, Sendable {
    /// The order of a picture's colours.
    public enum ChannelOrder: String, Codable, Sendable, CaseIterable {
        case rgb, bgr
    }

    /// The U-Net whose way down and middle the network has; nothing is read of its way up.
    public var unet = UNet2DConditionConfiguration()
    /// Channels of the picture.
    public var conditioningChannels = 3
    /// The order of its colours.
    public var channelOrder = ChannelOrder.rgb
    /// Channels of the convolutions that read it; each but the first halves its height and width.
    public var conditioningEmbeddingOutChannels = [16, 32, 96, 256]
    /// Whether the mean over the picture is added everywhere.
    public var globalPoolConditions = false

    /// The defaults of diffusers.
    public init() {}

    /// Pixels along each side of the square of which the picture's embedding makes one.
    public var shrinking: Int { 1 << (conditioningEmbeddingOutChannels.count - 1) }

    /// Channels of what is added on the way down, in its order.
    public var controlChannels: [Int] {
        let channels = unet.blockOutChannels
        return [channels[0]]
            + channels.indices.flatMap { level in
                let isLast = level == channels.count - 1
                return Array(repeating: channels[level], count: unet.layersPerBlock[level] + (isLast ? 0 : 1))
            }
    }

    /// The U-Net's settings with a way up that asks for nothing.
    package var wayDown: UNet2DConditionConfiguration {
        var way = unet
        way.upBlockTypes = way.blockOutChannels.map { _ in .plain }
        return way
    }
}

extension ControlNetConfiguration: ConfigurationTable {
    /// The keys of a U-Net that the network has, too.
    private static let ofUNet: Set = [
        "in_channels", "flip_sin_to_cos", "freq_shift", "down_block_types", "mid_block_type",
        "only_cross_attention", "block_out_channels", "layers_per_block", "downsample_padding",
        "mid_block_scale_factor", "act_fn", "norm_num_groups", "norm_eps", "cross_attention_dim",
        "transformer_layers_per_block", "attention_head_dim", "use_linear_projection", "class_embed_type",
        "addition_embed_type", "addition_time_embed_dim", "addition_embed_type_num_heads",
        "num_class_embeds", "upcast_attention", "resnet_time_scale_shift",
        "projection_class_embeddings_input_dim",
    ]

    package static let keys: [ConfigurationKey<Self>] =
        UNet2DConditionConfiguration.keys.filter { ofUNet.contains($0.name) }.map { $0.within(\.unet) } + [
            .init("conditioning_channels", \.conditioningChannels),
            .init("controlnet_conditioning_channel_order", choice: \.channelOrder),
            .init("conditioning_embedding_out_channels", \.conditioningEmbeddingOutChannels),
            .init("global_pool_conditions", \.globalPoolConditions),
        ]

    /// Keys of diffusers that would change the result, each with why it is refused.
    private static let refused = [
        "num_attention_heads": "is not read here: give the number of heads under 'attention_head_dim'",
        "encoder_hid_dim": "adds a layer that diffusers does not run either: leave it out",
        "encoder_hid_dim_type": "adds a layer that diffusers does not run either: leave it out",
    ]

    package static var otherKeys: Set<String> { Set(refused.keys) }

    package static func refuseOthers(_ values: KeyedDecodingContainer<ConfigurationName>) throws {
        for (name, problem) in refused.sorted(by: { $0.key < $1.key }) {
            let key = ConfigurationName(name)
            if values.contains(key), try !values.decodeNil(forKey: key) {
                throw NetworkError(name, problem)
            }
        }
    }

    /// Checks that the values describe a network.
    /// - Throws: `NetworkError` that names the key whose value will not do.
    public func validate() throws {
        try checkRange("conditioning_channels", conditioningChannels, within: 1...65_536)
        let key = "conditioning_embedding_out_channels"
        guard (1...16).contains(conditioningEmbeddingOutChannels.count) else {
            throw NetworkError(
                key, "must hold 1 to 16 numbers, not \(conditioningEmbeddingOutChannels.count)")
        }
        for (index, channels) in conditioningEmbeddingOutChannels.enumerated() {
            try checkRange("\(key)[\(index)]", channels, within: 1...65_536)
        }
        try wayDown.validate()
    }
}

extension ControlNetConfiguration.ChannelOrder: Named {}
