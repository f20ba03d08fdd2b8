"""Cases of cascades.py: pictures made larger by diffusion of latents, changed by their depths, and decoders of latents that
take an autoencoder's place."""
import dataclasses

import diffusers
import PIL.Image
import torch
from diffusers import (AutoencoderTiny, ConsistencyDecoderVAE, DDPMScheduler, LDMSuperResolutionPipeline,
                       StableDiffusionDepth2ImgPipeline, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline,
                       StableDiffusionUpscalePipeline)
from safetensors.torch import save_file
from transformers import DPTImageProcessorPil

import cascade_jobs
import depth as depth_oracle
import pipeline_fixtures
import pipeline_models as models
import pipeline_requests
import pipelines
from pipeline_cases import Job, request, size, strength, with_picture
from pipeline_others import plain_unet
from pipeline_references import Result, absent, eight_bits, provided, with_solver


@dataclasses.dataclass
class Request(pipeline_requests.Request):
    """A request with what only these pipelines read."""
    noise_level: int | None = None
    depth: str | None = None

    def flags(self):
        named = {"noise-level": self.noise_level, "depth": self.depth}
        return super().flags() + [
            word for name, value in named.items() if value is not None for word in ("--" + name, str(value))]


def widened(asked, **more):
    return Request(**{field.name: getattr(asked, field.name) for field in dataclasses.fields(asked)}, **more)


@dataclasses.dataclass
class Upscaling(Job):
    """What `upscale` is asked; it makes one picture of one."""

    def command(self):
        asked = self.request.changed(image=None, prompt=None, count=None)
        prompt = [] if self.request.prompt is None else ["--prompt", self.request.prompt]
        return ["upscale", self.request.image, "--model", self.folder, *prompt, *asked.flags()]


# --- diffusers ---------------------------------------------------------------------------------------------------


class Opened:
    """A pipeline opened from its folder; each picture is made alone, from a generator of its own."""

    def __init__(self, folder, pipeline_class, request):
        self.pipe = pipeline_class.from_pretrained(folder, **absent(folder))
        self.pipe.set_progress_bar_config(disable=True)
        self.pipe.scheduler = with_solver(self.pipe.scheduler, request)
        encoder = getattr(self.pipe, "text_encoder", None)
        if encoder is not None and not hasattr(encoder, "text_model"):
            object.__setattr__(encoder, "text_model", encoder)

    def networks(self):
        return [part for part in self.pipe.components.values() if isinstance(part, torch.nn.Module)]

    def schedulers(self):
        return [self.pipe.scheduler]

    def __call__(self, request):
        made = [self.one(request, generator) for generator in request.generators()]
        return Result(torch.cat([latents for latents, _ in made]), eight_bits([picture for _, picture in made]))

    def one(self, request, generator):
        names = {"negative": "negative_prompt", "steps": "num_inference_steps", "guidance": "guidance_scale", "eta": "eta",
                 "clip_skip": "clip_skip", "noise_level": "noise_level", "strength": "strength", "width": "width",
                 "height": "height", "prompt": "prompt"}
        given = {theirs: getattr(request, ours) for ours, theirs in names.items() if getattr(request, ours) is not None}
        if request.image is not None:
            given["image"] = PIL.Image.open(request.image).convert("RGB")
        if request.depth is not None:
            given["depth_map"] = pipeline_requests.depths(request.depth)[None]
        with provided(self.pipe.scheduler, [generator]) as steps:
            picture = self.pipe(generator=generator, output_type="np", **given).images[0]
        return steps.last, picture


# --- folders -----------------------------------------------------------------------------------------------------


def text_parts(place, cross_of=None, **unet):
    """A text tower and the U-Net that attends to it."""
    draw = place.draw
    name = draw.one("clip-sd1", "clip-sd2", "clip-json")
    text = models.clip(draw, place.vocabularies.sizes[name])
    return name, {"text_encoder": text, "unet": models.unet(draw, text.config.hidden_size, **unet)}


