"""The same weights in a folder and in a single file of the original layout, and folders that Langevin writes."""
import functools
import os
import shutil

import torch
from safetensors.torch import save_file

import layouts
import pipeline_models as models
import pipeline_others
import pipeline_stable
from pipeline_cases import Job

# Which conversion of layouts.py makes the file's names of each part.
PARTS = {
    "sd1": {"unet": "unet", "vae": "autoencoder", "text_encoder": "clip:sd1"},
    "sd2": {"unet": "unet", "vae": "autoencoder", "text_encoder": "open-clip:sd2"},
    "xl": {"unet": "unet", "vae": "autoencoder", "text_encoder": "clip:xl", "text_encoder_2": "open-clip:xl"},
    "xl-refiner": {"unet": "unet", "vae": "autoencoder", "text_encoder_2": "open-clip:refiner"},
    "sd3": {"transformer": "sd3", "vae": "autoencoder", "text_encoder": "clip:sd3", "text_encoder_2": "clip-g:sd3", "text_encoder_3": "t5"},
}


def native(network):
    """A network's tensors under the names of published folders."""
    tensors = {name: tensor.detach() for name, tensor in network.named_parameters()}
    if hasattr(network, "pos_embed"):
        tensors["pos_embed.pos_embed"] = network.pos_embed.pos_embed
    if isinstance(network, models.CLIPTextModel) and not any(name.startswith("text_model.") for name in tensors):
        tensors = {"text_model." + name: tensor for name, tensor in tensors.items()}
    return tensors


def single_file(kind, components, path):
    """One file in the original layout."""
    found = {}
    for part, conversion in PARTS[kind].items():
        network = components[part]
        config = dict(network.config if part in ("unet", "vae", "transformer") else network.config.to_dict())
        config.setdefault("_class_name", type(network).__name__)
        found |= layouts.TO_SINGLE_FILE[conversion](native(network), config)
    save_file({name: tensor.contiguous().clone() for name, tensor in found.items()}, path)


def unit_projection(job):
    """Single files of Stable Diffusion 3 hold no projection of the first tower: it is the identity."""
    tower = job.components["text_encoder"]
    with torch.no_grad():
        torch.nn.init.eye_(tower.text_projection.weight)
    tower.save_pretrained(f"{job.folder}/text_encoder")


class FileJob(Job):
    """A request to the single file, with the folder that has its configurations and tokenizers."""

    def place(self, name):
        return os.path.join(os.path.dirname(self.folder), name)

    def command(self):
        words = super().command()
        words[words.index("--model") + 1] = self.place("model.safetensors")
        return [*words, "--config", self.place("config")]

    def conversion(self):
        """What writes a folder, and the folder."""
        target = self.place("written")
        shutil.rmtree(target, ignore_errors=True)
        return ["convert", self.place("model.safetensors"), target, "--config", self.place("config")], target


def file_job(place, kind):
    if kind == "sd3":
        job = pipeline_others.sd3(place, equal=True)
        unit_projection(job)
    else:
        job = pipeline_stable.KINDS[kind](place)
    found = FileJob(f"file-{kind}", job.folder, job.request, job.open, job.options, job.components)
    single_file(kind, job.components, found.place("model.safetensors"))
    shutil.copytree(job.folder, found.place("config"), ignore=shutil.ignore_patterns("*.safetensors"))
    return found


KINDS = {f"file-{kind}": functools.partial(file_job, kind=kind) for kind in PARTS}
