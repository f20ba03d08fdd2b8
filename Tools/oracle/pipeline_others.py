"""Cases of pipelines.py: Stable Diffusion 3, DiT, latent diffusion without and with classes, and networks on pixels."""
import os

import diffusers
from diffusers import DiTTransformer2DModel, SD3Transformer2DModel, UNet2DModel
from safetensors.torch import save_file

import pipeline_models as models
from pipeline_cases import Folder, Job, from_text, request, size, strength, text_job, with_picture
from pipeline_references import ClassPipeline
from pipeline_requests import Request


# --- Stable Diffusion 3 ------------------------------------------------------------------------------------------


def stable3(place, absent=(), channels=None, half=False, equal=False):
    """A folder of Stable Diffusion 3, or of 3.5 (`half`), without the text towers that are absent."""
    draw = place.draw
    sizes = place.vocabularies.sizes
    scheduling = models.flow_scheduler(draw)
    names = {"tokenizer": "clip-sd1", "tokenizer_2": "clip-sd2", "tokenizer_3": draw.one("t5-json", "t5-spiece")}
    # An absent tower is as wide as its pooled vector; so is the first one of a single file.
    square = {"hidden_size": 16, "intermediate_size": 32, "projection_dim": 16} if absent or equal else {}
    towers = [models.clip(draw, sizes["clip-sd1"], projected=True, **square) for _ in range(2)]
    width = sum(tower.config.hidden_size for tower in towers) + draw.one(0, 8)
    heads, channels = draw.integer(1, 3), channels or draw.one(4, 8, 16)
    vae = models.autoencoder(
        draw, channels, use_quant_conv=False, use_post_quant_conv=False, shift_factor=draw.real(-0.5, 0.5),
        mid_block_add_attention=draw.chance(0.7))
    factor, layers = 2 ** (len(vae.config.block_out_channels) - 1), draw.integer(2, 3)
    wide, high = size(draw, factor, unit=16)
    transformer = SD3Transformer2DModel(
        sample_size=high // factor, patch_size=2, in_channels=channels, out_channels=channels, num_layers=layers,
        attention_head_dim=8, num_attention_heads=heads, caption_projection_dim=8 * heads, joint_attention_dim=width,
        pooled_projection_dim=sum(tower.config.projection_dim for tower in towers),
        pos_embed_max_size=max(wide, high) // factor // 2 + draw.integer(0, 5),
        **({"qk_norm": "rms_norm", "dual_attention_layers": [index for index in range(layers) if draw.chance(0.6)]} if half else {}))
    components = {"text_encoder": towers[0], "text_encoder_2": towers[1], "text_encoder_3": models.t5(
        draw, sizes[names["tokenizer_3"]], width), "transformer": transformer, "vae": vae}
    for number in absent:
        suffix = "" if number == 1 else f"_{number}"
        components["text_encoder" + suffix] = names["tokenizer" + suffix] = None
    folder = place.save(diffusers.StableDiffusion3Pipeline, "model", components, scheduling, names)
    skip = draw.one(None, None, 0, min(tower.config.num_hidden_layers for tower in towers) - 1)
    return Folder(folder, components, scheduling, factor, wide, high, None, skip)


def flow_request(place, made, **changed):
    asked = request(place.draw, made.scheduling, guidance=(0.0, 1.0, 1.5, 7.0, None))
    # η is drawn for the class that a solver would have made of it.
    return asked.changed(solver=None, eta=None, clip_skip=made.skip, **changed)


def sd3(place, kind="sd3", **options):
    made = stable3(place, **options)
    return from_text(place, kind, made, flow_request(place, made), diffusers.StableDiffusion3Pipeline, rescale=False)


def sd3_from_picture(place, masked):
    made = stable3(place, half=place.draw.chance(0.3), channels=16 if masked else None)
    asked = flow_request(place, made)
    asked = asked.changed(strength=strength(place.draw, asked.steps, None))
    asked = with_picture(place, asked, made.width, made.height, masked=masked, says_size=True)
    kind = "Inpaint" if masked else "Img2Img"
    return text_job(place, "sd3-" + kind.lower(), made, asked, getattr(diffusers, f"StableDiffusion3{kind}Pipeline"))


# --- models of classes, and of nothing ---------------------------------------------------------------------------


