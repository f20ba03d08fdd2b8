"""A few cases of pipelines.py as files of a few KiB: configurations, seeds of weights, the request and what it gives."""
import dataclasses
import json
import os
import tempfile

import numpy as np
import PIL.Image
import torch

import pipeline_models as models
import pipeline_requests
from common import write
from pipeline_references import Unfit

KINDS = ("sd1", "sd2", "lcm", "sd-img2img", "sd-inpaint4", "sd-inpaint9", "xl", "xl-refiner", "hand-over", "sd3", "sd3-no-t5",
         "sd35", "dit", "ldm", "ldm-classes", "ldm-edm", "edm", "consistency", "score-sde")
STEADY = 4e-6
# What cases of another script hold beside a model and a request: entries of the case, and tensors.
more = None


def guided(job):
    return job.request.guidance is not None and job.request.guidance > 1


def partial(job):
    return job.request.strength is not None and job.request.strength < 1 and guided(job)


def of(name):
    """Whether the folder's own scheduler is of a class, and runs."""
    def holds(job):
        with open(f"{job.folder}/scheduler/scheduler_config.json") as file:
            return json.load(file)["_class_name"] == name and job.request.solver is None
    return holds


# More cases of some kinds, by what must hold of them.
PARTICULAR = {
    "sd1-guided": ("sd1", guided), "sd3-guided": ("sd3-no-t5", guided), "dit-guided": ("dit", guided),
    "sd-img2img-part": ("sd-img2img", partial), "sd-inpaint4-part": ("sd-inpaint4", partial),
    "sd3-img2img-part": ("sd3-img2img", partial), "xl-end-heun": ("xl-end", of("HeunDiscreteScheduler")),
    "xl-end-dpm2": ("xl-end", of("KDPM2DiscreteScheduler")), "hand-over-heun": ("hand-over", of("HeunDiscreteScheduler")),
    "hand-over-dpm2": ("hand-over", of("KDPM2DiscreteScheduler"))}
TOKENIZERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Tests/Fixtures/tokenizers")


def described(folder, components):
    """A checkpoint without its weights: every configuration, the seed of each part's weights, the tokenizers' names."""
    files, tokenizers = {}, {}
    for place, _, names in os.walk(folder):
        part = os.path.relpath(place, folder)
        if "tokenizer" in part:
            tokenizers[part] = own_name(place)
            continue
        for name in names:
            if name.endswith(".json"):
                with open(os.path.join(place, name)) as file:
                    files[os.path.normpath(os.path.join(part, name))] = json.load(file)
    seeds = {part: network.weight_seed for part, network in components.items() if network is not None}
    return {"files": files, "weights": seeds, "tokenizers": tokenizers}


def own_name(place):
    """Which of the fixtures' tokenizers a folder is a copy of."""
    def contents(folder):
        return {name: open(os.path.join(folder, name), "rb").read() for name in os.listdir(folder) if not name.startswith("expected")}

    names = sorted(os.listdir(TOKENIZERS)) + ["../bert"]
    return next(name for name in names if contents(os.path.join(TOKENIZERS, name)) == contents(place))


def pictures(request):
    """What the request brings along, as tensors."""
    found = {}
    for name in ("image", "mask", "image_to"):
        if path := getattr(request, name, None):
            found[name] = torch.from_numpy(np.array(PIL.Image.open(path)))
    if getattr(request, "depth", None):
        found["depth"] = pipeline_requests.depths(request.depth)
    if request.initial:
        found["initial"] = pipeline_requests.tensor(request.initial, "latents")
    return found


def write_case(out, kind, job, result):
    asked = {name: value for name, value in dataclasses.asdict(job.request).items()
             if value is not None and name not in ("image", "mask", "image_to", "initial", "depth")}
    case = {"kind": kind, "request": asked, "model": described(job.folder, job.components)}
    if job.refiner:
        case["refiner"] = described(job.refiner.path, job.refiner.components)
    tensors = {"latents": result.latents, "pixels": torch.from_numpy(result.pixels.copy()), **pictures(job.request)}
    for index, control in enumerate(getattr(job, "controls", [])):
        case[f"control-{index}"] = {"files": {"config.json": control["config"]}, "weights": {"": control["seed"]}, "tokenizers": {}}
        picture = control["picture"]
        tensors[f"control-{index}"] = (pipeline_requests.tensor(picture, "control") if picture.endswith(".safetensors")
                                       else torch.from_numpy(np.array(PIL.Image.open(picture))))
    if more:
        extra, given = more(job)
        case.update(extra)
        tensors.update(given)
    if hasattr(job, "controls"):
        # Through the program: places are those of a folder.
        case["command"] = [word.replace(os.path.dirname(job.folder), "{}") for word in job.command()]
    return write(out, kind, tensors, case)


def write_all(options, kinds, drawn, compared, log, wanted=None):
    """Cases that no machine's rounding moves far; with `--program` it is compared with each."""
    vocabularies = models.Vocabularies(TOKENIZERS)
    os.makedirs(options.out, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, "case")
        wanted = wanted or {**{kind: (kind, lambda job: True) for kind in KINDS}, **PARTICULAR}
        for name in (name for name in wanted if options.only in name):
            kind, holds = wanted[name]

            def make(place):
                job = kinds[kind](place)
                if not holds(job):
                    raise Unfit("another case is wanted")
                return job

            job, result, _ = drawn(f"{name}/0", make, options.seed, vocabularies, place, log, attempts=1000, limit=STEADY)
            write_case(options.out, name, job, result)
            if options.program:
                problem, figures = compared(options.program, job.command(), result, place)
                print(f"    {name} {'FAILED ' + problem if problem else 'passed ' + figures}")
