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

KINDS = ("sd1", "sd2", "lcm", "sd-img2img", "sd-inpaint4", "sd-inpaint9", "xl", "xl-refiner", "hand-over", "sd3", "sd3-no-t5",
         "sd35", "dit", "ldm", "ldm-classes")
STEADY = 4e-6
TOKENIZERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Tests/Fixtures/tokenizers")


def described(folder, components):
    """A checkpoint without its weights: every configuration, the seed of each part's weights, the tokenizers' names."""
    files, tokenizers = {}, {}
    for place, _, names in os.walk(folder):
        part = os.path.relpath(place, folder)
        if part.startswith("tokenizer"):
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

    return next(name for name in sorted(os.listdir(TOKENIZERS)) if contents(os.path.join(TOKENIZERS, name)) == contents(place))


def pictures(request):
    """What the request brings along, as tensors."""
    found = {}
    for name in ("image", "mask"):
        if path := getattr(request, name):
            found[name] = torch.from_numpy(np.array(PIL.Image.open(path)))
    if request.initial:
        found["initial"] = pipeline_requests.tensor(request.initial, "latents")
    return found


def write_case(out, kind, job, result):
    asked = {name: value for name, value in dataclasses.asdict(job.request).items()
             if value is not None and name not in ("image", "mask", "initial")}
    case = {"kind": kind, "request": asked, "model": described(job.folder, job.components)}
    if job.refiner:
        case["refiner"] = described(job.refiner.path, job.refiner.components)
    tensors = {"latents": result.latents, "pixels": torch.from_numpy(result.pixels.copy()), **pictures(job.request)}
    return write(out, kind, tensors, case)


def write_all(options, kinds, drawn, compared, log):
    """Cases that no machine's rounding moves far; with `--program` it is compared with each."""
    vocabularies = models.Vocabularies(TOKENIZERS)
    os.makedirs(options.out, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, "case")
        for kind in (kind for kind in KINDS if options.only in kind):
            job, result, _ = drawn(f"{kind}/0", kinds[kind], options.seed, vocabularies, place, log, limit=STEADY)
            write_case(options.out, kind, job, result)
            if options.program:
                problem, figures = compared(options.program, job.command(), result, place)
                print(f"    {'FAILED ' + problem if problem else 'passed ' + figures}")
