import Storage

// Autoencoders, text encoders and schedules.

extension Published {
    // MARK: Autoencoders

    private static func autoencoder(
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

    /// Half precision overflows in it.
    static let xlAutoencoder = join(klAutoencoder(sampleSize: 1024, scale: 0.13025), ["force_upcast": true])

    static let sd3Autoencoder = join(
        klAutoencoder(sampleSize: 1024, latents: 16, scale: 1.5305),
        [
            "force_upcast": true, "shift_factor": 0.0609, "use_post_quant_conv": false,
            "use_quant_conv": false,
        ])

    static let upscalerAutoencoder = autoencoder(
        "AutoencoderKL", channels: [128, 256, 512], latents: 4, sampleSize: 256, scale: 0.08333)

    // The latents of quantised autoencoders are not scaled: the original configurations have no `scale_factor`,
    // which then is 1. diffusers takes 0.18215 where its key is missing, so the key must be there.

    static let vq4 = join(
        autoencoder("VQModel", channels: [128, 256, 512], latents: 3, sampleSize: 256, scale: 1),
        ["num_vq_embeddings": 8192, "vq_embed_dim": 3])

    static let vq8 = join(
        autoencoder("VQModel", channels: [128, 256, 256, 512], latents: 4, sampleSize: 256, scale: 1),
        [
            "down_block_types": [
                "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "AttnDownEncoderBlock2D",
            ],
            "num_vq_embeddings": 16384,
            "up_block_types": [
                "AttnUpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
            ],
            "vq_embed_dim": 4,
        ])

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

    private static func schedule(
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

    /// The original's own sampler: its first step back is from 1 and it ends at the first of the table.
    static let latentDDIM = schedule("DDIMScheduler", from: 0.0015, to: 0.0195)

    /// How the picture that is enlarged is noised.
    static let upscalerDDPM: JSONObject = [
        "_class_name": "DDPMScheduler", "beta_end": 0.02, "beta_schedule": "scaled_linear",
        "beta_start": 0.0001, "clip_sample": true, "num_train_timesteps": 1000,
        "prediction_type": "epsilon", "variance_type": "fixed_small",
    ]

    static let upscalerDDIM = schedule("DDIMScheduler", from: 0.0001, to: 0.02, prediction: "v_prediction")

    static let ditScheduler: JSONObject = [
        "_class_name": "DDIMScheduler", "beta_end": 0.02, "beta_schedule": "linear", "beta_start": 0.0001,
        "clip_sample": false, "num_train_timesteps": 1000, "prediction_type": "epsilon",
        "set_alpha_to_one": true, "steps_offset": 0,
    ]
}
