"""Cases of cascades.py: DeepFloyd IF from texts, from pictures, with masks, enlarging, and as a cascade.

    cascades_imagen.py --out ../../Tests/Fixtures/deepfloyd --seed 0     a few small cases for the tests
"""
import dataclasses
import json
import os
import tempfile

import numpy as np
import PIL.Image
import torch
from diffusers import (DDPMScheduler, IFImg2ImgPipeline, IFImg2ImgSuperResolutionPipeline, IFInpaintingPipeline,
                       IFInpaintingSuperResolutionPipeline, IFPipeline, IFSuperResolutionPipeline, UNet2DConditionModel)

import cascade_jobs
import pipeline_fixtures
import pipeline_models as models
import pipeline_requests
import pipelines
from common import write
from pipeline_cases import Job
from pipeline_references import Result, absent, eight_bits, with_solver

ABSENT = {"safety_checker": None, "feature_extractor": None, "watermarker": None, "requires_safety_checker": False}


# --- folders -----------------------------------------------------------------------------------------------------


def unet(draw, width, size, upscaler=False):
    """A network of IF's kind of two or three levels, for texts of a width."""
    levels = draw.integer(2, 3)
    attends = [level > 0 or draw.chance(0.2) for level in range(levels)]
    return UNet2DConditionModel(
        sample_size=size, in_channels=6 if upscaler else 3, out_channels=6, act_fn=draw.one("gelu", "gelu", "silu"),
        block_out_channels=[8 * draw.integer(1, 3) for _ in range(levels)], layers_per_block=draw.integer(1, 2),
        norm_num_groups=4, attention_head_dim=draw.one(2, 4, 8), cross_attention_dim=draw.one(32, 64),
        cross_attention_norm=draw.one("group_norm", "group_norm", None), encoder_hid_dim=width,
        encoder_hid_dim_type=draw.one(None, "text_proj"), addition_embed_type="text",
        addition_embed_type_num_heads=draw.one(1, 2, 4), only_cross_attention=draw.chance(0.4),
        mid_block_only_cross_attention=draw.one(None, False, True), resnet_skip_time_act=draw.chance(0.8),
        resnet_time_scale_shift=draw.one("scale_shift", "scale_shift", "default"), time_embedding_act_fn=draw.one("gelu", "gelu", None),
        resnet_out_scale_factor=draw.one(1.0, 1.4142135), class_embed_type="timestep" if upscaler else None,
        down_block_types=["SimpleCrossAttnDownBlock2D" if has else "ResnetDownsampleBlock2D" for has in attends],
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=["SimpleCrossAttnUpBlock2D" if has else "ResnetUpsampleBlock2D" for has in reversed(attends)])


def scheduling(draw):
    """DDPM as published, or with other flags; data are kept in range dynamically, by cutting off, or not at all."""
    kept = draw.one(
        {"thresholding": True, "dynamic_thresholding_ratio": 0.95, "sample_max_value": 1.5},
        {"thresholding": True, "dynamic_thresholding_ratio": draw.real(0.6, 0.99), "sample_max_value": draw.real(1, 20)},
        {"clip_sample": True, "clip_sample_range": draw.one(1.0, draw.real(0.7, 3))}, {"clip_sample": False})
    return "DDPMScheduler", {
        "num_train_timesteps": 1000, "beta_schedule": draw.one("squaredcos_cap_v2", "squaredcos_cap_v2", "linear"),
        "variance_type": draw.one("learned_range", "learned_range", "fixed_small", "fixed_small_log", "fixed_large"),
        "timestep_spacing": draw.one("leading", "leading", "linspace", "trailing"), "prediction_type": "epsilon", **kept}


@dataclasses.dataclass
class Stage:
    """A folder, and what is asked of it as a further stage."""
    path: str
    components: dict
    scheduling: tuple
    size: int
    steps: int | None = None
    guidance: float | None = None
    noise_level: int | None = None
    # Whether it begins with the picture that the first stage changes, and the share of its steps where that is asked for.
    changes: bool = False
    strength: float | None = None

    def flags(self):
        named = {"steps": self.steps, "guidance": self.guidance, "noise-level": self.noise_level,
                 "original-strength": self.strength}
        return [word for name, value in named.items() if value is not None for word in ("--" + name, str(value))]

    def arguments(self):
        named = {"num_inference_steps": self.steps, "guidance_scale": self.guidance, "noise_level": self.noise_level,
                 "strength": self.strength}
        return {name: value for name, value in named.items() if value is not None}


