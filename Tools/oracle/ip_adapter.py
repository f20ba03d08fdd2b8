"""Pictures as prompts through `langevin generate`: tiny models and IP-Adapters drawn from a seed, against diffusers' pipelines.

    ip_adapter.py --program .build/release/langevin --seed 3 [--only KIND] [--cases 1] [--keep FOLDER]
    ip_adapter.py --seed 0 --out Tests/Fixtures/ip_adapter

The models and requests are those of pipelines.py; each gets one or two adapters (plain, plus, full-face) of random weights, with one
or two pictures and a scale, and an encoder of pictures in the model's folder or in one of its own. Prints a line a case; exit code 1
where one failed. With `--program` it also converts a pickle of each kind and compares the tensors. With `--out` it writes a few cases
as small files.
"""
import math
import os
import subprocess
import sys
import tempfile

import numpy as np
import PIL.Image
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

import control
import pipeline_fixtures
import pipeline_models as models
import pipeline_requests
import pipelines
from common import Draw
from pipeline_references import Unfit, read_json

BASES = ("sd1", "sd2", "lcm", "sd-img2img", "sd-inpaint4", "sd-inpaint9", "xl", "xl-img2img", "xl-inpaint4", "xl-turbo")
PROJECTIONS = ("plain", "plus", "full")


# --- adapters ----------------------------------------------------------------------------------------------------


def resampler(draw, features, cross):
    """Shapes of the projection of a plus adapter; diffusers knows heads of 64 and four layers."""
    width, heads, tokens, ratio = 8 * draw.integer(1, 3), draw.integer(1, 2), draw.integer(2, 5), 4
    shapes = {"latents": (1, tokens, width), "proj_in.weight": (width, features), "proj_in.bias": (width,),
              "proj_out.weight": (cross, width), "proj_out.bias": (cross,), "norm_out.weight": (cross,), "norm_out.bias": (cross,)}
    for layer in range(4):
        attention, rest = f"layers.{layer}.0", f"layers.{layer}.1"
        for norm in ("norm1", "norm2"):
            shapes.update({f"{attention}.{norm}.weight": (width,), f"{attention}.{norm}.bias": (width,)})
        shapes.update({
            f"{attention}.to_q.weight": (64 * heads, width), f"{attention}.to_kv.weight": (128 * heads, width),
            f"{attention}.to_out.weight": (width, 64 * heads), f"{rest}.0.weight": (width,), f"{rest}.0.bias": (width,),
            f"{rest}.1.weight": (ratio * width, width), f"{rest}.3.weight": (width, ratio * width)})
    return shapes


def projection(draw, kind, encoder, cross):
    """Shapes of what makes tokens of pictures."""
    if kind == "plain":
        features = encoder.config.projection_dim
        return {"proj.weight": (4 * cross, features), "proj.bias": (4 * cross,), "norm.weight": (cross,), "norm.bias": (cross,)}
    features = encoder.config.hidden_size
    if kind == "plus":
        return resampler(draw, features, cross)
    return {"proj.0.weight": (features, features), "proj.0.bias": (features,), "proj.2.weight": (cross, features),
            "proj.2.bias": (cross,), "proj.3.weight": (cross,), "proj.3.bias": (cross,)}


def attention(unet):
    """Shapes of the keys and values for each layer that attends to a text, in diffusers' own order."""
    names = [name.removesuffix(".processor") for name in unet.attn_processors if name.endswith("attn2.processor")]
    shapes = [tuple(unet.get_submodule(name).to_k.weight.shape) for name in names]
    return {f"{2 * index + 1}.to_{part}_ip.weight": shape for index, shape in enumerate(shapes) for part in ("k", "v")}


def drawn_weights(shapes, seed):
    """Weights by the rule of `pipeline_models.draw_weights`, of tensors that no module holds."""
    generator = torch.Generator("cpu").manual_seed(seed)
    found = {}
    for name, shape in sorted(shapes.items()):
        noise = torch.randn(shape, generator=generator)
        if len(shape) > 1:
            found[name] = noise * 2.0 ** round(-math.log2(math.prod(shape[1:])) / 2)
        else:
            found[name] = 0.25 * noise + (0 if name.endswith("bias") else 1)
    return found


