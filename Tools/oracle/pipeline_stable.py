"""Cases of pipelines.py: Stable Diffusion 1, 2 and XL, with their image-to-image and inpainting pipelines."""
import shutil

import diffusers
from safetensors.torch import save_file

import pipeline_models as models
from pipeline_cases import Folder, Job, from_text, request, rescaling, size, strength, text_job, with_picture
from pipeline_references import TextPipeline


# --- Stable Diffusion 1 and 2 ------------------------------------------------------------------------------------


def stable(place, second=False, inputs=4, scheduling=None, pipeline="StableDiffusionPipeline", square=False, **unet):
    """A folder of Stable Diffusion 1 or 2, and its VAE's factor."""
    draw = place.draw
    prediction = draw.one("epsilon", "v_prediction") if second else "epsilon"
    scheduling = scheduling or models.scheduler(draw, prediction)
    scheduling[1].update({"prediction_type": prediction} if "prediction_type" in scheduling[1] else {})
    name = "clip-sd2" if second else draw.one("clip-sd1", "clip-json")
    text = models.clip(draw, place.vocabularies.sizes[name], **({"hidden_act": "gelu"} if second else {}))
    if second:
        unet = {"use_linear_projection": True, **unet}
    components = {"text_encoder": text, "unet": models.unet(draw, text.config.hidden_size, inputs, **unet),
                  "vae": models.autoencoder(draw)}
    factor = 2 ** (len(components["vae"].config.block_out_channels) - 1)
    width, height = size(draw, factor)
    # Text to image alone takes a size that is not square from the network.
    sample = height // factor if square or draw.chance(0.5) else [height // factor, width // factor]
    components["unet"].register_to_config(sample_size=sample)
    extra = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    folder = place.save(getattr(diffusers, pipeline), "model", components, scheduling, {"tokenizer": name}, **extra)
    skip = draw.one(None, None, 0, 1, text.config.num_hidden_layers - 1)
    return Folder(folder, components, scheduling, factor, width, height, sample, skip)


def sd1(place):
    made = stable(place)
    return from_text(place, "sd1", made, request(place.draw, made.scheduling), diffusers.StableDiffusionPipeline)


def sd2(place):
    made = stable(place, second=True)
    return from_text(place, "sd2", made, request(place.draw, made.scheduling), diffusers.StableDiffusionPipeline)


def turbo(place):
    """SD-Turbo: one to four trailing steps without guidance."""
    flags = {**models.PUBLISHED, "num_train_timesteps": 1000, "timestep_spacing": "trailing", "steps_offset": 1}
    made = stable(place, second=True, scheduling=("EulerAncestralDiscreteScheduler", flags))
    asked = request(place.draw, made.scheduling, guidance=(0.0,)).changed(
        steps=place.draw.integer(1, 4), solver=None, negative=None, eta=None)
    return from_text(place, "turbo", made, asked, diffusers.StableDiffusionPipeline)


def lcm(place):
    """A latent consistency model, whose network is told the scale of guidance."""
    flags = {**models.PUBLISHED, "num_train_timesteps": 1000, "original_inference_steps": 50, "set_alpha_to_one": False,
             "clip_sample": False, "timestep_scaling": place.draw.one(10.0, 4.0)}
    made = stable(place, scheduling=("LCMScheduler", flags), time_cond_proj_dim=place.draw.one(6, 8, 9))
    asked = request(place.draw, made.scheduling, guidance=(1.5, 4.0, 8.5, None)).changed(solver=None)
    return from_text(place, "lcm", made, asked, diffusers.StableDiffusionPipeline, rescale=False)


def sd_img2img(place):
    made = stable(place, second=place.draw.chance(0.5), square=True)
    asked = request(place.draw, made.scheduling)
    asked = asked.changed(strength=strength(place.draw, asked.steps, 0.8), clip_skip=made.skip)
    asked = with_picture(place, asked, made.width, made.height)
    return text_job(place, "sd-img2img", made, asked, diffusers.StableDiffusionImg2ImgPipeline)


def sd_inpaint(place, channels):
    made = stable(place, second=place.draw.chance(0.5), inputs=channels, square=True,
                  pipeline="StableDiffusionInpaintPipeline" if channels == 9 else "StableDiffusionPipeline")
    asked = request(place.draw, made.scheduling)
    asked = asked.changed(strength=strength(place.draw, asked.steps, 1.0), clip_skip=made.skip)
    asked = with_picture(place, asked, made.width, made.height, masked=True)
    return text_job(place, f"sd-inpaint{channels}", made, asked, diffusers.StableDiffusionInpaintPipeline)