def stage(place, name, size, width, upscaler=False, reads=True, pipeline=IFPipeline):
    """A folder of IF; without T5 of its own where it does not read texts itself."""
    draw, flags = place.draw, scheduling(place.draw)
    tokenizer = draw.one("t5-json", "t5-spiece") if reads else None
    text = models.t5(draw, place.vocabularies.sizes[tokenizer], width) if reads else None
    components = {"text_encoder": text, "unet": unet(draw, width, size, upscaler)}
    more = dict(ABSENT)
    if upscaler:
        pipeline = IFSuperResolutionPipeline if pipeline is IFPipeline else pipeline
        more["image_noising_scheduler"] = DDPMScheduler(
            num_train_timesteps=1000, beta_schedule=draw.one("squaredcos_cap_v2", "linear"))
    folder = place.save(pipeline, name, components, flags, {"tokenizer": tokenizer}, **more)
    return Stage(folder, components, flags, size)


# --- diffusers ---------------------------------------------------------------------------------------------------


class Opened:
    """The pipelines of the stages; each picture is made alone, by one generator from stage to stage."""

    def __init__(self, stages, first, request):
        changing = IFInpaintingSuperResolutionPipeline if request.mask else IFImg2ImgSuperResolutionPipeline
        classes = [first] + [changing if stage.changes else IFSuperResolutionPipeline for stage in stages[1:]]
        self.stages = stages
        self.pipes = [pipe.from_pretrained(stage.path, **absent(stage.path)) for pipe, stage in zip(classes, stages)]
        for pipe in self.pipes:
            pipe.set_progress_bar_config(disable=True)
            pipe.scheduler = with_solver(pipe.scheduler, request)

    def networks(self):
        return [part for pipe in self.pipes for part in pipe.components.values() if isinstance(part, torch.nn.Module)]

    def schedulers(self):
        return [pipe.scheduler for pipe in self.pipes]

    def text(self, pipe, request, guided):
        """The prompt, or what the first stage makes of it for one without T5."""
        if pipe.text_encoder is not None:
            return {"prompt": request.prompt, "negative_prompt": request.negative}
        wanted, unwanted = self.pipes[0].encode_prompt(
            request.prompt, guided, negative_prompt=request.negative, clean_caption=False)
        return {"prompt_embeds": wanted, "negative_prompt_embeds": unwanted}

    def one(self, request, generator):
        first = request.arguments()
        inputs = {name: first[name] for name in ("num_inference_steps", "guidance_scale", "strength", "width", "height")
                  if name in first}
        if request.image:
            inputs["image"] = PIL.Image.open(request.image)
        if getattr(request, "original_picture", None):
            inputs["original_image"] = PIL.Image.open(request.original_picture)
        if request.mask:
            inputs["mask_image"] = PIL.Image.open(request.mask)
        if getattr(request, "noise_level", None) is not None:
            inputs["noise_level"] = request.noise_level
        for index, (pipe, stage) in enumerate(zip(self.pipes, self.stages)):
            if index:
                inputs = {"image": made, **stage.arguments()}
            if index and stage.changes:
                inputs["original_image"] = PIL.Image.open(request.image)
                if request.mask:
                    inputs["mask_image"] = PIL.Image.open(request.mask)
                # What is asked of the first stage is asked of all that say nothing else.
                if request.strength is not None:
                    inputs.setdefault("strength", request.strength)
            guided = inputs.get("guidance_scale", 4.0) > 1
            made = pipe(**inputs, **self.text(pipe, request, guided), generator=generator, output_type="pt",
                        clean_caption=False).images
        return made

    @torch.no_grad()
    def __call__(self, request):
        pictures = torch.cat([self.one(request, generator) for generator in request.generators()])
        return Result(pictures, eight_bits((pictures / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()))


# --- jobs --------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Asked(pipeline_requests.Request):
    """A request with the noise level of an upscaler, and the picture that it begins with."""
    noise_level: int | None = None
    original_picture: str | None = None

    def flags(self):
        level = [] if self.noise_level is None else ["--noise-level", str(self.noise_level)]
        return super().flags() + level + (["--original", self.original_picture] if self.original_picture else [])


class CascadeJob(Job):
    """A request to a model and the models that go on with its pictures."""
    then: list = ()

    def command(self):
        return super().command() + [word for stage in self.then for word in ("--then", stage.path, *stage.flags())]


def asked(draw, made, **changed):
    solver = None
    if made.scheduling[1]["variance_type"].startswith("fixed") and draw.chance(0.3):
        solver = draw.one("ddim", "euler", "dpmpp-2m", "heun")
    return Asked(
        seed=draw.integer(0, 10**6), count=draw.one(1, 1, 2, 3), prompt=pipeline_requests.text(draw),
        negative=pipeline_requests.negative(draw), steps=draw.integer(2, 6),
        guidance=draw.one(0.5, 1.0, 1.5, 3.0, 7.0, None), solver=solver).changed(**changed)


def job(kind, stages, first, request):
    made = CascadeJob(kind, stages[0].path, request, lambda: Opened(stages, first, request),
                      components=stages[0].components)
    made.then = stages[1:]
    return made


def from_text(place):
    made = stage(place, "model", 8 * place.draw.integer(1, 2), 8 * place.draw.integer(1, 3))
    request = asked(place.draw, made)
    if place.draw.chance(0.4):
        request = request.changed(width=8 * place.draw.integer(1, 3), height=8 * place.draw.integer(1, 3))
    return job("if", [made], IFPipeline, request)


def from_picture(place, masked=False):
    draw = place.draw
    size = 8 * draw.integer(1, 3)
    pipeline = IFInpaintingPipeline if masked else IFImg2ImgPipeline
    made = stage(place, "model", size, 8 * draw.integer(1, 3), pipeline=draw.one(pipeline, IFPipeline))
    wide, high = draw.one((size, size), (size + draw.integer(1, 20), size + draw.integer(-3, 20)), (3 * size, size))
    request = asked(draw, made, image=pipeline_requests.picture(draw, place.file("image.png"), wide, high))
    request = strengths(draw, request)
    if masked:
        request = request.changed(mask=pipeline_requests.mask(draw, place.file("mask.png"), wide, high))
    return job("if-inpaint" if masked else "if-img2img", [made], pipeline, request)


def noise_level(draw):
    return draw.one(None, 0, draw.integer(1, 999))


def enlarging(place):
    draw = place.draw
    size = 8 * draw.integer(2, 4)
    made = stage(place, "model", size, 8 * draw.integer(1, 3), upscaler=True)
    picture = pipeline_requests.picture(draw, place.file("image.png"), draw.integer(5, 24), draw.integer(5, 24))
    request = asked(draw, made, image=picture, noise_level=noise_level(draw))
    if draw.chance(0.3):
        request = request.changed(width=8 * draw.integer(2, 4), height=8 * draw.integer(2, 4))
    return job("if-upscale", [made], IFSuperResolutionPipeline, request)


def strengths(draw, request):
    """A request with a strength that leaves a step."""
    request = request.changed(strength=draw.one(1.0, 0.7, draw.real(1 / request.steps + 0.01, 1)))
    return request.changed(strength=1.0) if request.steps * request.strength < 1 else request


def changing(place, masked=False):
    """An upscaler that begins with a picture; the small one is any."""
    draw = place.draw
    size = 8 * draw.integer(2, 4)
    pipeline = IFInpaintingSuperResolutionPipeline if masked else IFImg2ImgSuperResolutionPipeline
    made = stage(place, "model", size, 8 * draw.integer(1, 3), upscaler=True, pipeline=draw.one(pipeline, IFPipeline))
    small = pipeline_requests.picture(draw, place.file("small.png"), draw.integer(5, 24), draw.integer(5, 24))
    wide, high = draw.one((size, size), (size + draw.integer(1, 20), size + draw.integer(-3, 20)))
    request = asked(draw, made, image=small, noise_level=noise_level(draw),
                    original_picture=pipeline_requests.picture(draw, place.file("original.png"), wide, high))
    request = strengths(draw, request)
    if masked:
        request = request.changed(mask=pipeline_requests.mask(draw, place.file("mask.png"), wide, high))
    return job("if-inpaint-upscale" if masked else "if-img2img-upscale", [made], pipeline, request)


def changing_cascade(place, masked=False):
    """Two stages that begin with one picture."""
    draw = place.draw
    first = IFInpaintingPipeline if masked else IFImg2ImgPipeline
    then = IFInpaintingSuperResolutionPipeline if masked else IFImg2ImgSuperResolutionPipeline
    size = 8 * draw.integer(1, 2)
    says = draw.chance(0.5)
    stages = [stage(place, "model", size, 8 * draw.integer(1, 3), pipeline=draw.one(first, IFPipeline)),
              stage(place, "then-1", size + 8 * draw.integer(0, 2), 8 * draw.integer(1, 3), True,
                    pipeline=then if says else IFPipeline)]
    wide, high = draw.one((size, size), (size + draw.integer(1, 20), size + draw.integer(-3, 20)))
    request = asked(draw, stages[0], solver=None,
                    image=pipeline_requests.picture(draw, place.file("image.png"), wide, high))
    request = strengths(draw, request)
    if masked:
        request = request.changed(mask=pipeline_requests.mask(draw, place.file("mask.png"), wide, high))
    later = stages[1]
    later.changes, later.steps, later.noise_level = True, draw.integer(2, 5), noise_level(draw)
    later.guidance = draw.one(None, 1.0, 2.5)
    if draw.chance(0.3):
        request = request.changed(strength=None)
    # The folder's class says that it begins with the picture; where it does not, the request does.
    if not says or draw.chance(0.5) or int(later.steps * (request.strength or 0.8)) < 1:
        later.strength = strengths(draw, request.changed(steps=later.steps)).strength
    return job("if-inpaint-cascade" if masked else "if-img2img-cascade", stages, first, request)


def cascade(place, count=2, reads=True):
    draw = place.draw
    width = 8 * draw.integer(1, 3)
    stages = [stage(place, "model", 8 * draw.integer(1, 2), width)]
    for index in range(1, count):
        size = stages[-1].size + 8 * draw.integer(0, 2)
        stages.append(stage(place, f"then-{index}", size, width if not reads else 8 * draw.integer(1, 3), True, reads))
    request = asked(draw, stages[0], solver=None)
    for later in stages[1:]:
        later.steps, later.noise_level = draw.integer(2, 5), noise_level(draw)
        later.guidance = draw.one(None, 1.0, 2.5)
    return job("if-cascade", stages, IFPipeline, request)


KINDS = {
    "if": from_text, "if-img2img": from_picture, "if-inpaint": lambda place: from_picture(place, masked=True),
    "if-upscale": enlarging, "if-cascade": cascade, "if-cascade-3": lambda place: cascade(place, 3),
    "if-cascade-borrowed": lambda place: cascade(place, reads=False),
    "if-img2img-upscale": changing, "if-inpaint-upscale": lambda place: changing(place, masked=True),
    "if-img2img-cascade": changing_cascade, "if-inpaint-cascade": lambda place: changing_cascade(place, masked=True),
}
CASES = cascade_jobs.cases(KINDS)


# --- fixtures ----------------------------------------------------------------------------------------------------


def write_case(out, kind, made, result):
    """As `pipeline_fixtures.write_case` does, with the further stages."""
    request = {name: value for name, value in dataclasses.asdict(made.request).items()
               if value is not None and name not in ("image", "mask", "original_picture")}
    case = {"kind": kind, "request": request, "model": pipeline_fixtures.described(made.folder, made.components)}
    for index, later in enumerate(made.then):
        case[f"then-{index + 1}"] = pipeline_fixtures.described(later.path, later.components)
    case["then"] = [{name: value for name, value in (
        ("steps", later.steps), ("guidance", later.guidance), ("noise_level", later.noise_level), ("strength", later.strength),
    ) if value is not None or name != "strength"} for later in made.then]
    tensors = {"latents": result.latents, "pixels": torch.from_numpy(np.array(result.pixels))}
    if made.request.original_picture:
        tensors["original"] = torch.from_numpy(np.array(PIL.Image.open(made.request.original_picture)))
    write(out, kind, {**tensors, **pipeline_fixtures.pictures(made.request)}, case)


def main():
    options = pipelines.arguments()
    torch.set_num_threads(1)
    os.makedirs(options.out, exist_ok=True)
    log = print if options.verbose else lambda text: None
    vocabularies = models.Vocabularies(pipeline_fixtures.TOKENIZERS)
    with tempfile.TemporaryDirectory() as folder:
        for kind in (kind for kind in KINDS if options.only in kind):
            made, result, _ = pipelines.drawn(
                f"{kind}/0", KINDS[kind], options.seed, vocabularies, os.path.join(folder, "case"), log,
                attempts=1000, limit=1e-5)
            write_case(options.out, kind, made, result)


if __name__ == "__main__":
    main()
