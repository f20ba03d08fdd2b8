"""One request to a pipeline, as arguments of diffusers and as flags of the program; prompts and pictures for it."""
import dataclasses
import os

import numpy as np
import PIL.Image
import torch

from safetensors.torch import load_file

import tokenizers_oracle


@dataclasses.dataclass
class Request:
    """What a person asks for; None is what they did not say."""
    seed: int = 0
    count: int = 1
    prompt: str | None = None
    negative: str | None = None
    steps: int | None = None
    guidance: float | None = None
    rescale: float | None = None
    clip_skip: int | None = None
    eta: float | None = None
    width: int | None = None
    height: int | None = None
    image: str | None = None
    mask: str | None = None
    strength: float | None = None
    initial: str | None = None
    denoising_start: float | None = None
    denoising_end: float | None = None
    original: tuple | None = None
    target: tuple | None = None
    crop: tuple | None = None
    label: int | None = None
    solver: str | None = None

    def changed(self, **values):
        return dataclasses.replace(self, **values)

    def generators(self):
        return [torch.Generator("cpu").manual_seed(self.seed + index) for index in range(self.count)]

    def flags(self):
        """The command line after the model; sizes are width and height there, a crop is x and y."""
        named = {
            "negative-prompt": self.negative, "steps": self.steps, "guidance": self.guidance, "guidance-rescale": self.rescale,
            "clip-skip": self.clip_skip, "eta": self.eta, "width": self.width, "height": self.height, "image": self.image,
            "mask": self.mask, "strength": self.strength, "initial": self.initial, "denoising-start": self.denoising_start,
            "denoising-end": self.denoising_end, "class": self.label, "solver": self.solver, "seed": self.seed,
            "count": self.count, "original-size": self.original and "{}x{}".format(*self.original),
            "target-size": self.target and "{}x{}".format(*self.target), "crop": self.crop and "{},{}".format(*self.crop)}
        return [word for name, value in named.items() if value is not None for word in ("--" + name, str(value))]

    def arguments(self):
        """Keywords of diffusers' pipelines for what was said; heights come first there."""
        named = {
            "negative_prompt": self.negative, "num_inference_steps": self.steps, "guidance_scale": self.guidance,
            "guidance_rescale": self.rescale, "clip_skip": self.clip_skip, "eta": self.eta, "width": self.width,
            "height": self.height, "strength": self.strength, "denoising_start": self.denoising_start,
            "denoising_end": self.denoising_end, "original_size": self.original and self.original[::-1],
            "target_size": self.target and self.target[::-1], "crops_coords_top_left": self.crop and self.crop[::-1]}
        return {name: value for name, value in named.items() if value is not None}


# --- prompts -----------------------------------------------------------------------------------------------------


def text(draw):
    """A prompt of any script that can stand on a command line."""
    kinds = ("english", "english", "mixed", "emoji", "folded", "special", "long", "syllables")
    while True:
        found = getattr(tokenizers_oracle, draw.one(*kinds))(draw).strip().replace("\x00", "")
        if found and not found.startswith("-"):
            return found


def negative(draw):
    """Absent, empty, or a text."""
    return draw.one(None, None, "", text(draw))


# --- pictures ----------------------------------------------------------------------------------------------------


def picture(draw, path, width, height):
    """Colour blobs with edges and some noise."""
    coarse = torch.rand(1, 3, 4, 5, generator=draw.generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")[0]
    fine = smooth + 0.1 * torch.randn(3, height, width, generator=draw.generator)
    PIL.Image.fromarray((fine.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()).save(path)
    return path


def mask(draw, path, width, height):
    """A rectangle to repaint, with a grey border on either side of one half."""
    levels = np.full((height, width), draw.one(0, 0, 100, 127), np.uint8)
    left, top = draw.integer(1, width // 3), draw.integer(1, height // 3)
    right, bottom = draw.integer(width // 2, width), draw.integer(height // 2, height)
    levels[top:bottom, left:right] = draw.one(255, 255, 128)
    levels[top:bottom, left] = draw.one(127, 128, 255)
    PIL.Image.fromarray(levels).save(path)
    return path


def depths(path):
    """Depths of a grey picture or of a file's tensor, [height, width]."""
    if path.endswith(".safetensors"):
        return tensor(path, "depth").float()
    return torch.from_numpy(np.asarray(PIL.Image.open(path)).astype(np.float32))


def resized(path, width, height):
    """What a picture of another size is made into, as diffusers' own processor does."""
    found = PIL.Image.open(path)
    return found if found.size == (width, height) else found.resize((width, height), PIL.Image.Resampling.LANCZOS)


def pixels(folder):
    """The pictures that the program wrote into a folder, [N, height, width, channels]."""
    names = sorted(os.listdir(folder))
    found = [np.asarray(PIL.Image.open(os.path.join(folder, name))) for name in names]
    return np.stack([picture if picture.ndim == 3 else picture[..., None] for picture in found])


def tensor(path, name):
    return load_file(path)[name]