def picture_request(draw, scheduling, **changed):
    eta = draw.real(0, 1) if scheduling[0] in ("DDIMScheduler", "TCDScheduler") and draw.chance(0.5) else None
    return Request(seed=draw.integer(0, 10**6), count=draw.one(1, 2, 3), steps=draw.integer(2, 6), eta=eta).changed(**changed)


def class_job(kind, folder, reference, asked, components):
    return Job(kind, folder, asked, lambda: ClassPipeline(folder, reference, asked), components=components)


def dit(place):
    draw = place.draw
    # Its pipeline neither scales the start nor says eta.
    kinds = [kind for kind in models.PLAIN + models.NOISY if models.starts_at_one(kind)]
    scheduling = models.scheduler(draw, "epsilon", kinds)
    vae = models.autoencoder(draw)
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    transformer = DiTTransformer2DModel(
        num_attention_heads=draw.integer(1, 3), attention_head_dim=8, in_channels=4, out_channels=draw.one(8, 8, 4),
        num_layers=draw.integer(2, 3), attention_bias=True, sample_size=2 * draw.integer(3, 6), patch_size=2,
        activation_fn="gelu-approximate", num_embeds_ada_norm=1000, norm_type="ada_norm_zero", norm_elementwise_affine=False)
    components = {"transformer": transformer, "vae": vae}
    folder = place.save(diffusers.DiTPipeline, "model", components, scheduling)
    if draw.chance(0.5):
        # The class's name in published folders.
        models.edit_json(f"{folder}/transformer/config.json", _class_name="Transformer2DModel")
        models.edit_json(f"{folder}/model_index.json", transformer=["diffusers", "Transformer2DModel"])
    asked = picture_request(draw, scheduling, label=draw.integer(0, 999), guidance=draw.one(0.0, 1.0, 1.5, 4.0, None), eta=None)
    return class_job("dit", folder, "DiTPipeline", asked, components)


EDM = ("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler")


def plain_unet(draw, channels, sample_size, **changed):
    levels = draw.integer(2, 3)
    attention = [level == levels - 1 or draw.chance(0.3) for level in range(levels)]
    return UNet2DModel(
        in_channels=channels, out_channels=channels, sample_size=sample_size, norm_num_groups=4,
        block_out_channels=[8 * draw.integer(1, 3) for _ in range(levels)], layers_per_block=draw.integer(1, 2),
        attention_head_dim=draw.one(4, 8), down_block_types=["AttnDownBlock2D" if has else "DownBlock2D" for has in attention],
        up_block_types=["AttnUpBlock2D" if has else "UpBlock2D" for has in reversed(attention)], **changed)


def ldm(place, kind="ldm", classes=None):
    draw = place.draw
    scheduling = models.scheduler(draw, "epsilon", classes or draw.one(("DDIMScheduler",), models.PLAIN + models.NOISY))
    vqvae = models.quantised_autoencoder(draw)
    unet = plain_unet(draw, vqvae.config.latent_channels, 4 * draw.integer(2, 4))
    components = {"unet": unet, "vqvae": vqvae}
    folder = place.save(diffusers.LDMPipeline, "model", components, scheduling)
    return class_job(kind, folder, "LDMPipeline", picture_request(draw, scheduling), components)


def ldm_classes(place):
    """Class-conditional latent diffusion in the folder that Langevin gives it; diffusers has no pipeline for it."""
    draw = place.draw
    scheduling = models.scheduler(draw, "epsilon", draw.one(("DDIMScheduler",), models.PLAIN + models.NOISY))
    classes, width = draw.integer(3, 12), 8 * draw.integer(1, 3)
    vqvae = models.quantised_autoencoder(draw)
    latent = vqvae.config.latent_channels
    unet = models.unet(draw, width, latent, latent, sample_size=4 * draw.integer(2, 4))
    components = {"unet": unet, "vqvae": vqvae}
    folder = place.save(diffusers.LDMPipeline, "model", components, scheduling)
    table = models.draw_weights(models.class_table(classes, width), draw.integer(0, 2**30))
    os.makedirs(f"{folder}/class_embedder")
    models.write_json(f"{folder}/class_embedder/config.json", table.settings)
    save_file({"embedding.weight": table.embedding.weight.detach()}, f"{folder}/class_embedder/diffusion_pytorch_model.safetensors")
    models.edit_json(f"{folder}/model_index.json", class_embedder=["langevin", "ClassEmbedder"])
    asked = picture_request(draw, scheduling, label=draw.integer(0, classes - 2), guidance=draw.one(0.5, 1.0, 1.5, 4.0))
    return class_job("ldm-classes", folder, "classes", asked, {**components, "class_embedder": table})


