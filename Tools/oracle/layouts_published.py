"""The configurations that were published with the weights of each family, and the parameter counts they must give."""


def unet(down, up, channels, inputs=4, size=64, kind="UNet2DConditionModel", outputs=4, **more):
    return {"_class_name": kind, "act_fn": "silu", "block_out_channels": channels, "center_input_sample": False,
            "down_block_types": down, "downsample_padding": 1, "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": inputs,
            "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-5, "norm_num_groups": 32, "out_channels": outputs,
            "sample_size": size, "up_block_types": up, **more}


DOWN, UP, CROSS_DOWN, CROSS_UP = "DownBlock2D", "UpBlock2D", "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"
FOUR = dict(down=[CROSS_DOWN] * 3 + [DOWN], up=[UP] + [CROSS_UP] * 3, channels=[320, 640, 1280, 1280])
SD1 = dict(attention_head_dim=8, cross_attention_dim=768)
SD2 = dict(attention_head_dim=[5, 10, 20, 20], cross_attention_dim=1024, use_linear_projection=True)
XL = dict(addition_embed_type="text_time", addition_time_embed_dim=256, use_linear_projection=True, size=128)
XL_BASE = unet([DOWN, CROSS_DOWN, CROSS_DOWN], [CROSS_UP, CROSS_UP, UP], [320, 640, 1280], attention_head_dim=[5, 10, 20],
               cross_attention_dim=2048, projection_class_embeddings_input_dim=2816, transformer_layers_per_block=[1, 2, 10], **XL)
REFINER = unet([DOWN, CROSS_DOWN, CROSS_DOWN, DOWN], [UP, CROSS_UP, CROSS_UP, UP], [384, 768, 1536, 1536],
               attention_head_dim=[6, 12, 24, 24], cross_attention_dim=1280, projection_class_embeddings_input_dim=2560,
               transformer_layers_per_block=4, **XL)
UPSCALER = unet([DOWN] + [CROSS_DOWN] * 3, [CROSS_UP] * 3 + [UP], [256, 512, 512, 1024], inputs=7, size=128, attention_head_dim=8,
                cross_attention_dim=1024, num_class_embeds=1000, only_cross_attention=[True, True, True, False],
                use_linear_projection=True)
LDM4 = unet([DOWN] + ["AttnDownBlock2D"] * 3, ["AttnUpBlock2D"] * 3 + [UP], [224, 448, 672, 896], inputs=3, outputs=3,
            kind="UNet2DModel", attention_head_dim=32, resnet_time_scale_shift="default", time_embedding_type="positional")
LDM8 = unet([CROSS_DOWN] * 3, [CROSS_UP] * 3, [256, 512, 1024], size=32, attention_head_dim=[8, 16, 32], cross_attention_dim=512)
ADM = unet(["ResnetDownsampleBlock2D"] * 3 + ["AttnDownBlock2D"] * 3, ["AttnUpBlock2D"] * 3 + ["ResnetUpsampleBlock2D"] * 3,
           [256, 256, 512, 512, 1024, 1024], inputs=3, outputs=6, size=256, kind="UNet2DModel", attention_head_dim=64,
           attn_norm_num_groups=32, downsample_type="resnet", upsample_type="resnet", num_class_embeds=1000,
           resnet_time_scale_shift="scale_shift", time_embedding_type="positional")

UPSAMPLER_ADM = {key: value for key, value in ADM.items() if key not in (
    "attn_norm_num_groups", "center_input_sample", "mid_block_scale_factor", "time_embedding_type")}
UPSAMPLER_ADM |= {"_class_name": "ADMUNet2D", "attention_head_dim": None, "block_out_channels": [192, 192, 384, 384, 768, 768],
                  "low_resolution_factor": 4, "num_attention_heads": 4}
CLASSIFIER = {key: ADM[key] for key in (
    "act_fn", "attention_head_dim", "down_block_types", "downsample_padding", "downsample_type", "flip_sin_to_cos", "freq_shift",
    "in_channels", "layers_per_block", "norm_eps", "norm_num_groups", "resnet_time_scale_shift", "sample_size")}
CLASSIFIER |= {"_class_name": "UNetClassifier", "block_out_channels": [128, 128, 256, 256, 512, 512], "num_classes": 1000,
               "pool": "attention"}


