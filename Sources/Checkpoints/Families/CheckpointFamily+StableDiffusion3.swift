import Storage

extension CheckpointFamily {
    /// Stable Diffusion 3 Medium.
    public static let stableDiffusion3Medium = version3(
        "sd3-medium", layers: 24, heads: 24, positions: 192
    ) { tensors in
        hasJointBlocks(tensors) && !hasSecondAttention(tensors) && !normalizesQueries(tensors)
    }

    /// Stable Diffusion 3.5 Medium: its first thirteen blocks have a second attention.
    public static let stableDiffusion35Medium = version3(
        "sd3.5-medium", layers: 24, heads: 24, positions: 384, dual: Array(0...12), normalizesQueries: true
    ) { tensors in
        hasJointBlocks(tensors) && hasSecondAttention(tensors)
    }

    /// Stable Diffusion 3.5 Large.
    public static let stableDiffusion35Large = version3(
        "sd3.5-large", layers: 38, heads: 38, positions: 192, normalizesQueries: true
    ) { tensors in
        hasJointBlocks(tensors) && !hasSecondAttention(tensors) && normalizesQueries(tensors)
    }

    private static func hasJointBlocks(_ tensors: TensorNames) -> Bool {
        tensors.hasAny("model.diffusion_model.joint_blocks.0.") || tensors.hasAny("joint_blocks.0.")
    }

    private static func hasSecondAttention(_ tensors: TensorNames) -> Bool {
        tensors.hasAny(ending: "x_block.attn2.qkv.weight")
    }

    private static func normalizesQueries(_ tensors: TensorNames) -> Bool {
        tensors.hasAny(ending: "x_block.attn.ln_q.weight")
    }

    private static func version3(
        _ name: String, layers: Int, heads: Int, positions: Int, dual: [Int] = [],
        normalizesQueries: Bool = false, recognized: @escaping @Sendable (TensorNames) -> Bool
    ) -> CheckpointFamily {
        let transformer: JSONObject = [
            "_class_name": "SD3Transformer2DModel", "attention_head_dim": 64,
            "caption_projection_dim": .integer(64 * heads),
            "dual_attention_layers": .array(dual.map(JSONValue.integer)), "in_channels": 16,
            "joint_attention_dim": 4096, "num_attention_heads": .integer(heads),
            "num_layers": .integer(layers),
            "out_channels": 16, "patch_size": 2, "pooled_projection_dim": 2048,
            "pos_embed_max_size": .integer(positions), "qk_norm": normalizesQueries ? "rms_norm" : .null,
            "sample_size": 128,
        ]
        return CheckpointFamily(
            name, pipeline: "StableDiffusion3Pipeline", parts: ["transformer", "vae"],
            texts: ["", "_2", "_3"], fillsWithExclamationMarks: [.textEncoder2], marks: .tensors(recognized),
            networks: { names, _ in networks(names) },
            configurations: { _ in
                [
                    .transformer: transformer, .vae: autoencoder,
                    .textEncoder: Published.clipLarge(hasProjection: true),
                    .textEncoder2: Published.openCLIPBigG, .textEncoder3: Published.t5XXL,
                    .scheduler: [
                        "_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000,
                        "shift": 3.0,
                    ],
                ]
            })
    }

    private static let autoencoder = Published.join(
        Published.klAutoencoder(sampleSize: 1024, latents: 16, scale: 1.5305),
        [
            "force_upcast": true, "shift_factor": 0.0609, "use_post_quant_conv": false,
            "use_quant_conv": false,
        ])

    private static func networks(_ names: [String]) -> Layouts {
        let isWrapped = names.contains { $0.hasPrefix("model.diffusion_model.") }
        let prefix = isWrapped ? "model.diffusion_model." : ""
        let blocks = TensorLayout.count(names, of: prefix + "joint_blocks.")
        let transformer = TensorLayout.sd3Transformer(prefix: prefix, blocks: blocks)
        return [(.transformer, transformer)] + (isWrapped ? NetworkLayouts.autoencoder(names, .vae) : [])
            + NetworkLayouts.encoder(names, .textEncoder, "text_encoders.clip_l.") {
                .clipText(prefix: $0 + "transformer.", projection: .identity)
            }
            + NetworkLayouts.encoder(names, .textEncoder2, "text_encoders.clip_g.") {
                .clipText(prefix: $0 + "transformer.", projection: .kept)
            }
            + NetworkLayouts.encoder(names, .textEncoder3, "text_encoders.t5xxl.") {
                .t5Encoder(prefix: $0 + "transformer.")
            }
    }
}
