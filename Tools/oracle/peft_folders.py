"""Folders of the PEFT library through `langevin generate --lora FOLDER`, on tiny models drawn from a seed.

    peft_folders.py --program .build/release/langevin --seed 3 [--only KIND] [--cases 1] [--keep FOLDER]
    peft_folders.py --seed 0 --out Tests/Fixtures/peft

PEFT makes an adapter of a network of diffusers, writes its folder and merges it; the reference is diffusers on the merged weights.
Prints a line a case; exit code 1 where one failed. PEFT lies beside the environment (`setup.sh`), because diffusers behaves
otherwise where it is installed.
"""
import glob
import json
import os
import shutil
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import pipeline_fixtures
import pipelines
from pipeline_references import Unfit

sys.path.append(os.environ.get("LANGEVIN_PEFT", os.path.join(sys.prefix, "peft")))

import peft  # noqa: E402

# --- adapters ----------------------------------------------------------------------------------------------------


def targets(draw, network):
    """The names of some layers."""
    found = [name for name, child in network.named_modules() if isinstance(child, (torch.nn.Linear, torch.nn.Conv2d))]
    chosen = [name for name in found if draw.chance(0.3)]
    if not chosen:
        raise Unfit("an adapter of nothing")
    return chosen


def pattern(draw, chosen, value):
    """Numbers for some layers: by their whole names, by the ends of names, and by names from the beginning."""
    found = {}
    for name in chosen:
        if draw.chance(0.3):
            found[draw.one(name, name.split(".")[-1], "^" + name)] = value()
    return found


def configuration(draw, kind, network):
    chosen = targets(draw, network)
    settings = {"r": draw.integer(1, 5), "lora_alpha": draw.integer(1, 9), "target_modules": chosen}
    if kind == "patterns":
        settings["rank_pattern"] = pattern(draw, chosen, lambda: draw.integer(1, 6))
        settings["alpha_pattern"] = pattern(draw, chosen, lambda: draw.integer(1, 9))
        if not settings["alpha_pattern"]:
            raise Unfit("no pattern")
    settings["use_rslora"], settings["use_dora"] = kind == "rslora", kind == "dora"
    if kind == "bias":
        settings["target_modules"] = [name for name in chosen if network.get_submodule(name).bias is not None]
        settings["lora_bias"] = True
    return peft.LoraConfig(**settings)


def adapted(draw, kind, network, folder):
    """Writes an adapter of a network into a folder."""
    model = peft.get_peft_model(network, configuration(draw, kind, network))
    generator = draw.generator
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_A" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5)
            elif "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
            elif "magnitude" in name:
                parameter.mul_(1 + 0.2 * torch.rand(parameter.shape, generator=generator))
    model.save_pretrained(folder)
    if type(network).__name__ == "CLIPTextModel":
        # Names of transformers before 5, which published folders have; PEFT merges its own.
        shutil.copytree(folder, folder + "-own")
        path = os.path.join(folder, "adapter_model.safetensors")
        save_file({name.replace("model.encoder.", "model.text_model.encoder."): tensor
                   for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})


def merged(network, folder, weight):
    """The network with so much of a folder's adapter in its weights; patterns have the order of the file."""
    model = peft.PeftModel.from_pretrained(network, folder + "-own" if os.path.exists(folder + "-own") else folder)
    for module in model.modules():
        if isinstance(module, peft.tuners.lora.LoraLayer):
            module.scaling["default"] *= weight
    return model.merge_and_unload()


def case(base, kind, component):
    def make(place):
        job, draw = pipelines.KINDS_OF_MODELS[base](place), place.draw
        job.request = job.request.changed(initial=None)
        weight, folder, target = draw.one(1.0, draw.real(0.3, 1.3)), place.file("adapter"), place.file("merged")
        def network():
            return type(job.components[component]).from_pretrained(os.path.join(job.folder, component))

        adapted(draw, kind, network(), folder)
        shutil.copytree(job.folder, target)
        for old in glob.glob(os.path.join(target, component, "*.safetensors")):
            os.remove(old)
        merged(network(), folder, weight).save_pretrained(os.path.join(target, component))
        reference = job.open
        job.open = lambda folder=target: reference(folder)
        job.options = (*job.options, "--lora", folder if weight == 1 and draw.chance(0.5) else f"{folder}:{weight}")
        job.adapter = folder
        plain = reference(job.folder)(job.request).pixels
        if abs(plain.astype(int) - job.open()(job.request).pixels).mean() < 2:
            raise Unfit("an adapter that hardly changes the picture")
        return job
    return make


def write_case(out, kind, job, result):
    """The case with the adapter's configuration and tensors, through the program."""
    with open(os.path.join(job.adapter, "adapter_config.json")) as file:
        settings = json.load(file)
    with safe_open(os.path.join(job.adapter, "adapter_model.safetensors"), "pt") as file:
        tensors = {"adapter/" + name: file.get_tensor(name).contiguous() for name in file.keys()}
    described = pipeline_fixtures.described(job.folder, job.components)
    command = [word.replace(os.path.dirname(job.folder), "{}") for word in job.command()]
    tensors.update({"latents": result.latents, **pipeline_fixtures.pictures(job.request)})
    return pipeline_fixtures.write(
        out, kind, tensors, {"kind": kind, "model": described, "adapter": settings, "command": command})


KINDS = ("plain", "patterns", "rslora", "dora", "bias")


if __name__ == "__main__":
    pipelines.KINDS_OF_MODELS = pipelines.KINDS
    pipelines.KINDS = {
        **{f"peft-sd1-{kind}": case("sd1", kind, "unet") for kind in KINDS}, "peft-xl-dora": case("xl", "dora", "unet"),
        "peft-sd3-patterns": case("sd3", "patterns", "transformer"), "peft-text": case("sd1", "plain", "text_encoder")}
    pipeline_fixtures.KINDS, pipeline_fixtures.PARTICULAR = tuple(f"peft-sd1-{kind}" for kind in KINDS), {}
    pipeline_fixtures.write_case = write_case
    pipelines.main()