def glide(channels, layers, size, enlarges, inpaints):
    plain = len(channels) - 3
    return {"_class_name": "GLIDEUNet2D", "act_fn": "silu", "attention_head_dim": 64, "block_out_channels": channels,
            "down_block_types": ["ResnetDownsampleBlock2D"] * plain + ["SimpleCrossAttnDownBlock2D"] * 3, "flip_sin_to_cos": True,
            "freq_shift": 0, "in_channels": 3, "inpaints": inpaints, "layers_per_block": layers,
            "low_resolution_factor": 4 if enlarges else None, "norm_eps": 1e-5, "norm_num_groups": 32, "out_channels": 6,
            "resnet_time_scale_shift": "scale_shift", "sample_size": size, "text_ctx": 128,
            "up_block_types": ["SimpleCrossAttnUpBlock2D"] * 3 + ["ResnetUpsampleBlock2D"] * plain, "vocab_size": 50257, "xf_heads": 8,
            "xf_layers": 16, "xf_width": 512}


GLIDE_BASE = ([192, 384, 576, 768], 3, 64, False)
GLIDE_UPSAMPLER = ([192, 192, 384, 384, 768, 768], 2, 256, True)


def autoencoder(channels, size, scale, latents=4, kind="AutoencoderKL", **more):
    return {"_class_name": kind, "act_fn": "silu", "block_out_channels": channels,
            "down_block_types": ["DownEncoderBlock2D"] * len(channels), "in_channels": 3, "latent_channels": latents,
            "layers_per_block": 2, "norm_num_groups": 32, "out_channels": 3, "sample_size": size, "scaling_factor": scale,
            "up_block_types": ["UpDecoderBlock2D"] * len(channels), **more}


KL = [128, 256, 512, 512]
XL_VAE = autoencoder(KL, 1024, 0.13025, force_upcast=True)
SD3_VAE = autoencoder(KL, 1024, 1.5305, 16, shift_factor=0.0609, use_quant_conv=False, use_post_quant_conv=False, force_upcast=True)
VQ4 = autoencoder([128, 256, 512], 256, 1.0, 3, "VQModel", num_vq_embeddings=8192, vq_embed_dim=3)
VQ8 = autoencoder([128, 256, 256, 512], 256, 1.0, 4, "VQModel", num_vq_embeddings=16384, vq_embed_dim=4)
VQ8["down_block_types"] = ["DownEncoderBlock2D"] * 3 + ["AttnDownEncoderBlock2D"]
VQ8["up_block_types"] = ["AttnUpDecoderBlock2D"] + ["UpDecoderBlock2D"] * 3


def clip(width, heads, layers, activation, projection, kind="CLIPTextModel"):
    return {"architectures": [kind], "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": 2, "hidden_act": activation,
            "hidden_size": width, "intermediate_size": 4 * width, "layer_norm_eps": 1e-5, "max_position_embeddings": 77,
            "model_type": "clip_text_model", "num_attention_heads": heads, "num_hidden_layers": layers, "pad_token_id": 1,
            "projection_dim": projection, "vocab_size": 49408}


CLIP_L = clip(768, 12, 12, "quick_gelu", 768)
CLIP_L_PROJECTED = clip(768, 12, 12, "quick_gelu", 768, "CLIPTextModelWithProjection")
OPEN_CLIP_H = clip(1024, 16, 23, "gelu", 512)
OPEN_CLIP_G = clip(1280, 20, 32, "gelu", 1280, "CLIPTextModelWithProjection")
T5 = {"architectures": ["T5EncoderModel"], "d_ff": 10240, "d_kv": 64, "d_model": 4096, "dropout_rate": 0.1,
      "feed_forward_proj": "gated-gelu", "layer_norm_epsilon": 1e-6, "model_type": "t5", "num_heads": 64, "num_layers": 24,
      "relative_attention_max_distance": 128, "relative_attention_num_buckets": 32, "tie_word_embeddings": False, "vocab_size": 32128}


def sd3(layers, positions, dual, norm):
    heads = layers
    transformer = {"_class_name": "SD3Transformer2DModel", "attention_head_dim": 64, "caption_projection_dim": 64 * heads,
                   "dual_attention_layers": dual, "in_channels": 16, "joint_attention_dim": 4096, "num_attention_heads": heads,
                   "num_layers": layers, "out_channels": 16, "patch_size": 2, "pooled_projection_dim": 2048,
                   "pos_embed_max_size": positions, "qk_norm": norm, "sample_size": 128}
    return {"components": {
        "transformer": ("sd3", transformer), "vae": ("autoencoder", SD3_VAE), "text_encoder": ("clip:sd3", CLIP_L_PROJECTED),
        "text_encoder_2": ("clip-g:sd3", OPEN_CLIP_G), "text_encoder_3": ("t5", T5)},
        "aside": [["text_encoders.clip_l.logit_scale", []], ["text_encoders.clip_g.logit_scale", []],
                  ["text_encoders.clip_l.transformer.text_projection.weight", [768, 768]],
                  ["text_encoders.t5xxl.transformer.encoder.embed_tokens.weight", [32128, 4096]]]}