def x4(place):
    """Stable Diffusion's upscaler: the noisy picture beside the latents, its noise level a label."""
    draw = place.draw
    prediction = draw.one("epsilon", "v_prediction")
    scheduling = models.scheduler(draw, prediction)
    scheduling[1].update({"prediction_type": prediction} if "prediction_type" in scheduling[1] else {})
    name, components = text_parts(
        place, inputs=7, num_class_embeds=draw.one(1000, 400), use_linear_projection=True,
        only_cross_attention=draw.chance(0.5))
    components["vae"] = models.autoencoder(draw)
    low = DDPMScheduler(beta_start=0.0001, beta_end=0.02, beta_schedule=draw.one("scaled_linear", "squaredcos_cap_v2"))
    most = draw.one(350, 350, 60)
    folder = place.save(StableDiffusionUpscalePipeline, "model", {**components, "low_res_scheduler": low}, scheduling,
                        {"tokenizer": name}, safety_checker=None, feature_extractor=None, watermarker=None,
                        max_noise_level=most)
    factor = 2 ** (len(components["vae"].config.block_out_channels) - 1)
    wide, high = 4 * draw.integer(3, 7), 4 * draw.integer(3, 7)
    # Now and then a size that diffusers rounds down.
    odd = (draw.integer(1, factor - 1), draw.integer(0, factor - 1)) if draw.chance(0.3) else (0, 0)
    asked = request(draw, scheduling, guidance=(0.0, 1.0, 1.5, 4.0, 9.0, None)).changed(
        count=1, image=pipeline_requests.picture(draw, place.file("low.png"), wide + odd[0], high + odd[1]))
    asked = widened(asked, noise_level=draw.one(None, 0, draw.integer(1, min(59, most)), min(most, 399)))
    return Upscaling("x4", folder, asked, lambda: Opened(folder, StableDiffusionUpscalePipeline, asked), (), components)


def ldm_sr(place):
    """Latent diffusion that enlarges: the picture beside the latents of a quantised autoencoder."""
    draw = place.draw
    kinds = ("DDIMScheduler", "PNDMScheduler", "LMSDiscreteScheduler", "EulerDiscreteScheduler",
             "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler")
    scheduling = models.scheduler(draw, "epsilon", kinds)
    vqvae = models.quantised_autoencoder(draw, latent_channels=3, vq_embed_dim=3)
    unet = plain_unet(draw, 6, 32)
    unet = type(unet).from_config({**unet.config, "out_channels": 3})
    components = {"unet": unet, "vqvae": vqvae}
    folder = place.save(LDMSuperResolutionPipeline, "model", components, scheduling)
    asked = request(draw, scheduling).changed(
        count=1, prompt=None, negative=None, guidance=None, solver=None,
        image=pipeline_requests.picture(draw, place.file("low.png"), 32 * draw.integer(1, 2), 32))
    asked = widened(asked)
    return Upscaling("ldm-sr", folder, asked, lambda: Opened(folder, LDMSuperResolutionPipeline, asked), (), components)


def depth(place, finds=False):
    """Stable Diffusion 2 that changes a picture and is given its depths, or finds them by an estimator of its own."""
    draw = place.draw
    extractor = None
    prediction = draw.one("epsilon", "v_prediction")
    scheduling = models.scheduler(draw, prediction)
    scheduling[1].update({"prediction_type": prediction} if "prediction_type" in scheduling[1] else {})
    name, components = text_parts(place, inputs=5, use_linear_projection=draw.chance(0.5))
    components |= {"vae": models.autoencoder(draw), "depth_estimator": None}
    if finds:
        chosen = depth_oracle.settings(draw, is_hybrid=draw.chance(0.7))
        components["depth_estimator"] = depth_oracle.network(chosen, draw)
        sides = {"height": chosen["image_size"], "width": chosen["image_size"]}
        extractor = DPTImageProcessorPil(size=sides, resample=draw.one(2, 3))
    folder = place.save(StableDiffusionDepth2ImgPipeline, "model", components, scheduling, {"tokenizer": name},
                        feature_extractor=extractor)
    factor = 2 ** (len(components["vae"].config.block_out_channels) - 1)
    width, height = size(draw, factor)
    asked = request(draw, scheduling)
    asked = asked.changed(strength=strength(draw, asked.steps, 0.8), count=draw.one(1, 1, 2),
                          image=pipeline_requests.picture(draw, place.file("image.png"), width, height))
    high, wide = draw.integer(5, 70), draw.integer(5, 70)
    if finds:
        path = None
    elif draw.chance(0.5):
        path = place.file("depth.safetensors")
        save_file({"depth": 10 * torch.rand(high, wide, generator=draw.generator)}, path)
    else:
        path = place.file("depth.png")
        PIL.Image.open(pipeline_requests.picture(draw, path, wide, high)).convert("L").save(path)
    asked = widened(asked, depth=path)
    kind = "depth-found" if finds else "depth"
    return Job(kind, folder, asked, lambda: Opened(folder, StableDiffusionDepth2ImgPipeline, asked), (), components)


