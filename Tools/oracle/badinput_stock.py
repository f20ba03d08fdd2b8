"""Good inputs from which the campaign of badinput.py makes bad ones: small models of every family, files and runs."""
import argparse
import dataclasses
import gzip
import io
import json
import os
import random
import shutil
import struct
import zipfile

import numpy
import PIL.Image
import torch
from safetensors.torch import load_file, save

import pickles
import pipeline_files
import pipeline_models as models
import pipeline_others
import pipeline_stable
import scheduler_draws
from common import Draw
from pipeline_cases import Place

KINDS = {**pipeline_stable.KINDS, **pipeline_others.KINDS, **pipeline_files.KINDS}
PROMPTED = ("sd1", "sd2", "turbo", "lcm", "sd-img2img", "sd-inpaint4", "sd-inpaint9", "xl", "xl-refiner", "xl-inpaint9",
            "hand-over", "sd3", "sd3-no-t5", "sd35", "sd3-img2img")
PLAIN = ("dit", "ldm", "ldm-classes", "ddpm", "ddim")
FILES = ("file-sd1", "file-sd2", "file-xl", "file-xl-refiner", "file-sd3")
ATTEMPTS = 40
RECIPE = """\
seed: 3
data:
  kind: digits
  path: digits.csv
  split: evaluation
model:
  kind: unet2d
  class_conditional: true
  in_channels: 1
  out_channels: 1
  block_out_channels: [4, 8]
  layers_per_block: 1
  down_block_types: [DownBlock2D, AttnDownBlock2D]
  up_block_types: [AttnUpBlock2D, UpBlock2D]
  attention_head_dim: 4
  norm_num_groups: 2
diffusion:
  schedule: linear
  train_steps: 50
  prediction: epsilon
  label_dropout: 0.1
training:
  steps: 2
  batch_size: 4
  learning_rate: 2.0e-3
  schedule: constant
  warmup_steps: 1
  checkpoint_every: 1
  keep_checkpoints: 2
  sample_every: 0
  log_every: 1
evaluation:
  solver: ddim
  steps: 2
  guidance: 1.5
  count: 10
"""


@dataclasses.dataclass
class Base:
    """A folder of good files, and the words of a command that is served with them as working folder."""
    kind: str
    folder: str
    words: list
    model: str = "model"

    def files(self, *endings):
        """The path within the folder of every file with one of the endings, in a fixed order."""
        return sorted(os.path.relpath(os.path.join(path, name), self.folder)
                      for path, _, names in os.walk(self.folder) for name in names if name.endswith(endings))


