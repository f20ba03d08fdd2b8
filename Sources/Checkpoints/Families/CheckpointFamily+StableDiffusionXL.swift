import Storage

extension CheckpointFamily {
    /// Stable Diffusion XL.
    public static let stableDiffusionXL = CheckpointFamily(
        "sdxl", pipeline: "StableDiffusionXLPipeline", parts: ["unet", "vae"], texts: ["", "_2"],
        settings: ["force_zeros_for_empty_prompt": true],
        caveats: ["whether it was distilled to few steps (Turbo, LCM) cannot be seen from the weights"],
        isMarked: true, fillsWithExclamationMarks: [.textEncoder2],
        marks: .text(
            ContextMarks(prefixes: ["conditioner.embedders.1.model."], width: 2048, isLabelled: true),
            channels: 4),
        networks: { names, _ in
            NetworkLayouts.compVis(names)
                + NetworkLayouts.encoder(names, .textEncoder, "conditioner.embedders.0.transformer.") {
                    .clipText(prefix: $0, projection: .absent)
                }
                + NetworkLayouts.encoder(names, .textEncoder2, "conditioner.embedders.1.model.") {
                    .openCLIPText(prefix: $0, projection: .kept)
                }
        },
        configurations: { _ in
            [
                .unet: Published.join(
                    Published.unet(
                        "UNet2DConditionModel",
                        down: ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
                        up: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
                        channels: [320, 640, 1280], inputs: 4, sampleSize: 128),
                    sizeConditions,
                    [
                        "attention_head_dim": [5, 10, 20], "cross_attention_dim": 2048,
                        "projection_class_embeddings_input_dim": 2816,
                        "transformer_layers_per_block": [1, 2, 10],
                    ]),
                .vae: autoencoder, .textEncoder: Published.clipLarge(), .textEncoder2: Published.openCLIPBigG,
                .scheduler: Published.euler,
            ]
        })

    /// The refiner of Stable Diffusion XL, which has one text encoder and reads an aesthetic score.
    public static let stableDiffusionXLRefiner = CheckpointFamily(
        "sdxl-refiner", pipeline: "StableDiffusionXLImg2ImgPipeline", parts: ["unet", "vae"],
        texts: ["", "_2"],
        settings: ["force_zeros_for_empty_prompt": false, "requires_aesthetics_score": true], isMarked: true,
        fillsWithExclamationMarks: [.textEncoder2],
        marks: .text(
            ContextMarks(prefixes: ["conditioner.embedders.0.model."], width: 1280, isLabelled: true),
            channels: 4),
        networks: { names, _ in
            NetworkLayouts.compVis(names)
                + NetworkLayouts.encoder(names, .textEncoder2, "conditioner.embedders.0.model.") {
                    .openCLIPText(prefix: $0, projection: .kept)
                }
        },
        configurations: { _ in
            [
                .unet: Published.join(
                    Published.unet(
                        "UNet2DConditionModel",
                        down: ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
                        up: ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
                        channels: [384, 768, 1536, 1536], inputs: 4, sampleSize: 128),
                    sizeConditions,
                    [
                        "attention_head_dim": [6, 12, 24, 24], "cross_attention_dim": 1280,
                        "projection_class_embeddings_input_dim": 2560, "transformer_layers_per_block": 4,
                    ]),
                .vae: autoencoder, .textEncoder2: Published.openCLIPBigG, .scheduler: Published.euler,
            ]
        })

    private static let sizeConditions: JSONObject = [
        "addition_embed_type": "text_time", "addition_time_embed_dim": 256, "use_linear_projection": true,
    ]

    /// Half precision overflows in it.
    private static let autoencoder = Published.join(
        Published.klAutoencoder(sampleSize: 1024, scale: 0.13025), ["force_upcast": true])
}
