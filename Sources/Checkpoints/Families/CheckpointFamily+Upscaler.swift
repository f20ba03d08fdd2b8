import Storage

extension CheckpointFamily {
    /// Stable Diffusion's upscaler to four times the size.
    public static let upscaler4 = CheckpointFamily(
        "sd-x4-upscaler", pipeline: "StableDiffusionUpscalePipeline", parts: ["unet", "vae"], texts: [""],
        settings: ["max_noise_level": 350], fillsWithExclamationMarks: [.textEncoder],
        marks: .tensors(channels: 7) { $0.hasUNet && !$0.isQuantised && $0.hasLabelTable },
        networks: stableDiffusion2.networks,
        configurations: { _ in
            [
                .unet: Published.join(
                    Published.unet(
                        "UNet2DConditionModel",
                        down: ["DownBlock2D"] + Array(repeating: "CrossAttnDownBlock2D", count: 3),
                        up: Array(repeating: "CrossAttnUpBlock2D", count: 3) + ["UpBlock2D"],
                        channels: [256, 512, 512, 1024], inputs: 7, sampleSize: 128),
                    [
                        "attention_head_dim": 8, "cross_attention_dim": 1024, "num_class_embeds": 1000,
                        "only_cross_attention": [true, true, true, false], "use_linear_projection": true,
                    ]),
                .vae: Published.autoencoder(
                    "AutoencoderKL", channels: [128, 256, 512], latents: 4, sampleSize: 256, scale: 0.08333),
                .textEncoder: Published.openCLIPHuge,
                .scheduler: Published.schedule(
                    "DDIMScheduler", from: 0.0001, to: 0.02, prediction: "v_prediction"),
                .lowResolutionScheduler: pictureSchedule,
            ]
        })

    /// How the picture that is enlarged is noised.
    private static let pictureSchedule: JSONObject = [
        "_class_name": "DDPMScheduler", "beta_end": 0.02, "beta_schedule": "scaled_linear",
        "beta_start": 0.0001, "clip_sample": true, "num_train_timesteps": 1000,
        "prediction_type": "epsilon", "variance_type": "fixed_small",
    ]
}