SCHEDULE = [[name, [1000]] for name in (
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "posterior_variance",
    "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2")]
EMA = [["model_ema.decay", []], ["model_ema.num_updates", []], ["model_ema.diffusion_modeltime_embed0weight", [1280, 320]]]


def open_clip_aside(prefix, projected=True):
    rows = [[prefix + "logit_scale", []]]
    if projected:
        return rows
    block = prefix + "transformer.resblocks.23."
    shapes = {"attn.in_proj_weight": [3072, 1024], "attn.in_proj_bias": [3072], "attn.out_proj.weight": [1024, 1024],
              "attn.out_proj.bias": [1024], "ln_1.weight": [1024], "ln_1.bias": [1024], "ln_2.weight": [1024], "ln_2.bias": [1024],
              "mlp.c_fc.weight": [4096, 1024], "mlp.c_fc.bias": [4096], "mlp.c_proj.weight": [1024, 4096], "mlp.c_proj.bias": [1024]}
    return rows + [[prefix + "text_projection", [1024, 1024]]] + [[block + name, shape] for name, shape in shapes.items()]


def sd1(inputs, size):
    return {"components": {"unet": ("unet", unet(**FOUR, inputs=inputs, **SD1)), "vae": ("autoencoder", autoencoder(KL, size, 0.18215)),
                           "text_encoder": ("clip:sd1", CLIP_L)},
            "aside": SCHEDULE + EMA + [["cond_stage_model.transformer.text_model.embeddings.position_ids", [1, 77]]]}