def adapter(draw, kind, encoder, unet, path):
    """An adapter's file in the layout that is published."""
    shapes = {**{f"image_proj.{name}": shape for name, shape in projection(draw, kind, encoder, unet.config.cross_attention_dim).items()},
              **{f"ip_adapter.{name}": shape for name, shape in attention(unet).items()}}
    seed = draw.integer(0, 2**30)
    save_file(drawn_weights(shapes, seed), path, metadata={"format": "pt"})
    return {"path": path, "kind": kind, "seed": seed, "shapes": shapes}


def nested(path):
    """What diffusers takes in place of a file."""
    parts = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in load_file(path).items():
        part, rest = name.split(".", 1)
        parts[part][rest] = tensor
    return parts


# --- encoders of pictures ----------------------------------------------------------------------------------------


def vision_tower(draw):
    size = 8 * draw.integer(2, 4)
    return models.draw_weights(CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=8 * draw.integer(2, 3), intermediate_size=32, projection_dim=8 * draw.integer(1, 3),
        num_hidden_layers=draw.integer(2, 3), num_attention_heads=draw.one(1, 2), image_size=size, patch_size=draw.one(4, 8),
        hidden_act=draw.one("quick_gelu", "gelu"))), draw.integer(0, 2**30))


def extractor(draw, size):
    """How pictures are taken, where the folder says it."""
    return CLIPImageProcessor(
        size={"shortest_edge": size + draw.one(0, 0, 5)}, crop_size={"height": size, "width": size}, resample=draw.one(3, 3, 2, 1),
        image_mean=[draw.real(0.3, 0.6) for _ in range(3)], image_std=[draw.real(0.2, 0.4) for _ in range(3)])


def edit_index(folder, **parts):
    path = f"{folder}/model_index.json"
    models.write_json(path, {**read_json(path), **parts})


# --- diffusers ---------------------------------------------------------------------------------------------------


class Prompted:
    """One of diffusers' pipelines with IP-Adapters."""

    def __init__(self, inner, adapters, encoder):
        self.inner, self.pipe, self.adapters = inner, inner.pipe, adapters
        if encoder:
            inner.pipe.register_modules(image_encoder=CLIPVisionModelWithProjection.from_pretrained(encoder).eval())
        states = [nested(adapter["path"]) for adapter in adapters]
        inner.pipe.load_ip_adapter(states, subfolder="", weight_name=[""] * len(states), image_encoder_folder=None)
        inner.pipe.set_ip_adapter_scale([adapter["weight"] for adapter in adapters])

    def networks(self):
        return self.inner.networks()

    def schedulers(self):
        return self.inner.schedulers()

    def __call__(self, request, **more):
        pictures = [[PIL.Image.open(path) for path in adapter["pictures"]] for adapter in self.adapters]
        return self.inner(request, ip_adapter_image=pictures, **more)


def case(base, only=None):
    def make(place):
        job, draw = pipelines.KINDS_OF_MODELS[base](place), place.draw
        unet = job.components["unet"]
        encoder = vision_tower(draw)
        apart = draw.chance(0.4)
        job.encoder, job.encoder_seed = place.file("encoder") if apart else None, encoder.weight_seed
        encoder.save_pretrained(job.encoder or f"{job.folder}/image_encoder")
        if not apart:
            edit_index(job.folder, image_encoder=["transformers", "CLIPVisionModelWithProjection"])
            job.components = {**job.components, "image_encoder": encoder}
        if draw.chance(0.5):
            extractor(draw, encoder.config.image_size).save_pretrained(f"{job.folder}/feature_extractor")
            edit_index(job.folder, feature_extractor=["transformers", "CLIPImageProcessor"])
        job.adapters, options = [], []
        for index in range(draw.one(1, 1, 2)):
            made = adapter(draw, only or draw.one(*PROJECTIONS), encoder, unet, place.file(f"adapter-{index}.safetensors"))
            made["weight"] = draw.one(1.0, 0.5, draw.real(0.2, 1.5))
            made["pictures"] = [
                pipeline_requests.picture(draw, place.file(f"prompt-{index}-{number}.png"), draw.integer(12, 70), draw.integer(12, 70))
                for number in range(draw.one(1, 1, 2))]
            job.adapters.append(made)
            options += ["--ip-adapter", made["path"]]
            said = "" if made["weight"] == 1 and draw.chance(0.5) else f":{made['weight']}"
            for path in made["pictures"]:
                options += ["--ip-image", path + said]
        if apart:
            options += ["--ip-encoder", job.encoder]
        job.options = (*job.options, *map(str, options))
        plain, adapters, apart = job.open, job.adapters, job.encoder
        job.open = lambda folder=job.folder: Prompted(plain(folder), adapters, apart)
        found = job.open()(job.request).pixels
        without = plain(job.folder)(job.request).pixels
        if found.shape != without.shape or abs(found.astype(int) - without).mean() < 2:
            raise Unfit("pictures that hardly change the picture")
        for picture in adapters[0]["pictures"]:
            PIL.Image.open(picture).transpose(PIL.Image.Transpose.FLIP_TOP_BOTTOM).save(picture)
        flipped = job.open()(job.request).pixels
        for picture in adapters[0]["pictures"]:
            PIL.Image.open(picture).transpose(PIL.Image.Transpose.FLIP_TOP_BOTTOM).save(picture)
        if abs(found.astype(int) - flipped).mean() < 0.5:
            raise Unfit("the same for other pictures")
        return job
    return make


