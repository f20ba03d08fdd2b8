"""What the cases of pipelines.py share: a folder, a request to it, and how diffusers is opened on it."""
import dataclasses
import os

import torch
from safetensors.torch import save_file

import pipeline_models as models
import pipeline_requests
import scheduler_draws
from pipeline_references import TextPipeline
from pipeline_requests import Request


@dataclasses.dataclass
class Job:
    """A folder, what is asked of it, and how diffusers is opened on it."""
    kind: str
    folder: str
    request: Request
    open: object
    options: tuple = ()
    components: dict = dataclasses.field(default_factory=dict)
    refiner: object = None

    def command(self):
        if self.request.prompt is None:
            return ["sample", self.folder, *self.request.flags(), *self.options]
        return ["generate", self.request.prompt, "--model", self.folder, *self.request.flags(), *self.options]


class Place:
    """Where a case is made: its draws, the run's vocabularies, and a folder."""

    def __init__(self, draw, vocabularies, folder):
        self.draw, self.vocabularies, self.folder = draw, vocabularies, folder
        os.makedirs(folder, exist_ok=True)

    def file(self, name):
        return os.path.join(self.folder, name)

    def save(self, pipeline_class, name, components, scheduling, tokenizers=None, **options):
        draw = self.draw
        return models.save(
            pipeline_class, self.file(name), components, scheduling, tokenizers or {}, self.vocabularies,
            draw.integer(0, 2**30), published_names=draw.chance(0.5), **options)


# --- what requests share -----------------------------------------------------------------------------------------


def size(draw, factor, unit=8):
    """Width and height, different, at least six latent cells each."""
    low = -(-6 * factor // unit)
    first, second = draw.choices.sample(range(low, low + 4), 2)
    return first * unit, second * unit


def request(draw, scheduling, guidance=(0.0, 0.5, 1.0, 1.5, 3.0, 7.5, None), **changed):
    """What every prompt can be asked with."""
    steps = draw.integer(2, 6)
    name = scheduling[0]
    solver = draw.one(*models.SOLVERS) if draw.chance(0.25) and replaceable(*scheduling) else None
    if solver:
        name = scheduler_draws.SOLVERS[solver][0]
    found = Request(
        seed=draw.integer(0, 10**6), count=draw.one(1, 1, 2, 3), prompt="" if draw.chance(0.04) else pipeline_requests.text(draw),
        negative=pipeline_requests.negative(draw), steps=steps, guidance=draw.one(*guidance), solver=solver,
        eta=draw.one(0.0, 1.0, draw.real(0, 1)) if name in ("DDIMScheduler", "TCDScheduler") and draw.chance(0.5) else None)
    return found.changed(**changed)


def replaceable(name, flags):
    """Whether `--solver` alone says which method then runs: a given algorithm or path may say another."""
    return not flags.get("use_flow_sigmas") and flags.get("algorithm_type", "dpmsolver++") == "dpmsolver++"


def with_picture(place, asked, width, height, masked=False, says_size=False):
    """The request with a picture of its size, or of another one that is made to fit."""
    draw = place.draw
    other = draw.chance(0.3)
    given = (width + draw.integer(1, 15), height + draw.integer(-7, 9)) if other else (width, height)
    asked = asked.changed(image=pipeline_requests.picture(draw, place.file("image.png"), *given))
    if masked:
        asked = asked.changed(mask=pipeline_requests.mask(draw, place.file("mask.png"), width, height))
    return asked.changed(width=width, height=height) if other or masked or says_size else asked


def strength(draw, steps, default):
    """Full, or one that leaves at least one step; None where the pipeline's own is the same."""
    found = draw.one(1.0, draw.real(1 / steps + 0.01, 1), draw.one(0.6, 0.7, 0.8))
    found = found if steps * found >= 1 else 1.0
    return None if found == default else found


def initial(place, asked, channels, width, height, factor):
    """Sometimes the start comes from a file."""
    draw = place.draw
    if not draw.chance(0.2):
        return asked
    path = place.file("initial.safetensors")
    latents = draw.normal(asked.count, channels, height // factor, width // factor, dtype=torch.float32)
    save_file({"latents": latents}, path)
    return asked.changed(initial=path, width=None, height=None)


@dataclasses.dataclass
class Folder:
    """A checkpoint that was written, and what its requests need to know of it."""
    path: str
    components: dict
    scheduling: tuple
    factor: int
    width: int
    height: int
    sample: object
    skip: int | None


def text_job(place, kind, made, asked, pipeline_class, options=()):
    def opened(folder=made.path):
        return TextPipeline(folder, pipeline_class, asked)

    return Job(kind, made.path, asked, opened, options, made.components)


def rescaling(draw, asked):
    """How far guidance is brought back, now and then; without guidance the program refuses it."""
    found = draw.real(0.1, 1) if draw.chance(0.3) else None
    return found if asked.guidance is None or asked.guidance > 1 else None


def from_text(place, kind, made, asked, pipeline_class, rescale=True):
    """Text to image; half of the requests leave the size to the model where it is the model's."""
    draw = place.draw
    own = made.sample == [made.height // made.factor, made.width // made.factor]
    if not (own and draw.chance(0.5)):
        asked = asked.changed(width=made.width, height=made.height)
    if rescale:
        asked = asked.changed(rescale=rescaling(draw, asked))
    channels = made.components.get("unet", made.components.get("transformer")).config.in_channels
    asked = initial(place, asked.changed(clip_skip=made.skip), channels, made.width, made.height, made.factor)
    return text_job(place, kind, made, asked, pipeline_class)