def sd2(inputs, size, **more):
    return {"components": {"unet": ("unet", unet(**FOUR, inputs=inputs, size=size // 8, **SD2, **more)),
                           "vae": ("autoencoder", autoencoder(KL, size, 0.18215)), "text_encoder": ("open-clip:sd2", OPEN_CLIP_H)},
            "aside": SCHEDULE + open_clip_aside("cond_stage_model.model.", projected=False)}


DIT = {"_class_name": "DiTTransformer2DModel", "activation_fn": "gelu-approximate", "attention_bias": True, "attention_head_dim": 72,
       "in_channels": 4, "norm_elementwise_affine": False, "norm_eps": 1e-5, "norm_num_groups": 32, "norm_type": "ada_norm_zero",
       "num_attention_heads": 16, "num_embeds_ada_norm": 1000, "num_layers": 28, "out_channels": 8, "patch_size": 2, "sample_size": 32}

ESRGAN = {"_class_name": "RRDBNet", "num_in_ch": 3, "num_out_ch": 3, "num_feat": 64, "num_block": 23, "num_grow_ch": 32,
          "num_upsample": 2, "unshuffle": 1}
SWINIR = {"_class_name": "SwinIR", "in_chans": 3, "embed_dim": 180, "depths": [6] * 6, "num_heads": [6] * 6, "window_size": 8,
          "mlp_hidden": 360, "upscale": 4, "img_range": 1.0, "upsampler": "pixelshuffle", "resi_connection": "1conv",
          "num_feat": 64, "patch_norm": True, "qkv_bias": True}
# Tables that follow from the sizes, in every block and in every second one.
SWINIR_ASIDE = [[f"layers.{group}.residual_group.blocks.{block}.{name}", shape] for group in range(6) for block in range(6)
                for name, shape in [("attn.relative_position_index", [64, 64]), ("attn_mask", [64, 64, 64])]
                if block % 2 or name != "attn_mask"]

FAMILIES = {
    "sd1": sd1(4, 512), "sd1-inpaint": sd1(9, 256), "sd2": sd2(4, 768, upcast_attention=True), "sd2-inpaint": sd2(9, 512),
    "sdxl": {"components": {
        "unet": ("unet", XL_BASE), "vae": ("autoencoder", XL_VAE), "text_encoder": ("clip:xl", CLIP_L),
        "text_encoder_2": ("open-clip:xl", OPEN_CLIP_G)},
        "aside": [["conditioner.embedders.0.transformer.text_model.embeddings.position_ids", [1, 77]], ["denoiser.sigmas", [1000]]]
        + open_clip_aside("conditioner.embedders.1.model.")},
    "sdxl-refiner": {"components": {
        "unet": ("unet", REFINER), "vae": ("autoencoder", XL_VAE), "text_encoder_2": ("open-clip:refiner", OPEN_CLIP_G)},
        "aside": open_clip_aside("conditioner.embedders.0.model.")},
    "sd3-medium": sd3(24, 192, [], None),
    "sd3.5-medium": sd3(24, 384, list(range(13)), "rms_norm"),
    "sd3.5-large": sd3(38, 192, [], "rms_norm"),
    "ldm-vq-f4": {"components": {"unet": ("unet", LDM4), "vqvae": ("autoencoder", VQ4)},
                  "aside": SCHEDULE + EMA + [["first_stage_model.loss.perceptual_loss.lin0.model.1.weight", [1, 64, 1, 1]]]},
    "ldm-vq-f8": {"components": {
        "unet": ("unet", LDM8), "vqvae": ("autoencoder", VQ8),
        "class_embedder": ("classes", {"_class_name": "ClassEmbedder", "embed_dim": 512, "n_classes": 1000, "key": "class_label"})},
        "aside": SCHEDULE + EMA},
    "sd-x4-upscaler": {"components": {
        "unet": ("unet", UPSCALER), "vae": ("autoencoder", autoencoder([128, 256, 512], 256, 0.08333)),
        "text_encoder": ("open-clip:sd2", OPEN_CLIP_H)},
        "aside": SCHEDULE + [["low_scale_model.betas", [1000]]] + open_clip_aside("cond_stage_model.model.", projected=False)},
    "adm": {"components": {"unet": ("adm", ADM)}, "aside": []},
    "adm-upsampler": {"components": {"unet": ("adm", UPSAMPLER_ADM)}, "aside": []},
    "adm-classifier": {"components": {"classifier": ("adm-classifier", CLASSIFIER)}, "aside": []},
    "glide": {"components": {"unet": ("adm", glide(*GLIDE_BASE, False))}, "aside": []},
    "glide-inpainting": {"components": {"unet": ("adm", glide(*GLIDE_BASE, True))}, "aside": []},
    "glide-upsampler": {"components": {"unet": ("adm", glide(*GLIDE_UPSAMPLER, False))}, "aside": []},
    "glide-inpainting-upsampler": {"components": {"unet": ("adm", glide(*GLIDE_UPSAMPLER, True))}, "aside": []},
    "esrgan": {"components": {"upscaler": ("itself", ESRGAN)}, "aside": []},
    "swinir": {"components": {"upscaler": ("itself", SWINIR)}, "aside": SWINIR_ASIDE},
    "dit": {"components": {"transformer": ("dit", DIT)}, "aside": [["pos_embed", [1, 256, 1152]]]},
}

# Exact counts of the published networks.
COUNTS = {
    ("sd1", "unet"): 859_520_964, ("sd1-inpaint", "unet"): 859_535_364, ("sd2", "unet"): 865_910_724,
    ("sdxl", "unet"): 2_567_463_684, ("sdxl-refiner", "unet"): 2_259_526_660, ("sd-x4-upscaler", "unet"): 473_398_020,
    ("sd1", "vae"): 83_653_863, ("sd3-medium", "vae"): 83_819_683, ("sd3-medium", "transformer"): 2_028_328_000,
    ("dit", "transformer"): 749_826_464, ("sd1", "text_encoder"): 123_060_480, ("sd2", "text_encoder"): 340_387_840,
    ("sdxl", "text_encoder_2"): 694_659_840, ("sd3-medium", "text_encoder_3"): 4_762_310_656,
    ("ldm-vq-f4", "unet"): 274_056_163, ("ldm-vq-f4", "vqvae"): 55_322_782, ("ldm-vq-f8", "unet"): 394_984_196,
    ("adm", "unet"): 553_838_086, ("adm-upsampler", "unet"): 311_795_910, ("adm-classifier", "classifier"): 54_096_360,
    ("glide", "unet"): 385_030_726, ("glide-inpainting", "unet"): 385_037_638, ("glide-upsampler", "unet"): 398_361_286,
    ("ldm-vq-f8", "vqvae"): 67_717_295, ("ldm-vq-f8", "class_embedder"): 512_000,
    ("esrgan", "upscaler"): 16_697_987, ("swinir", "upscaler"): 11_900_199,
}
