import Storage

/// Configurations as they were published with the weights, as far as several families share them.
enum Published {
    /// Values that several configurations share, with those of one.
    static func join(_ objects: JSONObject...) -> JSONObject {
        objects.dropFirst().reduce(into: objects[0]) { result, object in
            for (key, value) in object.members { result[key] = value }
        }
    }

    // MARK: U-Nets

    static func unet(
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

    /// A U-Net of four levels with attention in all but the lowest.
    static func fourLevels(inputs: Int, sampleSize: Int) -> JSONObject {
        unet(
            "UNet2DConditionModel",
            down: Array(repeating: "CrossAttnDownBlock2D", count: 3) + ["DownBlock2D"],
            up: ["UpBlock2D"] + Array(repeating: "CrossAttnUpBlock2D", count: 3),
            channels: [320, 640, 1280, 1280], inputs: inputs, sampleSize: sampleSize)
    }

    // MARK: Autoencoders

    static func autoencoder(
        _ className: String, channels: [Int], latents: Int, sampleSize: Int, scale: Double
    ) -> JSONObject {
        let levels = channels.count
        return [
            "_class_name": .string(className), "act_fn": "silu",
            "block_out_channels": .array(channels.map(JSONValue.integer)),
            "down_block_types": .array(Array(repeating: "DownEncoderBlock2D", count: levels)),
            "in_channels": 3,
            "latent_channels": .integer(latents), "layers_per_block": 2, "norm_num_groups": 32,
            "out_channels": 3, "sample_size": .integer(sampleSize), "scaling_factor": .number(scale),
            "up_block_types": .array(Array(repeating: "UpDecoderBlock2D", count: levels)),
        ]
    }

    static func klAutoencoder(sampleSize: Int, latents: Int = 4, scale: Double = 0.18215) -> JSONObject {
        autoencoder(
            "AutoencoderKL", channels: [128, 256, 512, 512], latents: latents, sampleSize: sampleSize,
            scale: scale)
    }

    // MARK: Text encoders

    private static func clip(
        _ className: String, width: Int, heads: Int, layers: Int, activation: String, projection: Int
    ) -> JSONObject {
        [
            "architectures": [.string(className)], "attention_dropout": 0.0, "bos_token_id": 0,
            "eos_token_id": 2, "hidden_act": .string(activation), "hidden_size": .integer(width),
            "intermediate_size": .integer(4 * width), "layer_norm_eps": 1e-5, "max_position_embeddings": 77,
            "model_type": "clip_text_model", "num_attention_heads": .integer(heads),
            "num_hidden_layers": .integer(layers), "pad_token_id": 1, "projection_dim": .integer(projection),
            "vocab_size": 49408,
        ]
    }

    static func clipLarge(hasProjection: Bool = false) -> JSONObject {
        clip(
            hasProjection ? "CLIPTextModelWithProjection" : "CLIPTextModel", width: 768, heads: 12,
            layers: 12,
            activation: "quick_gelu", projection: 768)
    }

    static let openCLIPHuge = clip(
        "CLIPTextModel", width: 1024, heads: 16, layers: 23, activation: "gelu", projection: 512)

    static let openCLIPBigG = clip(
        "CLIPTextModelWithProjection", width: 1280, heads: 20, layers: 32, activation: "gelu",
        projection: 1280)

    static let t5XXL: JSONObject = [
        "architectures": ["T5EncoderModel"], "d_ff": 10240, "d_kv": 64, "d_model": 4096, "dropout_rate": 0.1,
        "feed_forward_proj": "gated-gelu", "layer_norm_epsilon": 1e-6, "model_type": "t5", "num_heads": 64,
        "num_layers": 24, "relative_attention_max_distance": 128, "relative_attention_num_buckets": 32,
        "tie_word_embeddings": false, "vocab_size": 32128,
    ]

    // MARK: Schedules

    static func schedule(
        _ className: String, from start: Double = 0.00085, to end: Double = 0.012,
        prediction: String = "epsilon"
    ) -> JSONObject {
        [
            "_class_name": .string(className), "beta_end": .number(end), "beta_schedule": "scaled_linear",
            "beta_start": .number(start), "clip_sample": false, "num_train_timesteps": 1000,
            "prediction_type": .string(prediction), "set_alpha_to_one": false, "steps_offset": 1,
        ]
    }

    static let pseudoNumerical = join(schedule("PNDMScheduler"), ["skip_prk_steps": true])

    static func ddim(prediction: String) -> JSONObject { schedule("DDIMScheduler", prediction: prediction) }

    static let euler = join(
        schedule("EulerDiscreteScheduler"),
        [
            "interpolation_type": "linear", "sample_max_value": 1.0, "skip_prk_steps": true,
            "timestep_spacing": "leading", "use_karras_sigmas": false,
        ])
}
