import Storage

extension CheckpointFamily {
    /// Latent diffusion without conditions in the space of a quantised autoencoder of factor 4.
    public static let latentDiffusionVQ4 = CheckpointFamily(
        "ldm-vq-f4", pipeline: "LDMPipeline", parts: ["unet", "vqvae"],
        marks: .tensors { tensors in
            tensors.hasUNet && tensors.isQuantised && tensors.autoencoderLevels == 3
                && !tensors.hasAny("cond_stage_model.")
        },
        networks: { names, heads in NetworkLayouts.compVis(names, .vqvae, heads: heads) },
        configurations: { _ in
            [
                .unet: Published.join(
                    Published.unet(
                        "UNet2DModel", down: ["DownBlock2D"] + Array(repeating: "AttnDownBlock2D", count: 3),
                        up: Array(repeating: "AttnUpBlock2D", count: 3) + ["UpBlock2D"],
                        channels: [224, 448, 672, 896], inputs: 3, sampleSize: 64),
                    [
                        "attention_head_dim": 32, "out_channels": 3, "resnet_time_scale_shift": "default",
                        "time_embedding_type": "positional",
                    ]),
                .vqvae: quantised([128, 256, 512], latents: 3, vectors: 8192), .scheduler: schedule,
            ]
        })

    /// Latent diffusion by class in the space of a quantised autoencoder of factor 8. Heads have 32 channels in the
    /// original; diffusers' key gives their number, level by level.
    public static let latentDiffusionVQ8 = CheckpointFamily(
        "ldm-vq-f8", pipeline: "LDMPipeline", parts: ["unet", "vqvae"],
        marks: .tensors { tensors in
            tensors.hasUNet && tensors.isQuantised && tensors.autoencoderLevels == 4
                && tensors.has("cond_stage_model.embedding.weight")
        },
        networks: { names, _ in
            NetworkLayouts.compVis(names, .vqvae)
                + NetworkLayouts.encoder(names, .classEmbedder, "cond_stage_model.") {
                    TensorLayout(prefix: $0, [(.whole, ["embedding.weight": "embedding.weight"])])
                }
        },
        configurations: { _ in
            [
                .unet: Published.join(
                    Published.unet(
                        "UNet2DConditionModel", down: Array(repeating: "CrossAttnDownBlock2D", count: 3),
                        up: Array(repeating: "CrossAttnUpBlock2D", count: 3), channels: [256, 512, 1024],
                        inputs: 4, sampleSize: 32),
                    ["attention_head_dim": [8, 16, 32], "cross_attention_dim": 512]),
                .vqvae: Published.join(
                    quantised([128, 256, 256, 512], latents: 4, vectors: 16384),
                    [
                        "down_block_types": [
                            "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D",
                            "AttnDownEncoderBlock2D",
                        ],
                        "up_block_types": [
                            "AttnUpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
                            "UpDecoderBlock2D",
                        ],
                    ]),
                .scheduler: schedule,
                .classEmbedder: [
                    "_class_name": "ClassEmbedder", "embed_dim": 512, "n_classes": 1000, "key": "class_label",
                ],
            ]
        })

    /// The latents of quantised autoencoders are not scaled: the original configurations have no `scale_factor`,
    /// which then is 1. diffusers takes 0.18215 where its key is missing, so the key must be there.
    private static func quantised(_ channels: [Int], latents: Int, vectors: Int) -> JSONObject {
        Published.join(
            Published.autoencoder("VQModel", channels: channels, latents: latents, sampleSize: 256, scale: 1),
            ["num_vq_embeddings": .integer(vectors), "vq_embed_dim": .integer(latents)])
    }

    /// The original's own sampler: its first step back is from 1 and it ends at the first of the table.
    private static let schedule = Published.schedule("DDIMScheduler", from: 0.0015, to: 0.0195)
}
