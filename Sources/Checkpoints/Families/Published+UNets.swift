import Storage

extension Published {
    private static func unet(
        _ className: String, down: [String], up: [String], channels: [Int], inputs: Int, sampleSize: Int
    ) -> JSONObject {
        [
            "_class_name": .string(className), "act_fn": "silu",
            "block_out_channels": .array(channels.map(JSONValue.integer)), "center_input_sample": false,
            "down_block_types": .array(down.map(JSONValue.string)), "downsample_padding": 1,
            "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": .integer(inputs), "layers_per_block": 2,
            "mid_block_scale_factor": 1, "norm_eps": 1e-5, "norm_num_groups": 32, "out_channels": 4,
            "sample_size": .integer(sampleSize), "up_block_types": .array(up.map(JSONValue.string)),
        ]
    }

    private static let (plainDown, plainUp) = ("DownBlock2D", "UpBlock2D")
    private static let (crossDown, crossUp) = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D")

    /// A U-Net of four levels with attention in all but the lowest.
    private static func fourLevels(inputs: Int, sampleSize: Int) -> JSONObject {
        unet(
            "UNet2DConditionModel", down: [crossDown, crossDown, crossDown, plainDown],
            up: [plainUp, crossUp, crossUp, crossUp], channels: [320, 640, 1280, 1280], inputs: inputs,
            sampleSize: sampleSize)
    }

    static func sd1UNet(inputs: Int) -> JSONObject {
        join(
            fourLevels(inputs: inputs, sampleSize: 64), ["attention_head_dim": 8, "cross_attention_dim": 768])
    }

    private static let sd2Attention: JSONObject = [
        "attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024, "use_linear_projection": true,
    ]

    /// That of version 2.1, whose attention overflows half precision.
    static let sd2UNet = join(
        fourLevels(inputs: 4, sampleSize: 96), sd2Attention, ["upcast_attention": true])

    static let sd2InpaintingUNet = join(fourLevels(inputs: 9, sampleSize: 64), sd2Attention)

    private static let xlConditions: JSONObject = [
        "addition_embed_type": "text_time", "addition_time_embed_dim": 256, "use_linear_projection": true,
    ]

    static let xlUNet = join(
        unet(
            "UNet2DConditionModel", down: [plainDown, crossDown, crossDown], up: [crossUp, crossUp, plainUp],
            channels: [320, 640, 1280], inputs: 4, sampleSize: 128),
        xlConditions,
        [
            "attention_head_dim": [5, 10, 20], "cross_attention_dim": 2048,
            "projection_class_embeddings_input_dim": 2816, "transformer_layers_per_block": [1, 2, 10],
        ])

    static let refinerUNet = join(
        unet(
            "UNet2DConditionModel", down: [plainDown, crossDown, crossDown, plainDown],
            up: [plainUp, crossUp, crossUp, plainUp], channels: [384, 768, 1536, 1536], inputs: 4,
            sampleSize: 128),
        xlConditions,
        [
            "attention_head_dim": [6, 12, 24, 24], "cross_attention_dim": 1280,
            "projection_class_embeddings_input_dim": 2560, "transformer_layers_per_block": 4,
        ])

    static let upscalerUNet = join(
        unet(
            "UNet2DConditionModel", down: [plainDown, crossDown, crossDown, crossDown],
            up: [crossUp, crossUp, crossUp, plainUp], channels: [256, 512, 512, 1024], inputs: 7,
            sampleSize: 128),
        [
            "attention_head_dim": 8, "cross_attention_dim": 1024, "num_class_embeds": 1000,
            "only_cross_attention": [true, true, true, false], "use_linear_projection": true,
        ])

    static let unconditionalLatentUNet = join(
        unet(
            "UNet2DModel", down: [plainDown] + Array(repeating: "AttnDownBlock2D", count: 3),
            up: Array(repeating: "AttnUpBlock2D", count: 3) + [plainUp], channels: [224, 448, 672, 896],
            inputs: 3, sampleSize: 64),
        [
            "attention_head_dim": 32, "out_channels": 3, "resnet_time_scale_shift": "default",
            "time_embedding_type": "positional",
        ])

    /// Heads have 32 channels in the original; diffusers' key gives their number, level by level.
    static let classLatentUNet = join(
        unet(
            "UNet2DConditionModel", down: Array(repeating: crossDown, count: 3),
            up: Array(repeating: crossUp, count: 3), channels: [256, 512, 1024], inputs: 4, sampleSize: 32),
        ["attention_head_dim": [8, 16, 32], "cross_attention_dim": 512])
}