class Stock:
    """Makes each good input once; `problem(words, folder)` says why the program does not serve a command, if so."""

    def __init__(self, folder, seed, problem):
        self.folder, self.seed, self.problem = folder, seed, problem
        self.vocabularies = models.Vocabularies(os.path.join(folder, "tokenizers"), Draw(seed, "vocabularies"))
        self.kept = {}

    def once(self, name, make):
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    def forget_bases(self):
        """Lets every folder of good files be made anew."""
        for name in [name for name in self.kept if name.startswith("base ") or name == "run"]:
            shutil.rmtree(self.kept.pop(name).folder)

    # --- models ------------------------------------------------------------------------------------------------------

    def base(self, kind):
        return self.once("base " + kind, lambda: self.made(kind))

    def made(self, kind):
        """A model of a kind with a request of few steps that the program serves."""
        folder = os.path.join(self.folder, kind)
        problems = []
        for attempt in range(ATTEMPTS):
            shutil.rmtree(folder, ignore_errors=True)
            try:
                job = KINDS[kind](Place(Draw(self.seed, f"stock/{kind}/{attempt}"), self.vocabularies, folder))
            except Exception as problem:  # diffusers refuses some draws, each in a way of its own
                problems.append(str(problem)[:200])
                continue
            job.request = job.request.changed(count=1, steps=2 if job.request.denoising_end is None else 4, strength=None)
            words = [word.replace(folder + "/", "") for word in job.command()]
            said = self.problem([*words, "-o", "out.png"], folder)
            shutil.rmtree(os.path.join(folder, "out.png"), ignore_errors=True)
            if os.path.exists(os.path.join(folder, "out.png")):
                os.remove(os.path.join(folder, "out.png"))
            if not said:
                return Base(kind, folder, words, "model.safetensors" if kind in FILES else os.path.basename(job.folder))
            problems.append(said)
        raise SystemExit(f"no {kind} in {ATTEMPTS} attempts that the program takes: {problems[-3:]}")

    def analytic(self, draw):
        """A mixture of Gaussians under the process of any class of schedulers."""
        name = draw.one(*scheduler_draws.DRAWN)
        flags = scheduler_draws.DRAWN[name](draw)[0]
        schedule = draw.one({"_class_name": name, **flags}, {"_class_name": name, **flags},
                            {"kind": "vp-sde", "beta_min": 0.1, "beta_max": 20},
                            {"kind": "edm", "sigma_min": 0.002, "sigma_max": 80, "rho": 7}, {"kind": "flow", "shift": 3},
                            {"kind": "ve", "sigma_min": 0.01, "sigma_max": 50})
        return {"kind": "gaussian-mixture", "weights": [0.3, 0.7], "means": [[1, 2], [-1, 0.5]],
                "covariances": [[[1, 0.2], [0.2, 0.5]], [[0.1, 0], [0, 0.1]]], "schedule": schedule,
                "prediction": draw.one("noise", "data", "v", "flow")}

    # --- files -------------------------------------------------------------------------------------------------------

    def pickles(self):
        """Bytes of files as PyTorch writes them, by name."""
        return self.once("pickles", self.written_pickles)

    def written_pickles(self):
        draw = Draw(self.seed, "stock/pickles")
        plain = {name: tensor for name, tensor in pickles.tensors(draw).items() if name != "bool"}
        checkpoint = load_file(os.path.join(self.base("file-sd1").folder, "model.safetensors"))
        whole = {"state_dict": checkpoint, "global_step": 3, "epoch": 1}
        found = {"plain.pt": saved(plain), "legacy.bin": saved(plain, _use_new_zipfile_serialization=False),
                 "lightning.ckpt": saved(pickles.lightning(draw)[1]), "sd.ckpt": saved(whole),
                 "pair.pt": saved({"model": plain, "ema": plain, "args": argparse.Namespace(lr=1e-4)}),
                 "legacy.ckpt": saved(whole, _use_new_zipfile_serialization=False)}
        for protocol in (3, 4, 5):
            found[f"protocol-{protocol}.pt"] = saved(plain, pickle_protocol=protocol)
        packed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(found["plain.pt"])) as given, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
            for name in given.namelist():
                made.writestr(zipfile.ZipInfo(name), given.read(name), zipfile.ZIP_DEFLATED)
        return {**found, "deflated.pt": packed.getvalue()}

    def tensors(self):
        """The bytes of a small safetensors file of many types."""
        def make():
            draw = Draw(self.seed, "stock/tensors")
            tensors = {name: value.detach().contiguous().clone() for name, value in pickles.tensors(draw).items()}
            return save({**tensors, "latents": draw.normal(1, 4, 4, 4, dtype=torch.float32),
                         "samples": draw.normal(1, 4, 4, 4, dtype=torch.float32)}, metadata={"format": "pt", "note": "small"})
        return self.once("tensors", make)

    def pictures(self):
        """Bytes of pictures of every form that Pillow writes, by name."""
        return self.once("pictures", self.drawn_pictures)

    def drawn_pictures(self):
        levels = numpy.random.default_rng(self.seed)
        found = {}

        def add(name, mode, form, **options):
            shape = {"L": (17, 23), "1": (17, 23), "P": (17, 23), "LA": (17, 23, 2), "RGB": (17, 23, 3), "RGBA": (17, 23, 4),
                     "CMYK": (17, 23, 4), "I;16": (17, 23)}[mode]
            values = levels.integers(0, 65536 if mode == "I;16" else 2 if mode == "1" else 256, shape)
            if mode == "P":
                picture = PIL.Image.fromarray(values.astype("uint8")).convert("RGB").quantize(40)
            elif mode == "1":
                picture = PIL.Image.fromarray((values * 255).astype("uint8")).convert("1")
            else:
                picture = PIL.Image.fromarray(values.astype("uint16" if mode == "I;16" else "uint8"),
                                              mode=None if mode == "I;16" else mode)
            content = io.BytesIO()
            picture.save(content, form, **options)
            found[name] = content.getvalue()
        turned = PIL.Image.Exif()
        turned[0x0112] = 6
        for mode in ("L", "LA", "RGB", "RGBA", "P", "1", "I;16"):
            add(f"png-{mode.replace(';', '')}.png", mode, "PNG")
        add("png-exif.png", "RGB", "PNG", exif=turned)
        for mode in ("L", "RGB", "CMYK"):
            add(f"jpeg-{mode}.jpg", mode, "JPEG")
        add("jpeg-progressive.jpg", "RGB", "JPEG", progressive=True)
        add("jpeg-exif.jpg", "RGB", "JPEG", exif=turned)
        add("webp-lossy.webp", "RGB", "WEBP")
        add("webp-alpha.webp", "RGBA", "WEBP", lossless=True)
        add("webp-exif.webp", "RGB", "WEBP", exif=turned)
        frames = [PIL.Image.fromarray(levels.integers(0, 256, (17, 23, 3)).astype("uint8")) for _ in range(3)]
        content = io.BytesIO()
        frames[0].save(content, "WEBP", save_all=True, append_images=frames[1:])
        return {**found, "webp-moving.webp": content.getvalue()}

    # --- data and runs -----------------------------------------------------------------------------------------------

    def digits(self):
        """A text of the form of the project's digits."""
        def make():
            choose = random.Random(self.seed)
            rows = ((*(choose.randrange(17) for _ in range(64)), number % 10) for number in range(1797))
            return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
        return self.once("digits", make)

    def idx(self):
        """The four files of an idx data set of forty pictures, by name."""
        choose = random.Random(self.seed)
        pictures = struct.pack(">4I", 0x803, 40, 8, 8) + choose.randbytes(40 * 64)
        labels = struct.pack(">2I", 0x801, 40) + bytes(number % 4 for number in range(40))
        return {f"{part}-{kind}-ubyte": content for part in ("train", "t10k")
                for kind, content in (("images-idx3", pictures), ("labels-idx1", labels))}

    def run(self):
        """A folder with a recipe, its data and the run of it."""
        return self.once("run", self.trained)

    def trained(self):
        folder = os.path.join(self.folder, "trained")
        os.makedirs(folder)
        for name, content in {"recipe.yaml": RECIPE.encode(), "digits.csv": self.digits()}.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        if said := self.problem(["train", "recipe.yaml"], folder):
            raise SystemExit(f"the recipe that bad ones are made from is not served: {said}")
        return Base("run", folder, ["train", "recipe.yaml"], "run")


def saved(value, **more):
    content = io.BytesIO()
    torch.save(value, content, **more)
    return content.getvalue()


def packed(content):
    return gzip.compress(content, 6, mtime=0)


def json_of(value):
    return json.dumps(value).encode()
