import Storage

extension CheckpointFamily {
    /// Stable Diffusion 2, whether it predicts noise or v; the configurations are those of version 2.1, whose attention
    /// overflows half precision.
    public static let stableDiffusion2 = version2(
        "sd2", pipeline: "StableDiffusionPipeline", channels: 4, hasOpenPrediction: true,
        unet: Published.join(
            Published.fourLevels(inputs: 4, sampleSize: 96), attention, ["upcast_attention": true]),
        autoencoderSize: 768, schedule: Published.ddim(prediction: "v_prediction"))

    /// Stable Diffusion 2 with a mask and the masked picture beside the latents.
    public static let stableDiffusion2Inpainting = version2(
        "sd2-inpaint", pipeline: "StableDiffusionInpaintPipeline", channels: 9, hasOpenPrediction: false,
        unet: Published.join(Published.fourLevels(inputs: 9, sampleSize: 64), attention),
        autoencoderSize: 512, schedule: Published.pseudoNumerical)

    private static let attention: JSONObject = [
        "attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024, "use_linear_projection": true,
    ]

    private static func version2(
        _ name: String, pipeline: String, channels: Int, hasOpenPrediction: Bool, unet: JSONObject,
        autoencoderSize: Int, schedule: JSONObject
    ) -> CheckpointFamily {
        CheckpointFamily(
            name, pipeline: pipeline, parts: ["unet", "vae", "safety_checker", "feature_extractor"],
            texts: [""], settings: ["requires_safety_checker": false], isMarked: true,
            hasOpenPrediction: hasOpenPrediction, fillsWithExclamationMarks: [.textEncoder],
            marks: .text(
                ContextMarks(prefixes: ["cond_stage_model.model."], width: 1024), channels: channels),
            networks: { names, _ in
                NetworkLayouts.compVis(names)
                    + NetworkLayouts.encoder(names, .textEncoder, "cond_stage_model.model.") {
                        .openCLIPText(prefix: $0, projection: .absent, unusedBlock: 23)
                    }
            },
            configurations: { _ in
                [
                    .unet: unet, .vae: Published.klAutoencoder(sampleSize: autoencoderSize),
                    .textEncoder: Published.openCLIPHuge, .scheduler: schedule,
                ]
            })
    }
}
