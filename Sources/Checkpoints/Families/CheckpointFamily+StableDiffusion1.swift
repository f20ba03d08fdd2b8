import Storage

extension CheckpointFamily {
    /// Stable Diffusion 1.
    public static let stableDiffusion1 = version1(
        "sd1", pipeline: "StableDiffusionPipeline", channels: 4, autoencoderSize: 512,
        schedule: Published.pseudoNumerical,
        caveats: ["whether it was distilled to few steps (Turbo, LCM) cannot be seen from the weights"])

    /// Stable Diffusion 1 with a mask and the masked picture beside the latents.
    public static let stableDiffusion1Inpainting = version1(
        "sd1-inpaint", pipeline: "StableDiffusionInpaintPipeline", channels: 9, autoencoderSize: 256,
        schedule: Published.ddim(prediction: "epsilon"))

    private static func version1(
        _ name: String, pipeline: String, channels: Int, autoencoderSize: Int, schedule: JSONObject,
        caveats: [String] = []
    ) -> CheckpointFamily {
        CheckpointFamily(
            name, pipeline: pipeline, parts: ["unet", "vae", "safety_checker", "feature_extractor"],
            texts: [""], settings: ["requires_safety_checker": false], caveats: caveats, isMarked: true,
            marks: .text(
                ContextMarks(
                    prefixes: [
                        "cond_stage_model.transformer.text_model.",
                        "cond_stage_model.transformer.embeddings.",
                    ], width: 768), channels: channels),
            networks: { names, _ in
                NetworkLayouts.compVis(names)
                    + NetworkLayouts.encoder(names, .textEncoder, "cond_stage_model.transformer.") {
                        .clipText(prefix: $0, projection: .absent)
                    }
            },
            configurations: { _ in
                let unet = Published.join(
                    Published.fourLevels(inputs: channels, sampleSize: 64),
                    ["attention_head_dim": 8, "cross_attention_dim": 768])
                return [
                    .unet: unet, .vae: Published.klAutoencoder(sampleSize: autoencoderSize),
                    .textEncoder: Published.clipLarge(), .scheduler: schedule,
                ]
            })
    }
}