# --- decoders ----------------------------------------------------------------------------------------------------


def tiny(draw):
    """TAESD as a model's autoencoder."""
    levels = draw.integer(2, 3)
    blocks = [draw.integer(1, 2) for _ in range(levels)]
    return AutoencoderTiny(
        encoder_block_out_channels=[8] * levels, decoder_block_out_channels=[8] * levels, num_encoder_blocks=blocks,
        num_decoder_blocks=blocks[::-1], scaling_factor=1.0)


def consistency(draw):
    """OpenAI's decoder of two steps, whose U-Net is given the latents, enlarged, beside the noisy picture."""
    levels = draw.integer(2, 3)
    steps = draw.integer(2, 3)
    return ConsistencyDecoderVAE(
        encoder_block_out_channels=[8 * draw.integer(1, 2) for _ in range(levels)],
        encoder_down_block_types=["DownEncoderBlock2D"] * levels, encoder_layers_per_block=1, encoder_norm_num_groups=4,
        encoder_out_channels=4, decoder_block_out_channels=[8 * draw.integer(1, 2) for _ in range(steps)],
        decoder_down_block_types=["ResnetDownsampleBlock2D"] * steps, decoder_layers_per_block=draw.integer(1, 2),
        decoder_norm_num_groups=4, decoder_up_block_types=["ResnetUpsampleBlock2D"] * steps,
        scaling_factor=draw.one(0.18215, 0.5))


def decoded(place, kind, vae, from_picture=False):
    draw = place.draw
    scheduling = models.scheduler(draw, "epsilon")
    name, components = text_parts(place)
    components["vae"] = vae
    widths = vae.config.get("encoder_block_out_channels")
    factor = 2 ** (len(widths) - 1)
    width, height = size(draw, factor)
    components["unet"].register_to_config(sample_size=height // factor)
    folder = place.save(StableDiffusionPipeline, "model", components, scheduling, {"tokenizer": name}, safety_checker=None,
                        feature_extractor=None, requires_safety_checker=False)
    asked = request(draw, scheduling).changed(width=width, height=height)
    pipeline = StableDiffusionPipeline
    if from_picture:
        asked = asked.changed(strength=strength(draw, asked.steps, 0.8))
        asked, pipeline = with_picture(place, asked, width, height).changed(width=None, height=None), StableDiffusionImg2ImgPipeline
        asked = asked.changed(image=pipeline_requests.picture(draw, place.file("image.png"), width, height))
    asked = widened(asked)
    return Job(kind, folder, asked, lambda: Opened(folder, pipeline, asked), (), components)


KINDS = {
    "x4": x4, "ldm-sr": ldm_sr, "depth": depth,
    "depth-found": lambda place: depth(place, finds=True),
    "taesd": lambda place: decoded(place, "taesd", tiny(place.draw)),
    "taesd-img2img": lambda place: decoded(place, "taesd-img2img", tiny(place.draw), True),
    "consistency-decoder": lambda place: decoded(place, "consistency-decoder", consistency(place.draw)),
    "consistency-img2img": lambda place: decoded(place, "consistency-img2img", consistency(place.draw), True),
}
CASES = cascade_jobs.cases(KINDS)
FIXTURES = ("x4", "ldm-sr", "depth", "depth-found", "consistency-decoder")


def main():
    """A few small cases as files for the tests."""
    options = pipelines.arguments()
    torch.set_num_threads(1)
    wanted = {kind: (kind, lambda job: True) for kind in FIXTURES}
    log = print if options.verbose else lambda text: None
    pipeline_fixtures.write_all(options, KINDS, pipelines.drawn, pipelines.compared, log, wanted)


if __name__ == "__main__":
    main()