def controlled(place):
    """Beside a control network."""
    pipelines.KINDS_OF_MODELS["ip-base"] = control.case("sd1")
    return case("ip-base")(place)


# --- pickles -----------------------------------------------------------------------------------------------------


def check_pickles(program, seed):
    """Whether `convert` makes the flat layout of a nested pickle: the number of what failed."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in PROJECTIONS:
            draw = Draw(seed, f"pickle/{kind}")
            flat = f"{folder}/{kind}.safetensors"
            adapter(draw, kind, vision_tower(draw), models.unet(draw, 16), flat)
            torch.save(nested(flat), f"{folder}/{kind}.bin")
            made = f"{folder}/{kind}-converted.safetensors"
            done = subprocess.run([program, "convert", f"{folder}/{kind}.bin", made], capture_output=True, text=True)
            one, other = load_file(flat), load_file(made) if done.returncode == 0 else {}
            same = one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
            print(f"{'passed' if same else 'FAILED'} convert a pickle of kind {kind} {done.stderr.strip() if not same else ''}")
            failed += not same
    return failed


# --- small files -------------------------------------------------------------------------------------------------


def more(job):
    """What a fixture holds beside a model: shapes and seeds of adapters, an encoder of its own, pictures, the command."""
    case = {"adapters": [{key: one[key] for key in ("seed", "shapes")} for one in job.adapters]}
    tensors = {os.path.basename(path)[:-4]: torch.from_numpy(np.array(PIL.Image.open(path)))
               for one in job.adapters for path in one["pictures"]}
    if job.encoder:
        case["encoder"] = {"files": {"config.json": read_json(f"{job.encoder}/config.json")}, "weights": {"": job.encoder_seed},
                           "tokenizers": {}}
    case["command"] = [word.replace(os.path.dirname(job.folder), "{}") for word in job.command()]
    return case, tensors


def single(job):
    return len(job.adapters) == 1 and len(job.adapters[0]["pictures"]) == 1 and pipeline_fixtures.guided(job)


if __name__ == "__main__":
    pipelines.KINDS_OF_MODELS = dict(pipelines.KINDS)
    pipelines.KINDS = {**{f"ip-{base}": case(base) for base in BASES}, "ip-control": controlled,
                       **{f"ip-{kind}": case("sd1", kind) for kind in PROJECTIONS}}
    pipeline_fixtures.more = more
    pipeline_fixtures.KINDS = ("ip-sd-img2img", "ip-xl")
    pipeline_fixtures.PARTICULAR = {
        "ip-plain": ("ip-plain", single), "ip-plus": ("ip-plus", single), "ip-full": ("ip-full", single),
        "ip-two": ("ip-sd1", lambda job: sum(len(one["pictures"]) for one in job.adapters) == 3 and len(job.adapters) == 2),
        "ip-apart": ("ip-sd1", lambda job: job.encoder is not None and job.request.count == 2)}
    options = pipelines.arguments()
    failed = check_pickles(options.program, options.seed) if options.program and not options.out and not options.only else 0
    try:
        pipelines.main()
    except SystemExit as end:
        sys.exit(1 if failed else end.code)
