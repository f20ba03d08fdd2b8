"""Runs `langevin convert` on small random models of every family and compares what diffusers opens with what it was.

Every family as one safetensors file, as a pickle and as a folder; nothing is written but the program's own output.
"""
import json
import os
import subprocess
import sys
import tempfile

import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection, T5EncoderModel

from common import Draw, arguments
from layouts import CLASSES, TO_SINGLE_FILE, build, native_tensors, shared, small
from layouts_published import FAMILIES

PIPELINES = {"sd1": "StableDiffusionPipeline", "sd1-inpaint": "StableDiffusionInpaintPipeline", "sd2": "StableDiffusionPipeline",
             "sd2-inpaint": "StableDiffusionInpaintPipeline", "sdxl": "StableDiffusionXLPipeline",
             "sdxl-refiner": "StableDiffusionXLImg2ImgPipeline", "sd-x4-upscaler": "StableDiffusionUpscalePipeline",
             "ldm-vq-f4": "LDMPipeline", "ldm-vq-f8": "LDMPipeline", "dit": "DiTPipeline"}
TEXTS = {"CLIPTextModel": CLIPTextModel, "CLIPTextModelWithProjection": CLIPTextModelWithProjection, "T5EncoderModel": T5EncoderModel}
SCHEDULER = {"_class_name": "DDIMScheduler", "num_train_timesteps": 1000}


def kind_of(config):
    return config.get("_class_name") or config["architectures"][0]


def random_tensors(network, config, kind, draw):
    tensors = {name: draw.normal(*tensor.shape, dtype=torch.float32) for name, tensor in native_tensors(network, config).items()}
    if "pos_embed.pos_embed" in tensors:
        tensors["pos_embed.pos_embed"] = network.pos_embed.pos_embed
    return {name: tensor.float() for name, tensor in shared(tensors, kind).items()}


def dump(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(value, file)


def made(family, draw, room):
    """The tensors of every component, one file with all of them, and a folder of configurations."""
    parts, single = {}, {}
    described = os.path.join(room, "described")
    index = {"_class_name": PIPELINES.get(family, "StableDiffusion3Pipeline"), "scheduler": ["diffusers", "DDIMScheduler"]}
    for component, (kind, config) in FAMILIES[family]["components"].items():
        config = small(config)
        parts[component] = (config, random_tensors(build(config), config, kind, draw))
        single |= TO_SINGLE_FILE[kind](parts[component][1], config)
        dump(f"{described}/{component}/config.json", config)
        index[component] = ["transformers" if "architectures" in config else "diffusers", kind_of(config)]
    dump(f"{described}/scheduler/scheduler_config.json", SCHEDULER)
    dump(f"{described}/model_index.json", index)
    for name, shape in FAMILIES[family]["aside"]:
        single.setdefault(name, torch.zeros(shape if len(shape) < 2 else [1] * len(shape)))
    single = {name: tensor.contiguous().clone() for name, tensor in single.items()}
    save_file(single, f"{room}/one.safetensors")
    torch.save({"state_dict": single, "global_step": 3, "epoch": 1}, f"{room}/pickled.safetensors")
    return parts, single, described


def differences(folder, parts, type_=torch.float32):
    """What diffusers or transformers finds in a folder, compared with what was put into the file."""
    for component, (config, tensors) in parts.items():
        name, place = kind_of(config), f"{folder}/{component}"
        if name == "ClassEmbedder":
            found = load_file(f"{place}/diffusion_pytorch_model.safetensors")
        else:
            found = (CLASSES | TEXTS)[name].from_pretrained(place, torch_dtype=type_).state_dict()
        for key, tensor in tensors.items():
            # transformers 5 leaves out the first part of the names of an encoder without projection.
            other = found.get(key, found.get(key.removeprefix("text_model.")))
            if other is None or not torch.equal(other, tensor.to(type_)):
                yield f"{component}: {key} {'is missing' if other is None else 'differs'}"


def main():
    options = arguments(__doc__, program="", families="")
    failed = 0

    def check(name, problems):
        nonlocal failed
        problems = list(problems)
        failed += bool(problems)
        print(f"{'FAILED' if problems else 'ok    '} {name} {problems[:5] or ''}", flush=True)

    def run(*words, code=0):
        result = subprocess.run([options.program, "convert", *words], capture_output=True, text=True)
        return [] if result.returncode == code else [f"exit code {result.returncode}: {result.stderr.strip()[-400:]}"]

    # OpenAI's networks have heads of 64 channels, which no small one has: adm.py converts those.
    families = [family for family in FAMILIES if not family.startswith("adm")]
    for family in options.families.split(",") if options.families else families:
        draw = Draw(options.seed, f"conversion/{family}")
        with tempfile.TemporaryDirectory() as room:
            parts, single, described = made(family, draw, room)
            one, pickled = f"{room}/one.safetensors", f"{room}/pickled.safetensors"
            check(f"{family}: a file", run(one, f"{room}/a", "--config", described) or differences(f"{room}/a", parts))
            check(f"{family}: a pickle", run(pickled, f"{room}/b", "--config", described) or differences(f"{room}/b", parts))
            check(f"{family}: a folder in half precision",
                  run(f"{room}/a", f"{room}/c", "--dtype", "float16") or differences(f"{room}/c", parts, torch.float16))
            check(f"{family}: sizes of its own without a description", run(one, f"{room}/d", code=2))
            problems = run(pickled, f"{room}/same.safetensors")
            same = {} if problems else load_file(f"{room}/same.safetensors")
            check(f"{family}: the tensors of a pickle", problems or (
                name for name in single.keys() | same.keys()
                if name not in same or name not in single or not torch.equal(single[name], same[name])))
            left = sorted(set(os.listdir(room)) - {"a", "b", "c", "described", "one.safetensors", "pickled.safetensors", "same.safetensors"})
            check(f"{family}: nothing half-written", left)
            if family.startswith("ldm"):  # the others need a tokenizer or an autoencoder beside them
                try:
                    DiffusionPipeline.from_pretrained(f"{room}/a")
                    problems = []
                except Exception as problem:
                    problems = [str(problem)[:300]]
                check(f"{family}: diffusers opens the folder", problems)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