def pixels(place, kind):
    """A network of pictures without classes."""
    draw = place.draw
    name = "DDPMScheduler" if kind == "DDPMPipeline" else draw.one("DDIMScheduler", "DDPMScheduler", "PNDMScheduler")
    scheduling = models.scheduler(draw, draw.one("epsilon", "v_prediction"), (name,))
    wide, high = 8 * draw.integer(1, 4), 8 * draw.integer(1, 4)
    unet = plain_unet(draw, draw.one(1, 3, 3), (high, wide))
    folder = place.save(getattr(diffusers, kind), "model", {"unet": unet}, scheduling)
    asked = picture_request(draw, scheduling, eta=draw.real(0, 1) if kind == "DDIMPipeline" and draw.chance(0.5) else None)
    return class_job(kind.removesuffix("Pipeline").lower(), folder, kind, asked, {"unet": unet})


def preconditioned(place):
    """A network of pictures on EDM's process, in a folder of DDPMPipeline, whose own loop scales no sample."""
    draw = place.draw
    scheduling = models.scheduler(draw, draw.one("epsilon", "v_prediction"), EDM)
    unet = plain_unet(draw, draw.one(1, 3), (8 * draw.integer(1, 3), 8 * draw.integer(1, 3)))
    folder = place.save(diffusers.DDPMPipeline, "model", {"unet": unet}, scheduling)
    return class_job("edm", folder, "loop", picture_request(draw, scheduling), {"unet": unet})


def consistency(place):
    """A consistency model, without classes or with them."""
    draw = place.draw
    scheduling = models.scheduler(draw, "epsilon", ("CMStochasticIterativeScheduler",))
    classes = draw.one(None, draw.integer(2, 9))
    unet = plain_unet(draw, draw.one(1, 3), 8 * draw.integer(1, 3), num_class_embeds=classes)
    folder = place.save(diffusers.ConsistencyModelPipeline, "model", {"unet": unet}, scheduling)
    label = None if classes is None else draw.integer(0, classes - 1)
    asked = picture_request(draw, scheduling, label=label, steps=draw.one(None, 1, 2, draw.integer(2, 6)))
    return class_job("consistency", folder, "ConsistencyModelPipeline", asked, {"unet": unet})


def score_sde(place):
    """A score network on the variance-exploding equation; diffusers lets the pictures of a batch share their steps."""
    draw = place.draw
    name, flags = models.scheduler(draw, "epsilon", ("ScoreSdeVeScheduler",))
    # Little noise: what a network of random weights leaves of it would cover pictures in 0 ... 1.
    scheduling = name, {**flags, "sigma_max": draw.real(0.3, 0.8)}
    unet = plain_unet(draw, draw.one(1, 3), 8 * draw.integer(1, 3), time_embedding_type="fourier")
    folder = place.save(diffusers.ScoreSdeVePipeline, "model", {"unet": unet}, scheduling)
    asked = picture_request(draw, scheduling, count=1, steps=draw.integer(3, 9))
    return class_job("score-sde", folder, "ScoreSdeVePipeline", asked, {"unet": unet})


KINDS = {
    "ldm-edm": lambda place: ldm(place, "ldm-edm", EDM), "edm": preconditioned, "consistency": consistency, "score-sde": score_sde,
    "sd3": sd3, "sd3-no-t5": lambda place: sd3(place, "sd3-no-t5", absent=(3,)),
    "sd3-no-clip": lambda place: sd3(place, "sd3-no-clip", absent=place.draw.one((1,), (2,), (1, 3), (2, 3))),
    "sd35": lambda place: sd3(place, "sd35", half=True), "sd3-img2img": lambda place: sd3_from_picture(place, False),
    "sd3-inpaint": lambda place: sd3_from_picture(place, True), "dit": dit, "ldm": ldm, "ldm-classes": ldm_classes,
    "ddpm": lambda place: pixels(place, "DDPMPipeline"), "ddim": lambda place: pixels(place, "DDIMPipeline"),
}