# --- Stable Diffusion XL -----------------------------------------------------------------------------------------


def extra_large(place, pipeline="StableDiffusionXLPipeline", inputs=4, refiner=False, vae=None, scheduling=None, name="model", geometry=None):
    """A folder of XL or of its refiner, which has the second text tower only and is told an aesthetic score."""
    draw = place.draw
    prediction = draw.one("epsilon", "epsilon", "v_prediction")
    scheduling = scheduling or models.scheduler(draw, prediction)
    second = models.clip(draw, place.vocabularies.sizes["clip-sd2"], projected=True, hidden_act="gelu")
    first = None if refiner else models.clip(draw, place.vocabularies.sizes["clip-sd1"], hidden_act="quick_gelu")
    cross = second.config.hidden_size + (0 if refiner else first.config.hidden_size)
    features = draw.one(8, 16)
    unet = models.unet(
        draw, cross, inputs, use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=features,
        transformer_layers_per_block=draw.integer(1, 2),
        projection_class_embeddings_input_dim=second.config.projection_dim + (5 if refiner else 6) * features)
    whitened = {} if inputs == 9 or not draw.chance(0.2) else {
        "latents_mean": [draw.real(-0.5, 0.5) for _ in range(4)], "latents_std": [draw.real(0.5, 2) for _ in range(4)]}
    components = {"text_encoder": first, "text_encoder_2": second, "unet": unet,
                  "vae": vae or models.autoencoder(draw, force_upcast=draw.chance(0.5), **whitened)}
    factor = 2 ** (len(components["vae"].config.block_out_channels) - 1)
    width, height = geometry or size(draw, factor)
    unet.register_to_config(sample_size=height // factor)
    options = {"force_zeros_for_empty_prompt": draw.chance(0.5), "add_watermarker": False}
    if pipeline != "StableDiffusionXLPipeline":
        options["requires_aesthetics_score"] = refiner
    tokenizers = {"tokenizer": None if refiner else "clip-sd1", "tokenizer_2": "clip-sd2"}
    folder = place.save(getattr(diffusers, pipeline), name, components, scheduling, tokenizers, **options)
    layers = min(tower.config.num_hidden_layers for tower in (first, second) if tower is not None)
    return Folder(folder, components, scheduling, factor, width, height, None, draw.one(None, None, 0, layers - 1))


def with_sizes(draw, asked):
    """Micro-conditioning, now and then."""
    if draw.chance(0.4):
        asked = asked.changed(original=(draw.integer(8, 2000), draw.integer(8, 2000)))
    if draw.chance(0.3):
        asked = asked.changed(target=(draw.integer(8, 2000), draw.integer(8, 2000)))
    return asked.changed(crop=(draw.integer(0, 300), draw.integer(0, 300))) if draw.chance(0.4) else asked


def large_request(place, made, **changed):
    asked = request(place.draw, made.scheduling, guidance=(0.0, 1.0, 1.5, 5.0))
    return with_sizes(place.draw, asked.changed(**{"clip_skip": made.skip, **changed}))


def xl(place):
    made = extra_large(place)
    asked = large_request(place, made)
    asked = asked.changed(guidance=None) if place.draw.chance(0.2) else asked
    return from_text(place, "xl", made, asked, diffusers.StableDiffusionXLPipeline)


def xl_turbo(place):
    flags = {**models.PUBLISHED, "num_train_timesteps": 1000, "timestep_spacing": "trailing", "steps_offset": 1}
    made = extra_large(place, scheduling=("EulerAncestralDiscreteScheduler", flags))
    asked = large_request(place, made, guidance=0.0, steps=place.draw.integer(1, 4), solver=None, negative=None, eta=None)
    return from_text(place, "xl-turbo", made, asked, diffusers.StableDiffusionXLPipeline)


def xl_img2img(place, refiner=False):
    made = extra_large(place, "StableDiffusionXLImg2ImgPipeline" if refiner else "StableDiffusionXLPipeline", refiner=refiner)
    asked = large_request(place, made)
    asked = asked.changed(strength=strength(place.draw, asked.steps, None),
                          rescale=rescaling(place.draw, asked))
    asked = with_picture(place, asked, made.width, made.height)
    kind = "xl-refiner" if refiner else "xl-img2img"
    return text_job(place, kind, made, asked, diffusers.StableDiffusionXLImg2ImgPipeline)


def xl_inpaint(place, channels):
    nine = channels == 9
    made = extra_large(place, "StableDiffusionXLInpaintPipeline" if nine else "StableDiffusionXLPipeline", inputs=channels)
    asked = large_request(place, made)
    asked = asked.changed(strength=strength(place.draw, asked.steps, None))
    asked = with_picture(place, asked, made.width, made.height, masked=True)
    return text_job(place, f"xl-inpaint{channels}", made, asked, diffusers.StableDiffusionXLInpaintPipeline)


class HandOver:
    """The base up to a time, and the refiner from there."""

    def __init__(self, base, refiner, asked, at):
        self.base = TextPipeline(base, diffusers.StableDiffusionXLPipeline, asked)
        self.refiner = TextPipeline(refiner, diffusers.StableDiffusionXLImg2ImgPipeline, asked)
        self.at = at

    def networks(self):
        return self.base.networks() + self.refiner.networks()

    def schedulers(self):
        return self.base.schedulers() + self.refiner.schedulers()

    def __call__(self, asked):
        made = self.base(asked.changed(denoising_end=self.at))
        later = asked.changed(denoising_end=None, denoising_start=self.at)
        return self.refiner(later, image=made.latents)


# Those whose start can be stopped in a way that is not followed are left out.
DIVISIBLE = tuple(name for name in models.PLAIN if not name.startswith("PNDM"))


def hand_over(place, whole):
    """Base and refiner in one command, or the refiner on the latents that the base left. Nothing is drawn after the
    start: what the refiner's generator would be is not said anywhere."""
    draw = place.draw
    scheduling = models.scheduler(draw, "epsilon", DIVISIBLE)
    scheduling[1].pop("algorithm_type", None)
    base = extra_large(place, scheduling=scheduling, name="base")
    refiner = extra_large(place, "StableDiffusionXLImg2ImgPipeline", refiner=True, vae=base.components["vae"],
                          scheduling=scheduling, name="refiner", geometry=(base.width, base.height))
    # The component was written anew, with the refiner's seed.
    shutil.rmtree(f"{base.path}/vae")
    shutil.copytree(f"{refiner.path}/vae", f"{base.path}/vae")
    at = draw.real(0.3, 0.9)
    asked = large_request(place, base, steps=draw.integer(3, 8), solver=None, eta=None, clip_skip=None)
    asked = asked.changed(width=base.width, height=base.height)
    if whole:
        return Job("hand-over", base.path, asked.changed(denoising_end=at), lambda: HandOver(base.path, refiner.path, asked, at),
                   ("--refiner", refiner.path), base.components, refiner)
    latents = place.file("latents.safetensors")
    first = TextPipeline(base.path, diffusers.StableDiffusionXLPipeline, asked)(asked.changed(denoising_end=at)).latents
    save_file({"samples": first.contiguous()}, latents)
    asked = asked.changed(denoising_start=at, image=latents, width=None, height=None)
    return text_job(place, "hand-over-latents", refiner, asked, diffusers.StableDiffusionXLImg2ImgPipeline)


def xl_end(place):
    """The base alone, stopped early: its latents are what is handed over."""
    made = extra_large(place, scheduling=models.scheduler(place.draw, "epsilon", DIVISIBLE + ("KDPM2AncestralDiscreteScheduler",)))
    asked = large_request(place, made, denoising_end=place.draw.real(0.3, 0.9), steps=place.draw.integer(3, 8))
    return from_text(place, "xl-end", made, asked, diffusers.StableDiffusionXLPipeline)


KINDS = {
    "sd1": sd1, "sd2": sd2, "turbo": turbo, "lcm": lcm, "sd-img2img": sd_img2img,
    "sd-inpaint4": lambda place: sd_inpaint(place, 4), "sd-inpaint9": lambda place: sd_inpaint(place, 9), "xl": xl,
    "xl-turbo": xl_turbo, "xl-img2img": xl_img2img, "xl-refiner": lambda place: xl_img2img(place, refiner=True),
    "xl-inpaint4": lambda place: xl_inpaint(place, 4), "xl-inpaint9": lambda place: xl_inpaint(place, 9), "xl-end": xl_end,
    "hand-over": lambda place: hand_over(place, True), "hand-over-latents": lambda place: hand_over(place, False),
}
