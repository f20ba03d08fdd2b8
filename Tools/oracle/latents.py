"""Latent diffusion: what `encode` writes, what training on latents leaves, and tables of places at another size.

With --out: tables of places that torch brought to another size. With --program: drawn autoencoders (KL and VQ of diffusers,
random weights) encode drawn pictures, and the moments are compared with diffusers'; drawn recipes take two steps on the
latents, on-line and encoded, with the same losses; and diffusers opens the run's folder and makes the same pictures.
"""
import argparse
import json
import os
import shutil
import tempfile

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from common import Draw, write

TOLERANCE = 2 / 255


# --- tables of places ----------------------------------------------------------------------------------------------


def places(seed, out, cases=6):
    """`[1, n, width]` or `[n, width]`, its first rows no places, before and after a change of size."""
    for case in range(cases):
        draw = Draw(seed, f"places/{case}")
        leading, width = draw.one(0, 1), 4 * draw.integer(1, 4)
        old, new = draw.integer(2, 7), draw.integer(2, 12)
        rows = draw.normal(leading + old * old, width, dtype=torch.float32)
        square = rows[leading:].reshape(1, old, old, width).permute(0, 3, 1, 2)
        resized = torch.nn.functional.interpolate(square, size=(new, new), mode="bicubic", align_corners=False)
        resized = torch.cat([rows[:leading], resized.permute(0, 2, 3, 1).reshape(new * new, width)])
        if draw.chance(0.5):
            rows, resized = rows[None], resized[None]
        write(out, f"places-{case}", {"table": rows, "resized": resized}, {"leading": leading, "from": old, "to": new})


# --- through the program -------------------------------------------------------------------------------------------


def autoencoder(draw, folder):
    """Writes an autoencoder of diffusers alone in a folder; gives it."""
    import pipeline_models as models
    channels = draw.one(1, 3)
    if draw.chance(0.6):
        network = models.autoencoder(draw, latent=draw.integer(2, 4), levels=2, in_channels=channels, out_channels=channels,
                                     sample_size=16)
    else:
        network = models.quantised_autoencoder(draw, in_channels=channels, out_channels=channels, sample_size=16)
    models.draw_weights(network, draw.integer(0, 2**31))
    network.save_pretrained(folder)
    return network


def pictures(draw, folder, channels, captions):
    """A folder of classes with pictures of 16×16, and their texts where they are wanted."""
    names = ["cat", "dog", "owl"][:draw.integer(2, 3)]
    lines = []
    for name in names:
        os.makedirs(f"{folder}/{name}")
        for index in range(10 * draw.integer(1, 2)):
            size = (16, 16, 3) if channels == 3 else (16, 16)
            values = np.array([draw.integer(0, 255) for _ in range(int(np.prod(size)))], dtype=np.uint8).reshape(size)
            Image.fromarray(values).save(f"{folder}/{name}/{index:03d}.png")
            texts = [f"a {name}", f"one {name} alone"][:draw.integer(1, 2)]
            lines.append({"file_name": f"{name}/{index:03d}.png", "text": texts if len(texts) > 1 else texts[0]})
    if captions:
        with open(f"{folder}/metadata.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    return names


def text_encoder(draw, folder):
    """A text encoder of transformers with a tokenizer in its folder."""
    import pipeline_models as models
    from program import ROOT
    shutil.copytree(f"{ROOT}/Tests/Fixtures/tokenizers/clip-sd1", folder)
    from transformers import CLIPTokenizer
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    network = models.clip(draw, len(tokenizer), eos_token_id=tokenizer.eos_token_id)
    models.draw_weights(network, draw.integer(0, 2**31))
    network.save_pretrained(folder)
    return network


KINDS = {
    "dit": ("dit", "class", {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "patch_size": 2}),
    "unet": ("unet2d", "none", {"block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 4,
                                "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
                                "up_block_types": ["AttnUpBlock2D", "UpBlock2D"], "attention_head_dim": 4}),
    "unet-class": ("unet2d", "class", {"block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 4,
                                       "down_block_types": ["DownBlock2D", "DownBlock2D"],
                                       "up_block_types": ["UpBlock2D", "UpBlock2D"]}),
    "table": ("unet2d-condition", "class", {"block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 4,
                                            "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
                                            "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
                                            "attention_head_dim": 2, "cross_attention_dim": 16}),
    "text": ("unet2d-condition", "text", {"block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 4,
                                          "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
                                          "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"], "attention_head_dim": 2}),
    "mmdit": ("mmdit", "text", {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "patch_size": 2,
                                "pos_embed_max_size": 8}),
}


def recipe(draw, kind, folder, names):
    """A recipe of a kind on the pictures of a folder."""
    word, conditioning, model = KINDS[kind]
    isText = conditioning == "text"
    text = {"text_encoder": draw.one(f"{folder}/text", "trained")} if isText else {}
    process = draw.one(
        {"process": "betas", "schedule": draw.one("squaredcos_cap_v2", "linear"), "train_steps": 100,
         "prediction": draw.one("noise", "v")},
        {"process": "betas", "train_steps": 60, "prediction": "noise"})
    if kind == "mmdit":
        process = {"process": "flow", "prediction": "flow"}
    captions = draw.one("class-names", "file") if isText else "none"
    return {
        "seed": draw.integer(0, 1000),
        "data": {"kind": "folder", "path": f"{folder}/pictures", "size": 16, "flip": draw.chance(0.5), "captions": captions},
        "model": {"kind": word, "conditioning": conditioning, "autoencoder": f"{folder}/autoencoder", **text, **model},
        "diffusion": process,
        "training": {"steps": 3, "batch_size": 4, "warmup_steps": 0, "log_every": 1, "checkpoint_every": 0, "sample_every": 0,
                     "ema_decay": draw.one(0, 0.9), "threads": 1, "learning_rate": 1e-3},
        # The pipelines of classes and of nothing give their scheduler no generator, so steps must not draw; that of classes
        # also steps from what the network saw, which Euler's scheduler has scaled, and so leaves its path.
        "evaluation": {"solver": "flow-euler" if kind == "mmdit" else draw.one(
            "ddim", "dpmpp-2m", *({"text": ["ddpm", "euler"], "dit": []}.get(kind, ["euler"]))), "steps": 4,
                       "guidance": draw.one(1.0, 2.0) if conditioning != "none" else 1.0, "count": len(names)},
    }


def losses(run):
    with open(f"{run}/metrics.jsonl", encoding="utf-8") as file:
        return [json.loads(line)["loss"] for line in file]


def check_moments(network, folder):
    """The moments of the part learnt from against diffusers', mirrored ones too; the largest relative error."""
    with open(f"{folder}/latents/latents.json", encoding="utf-8") as file:
        manifest = json.load(file)
    part = next(part for part in manifest["parts"] if part["name"] == "train")
    data = load_pictures(f"{folder}/pictures", manifest["picture_shape"][0])
    worst, start = 0.0, 0
    for file in part["files"]:
        rows = load_file(f"{folder}/latents/{file['name']}")
        own = data[start:start + file["count"]]
        for prefix, given in [("", own)] + ([("mirrored.", own.flip(3))] if manifest["mirrored"] else []):
            with torch.no_grad():
                encoded = network.encode(given)
            distribution = getattr(encoded, "latent_dist", None)
            pairs = [("mean", distribution.mean if distribution else encoded.latents)]
            if distribution:
                pairs.append(("deviation", distribution.std))
            for name, expected in pairs:
                error = (rows[prefix + name] - expected).abs().max() / expected.abs().max()
                worst = max(worst, float(error))
        start += file["count"]
    assert start == len(data), (start, len(data))
    return worst


def load_pictures(folder, channels):
    """All but every tenth picture of each class, as the program reads a folder."""
    found = []
    for name in sorted(os.listdir(folder)):
        if not os.path.isdir(f"{folder}/{name}"):
            continue
        for place, file in enumerate(sorted(os.listdir(f"{folder}/{name}"))):
            if place % 10 != 9:
                values = np.asarray(Image.open(f"{folder}/{name}/{file}").convert("L" if channels == 1 else "RGB"))
                found.append(torch.tensor(values).reshape(16, 16, channels).permute(2, 0, 1))
    return torch.stack(found).float() / 127.5 - 1


def references(kind, network, run, seed, guidance, names):
    """The picture that diffusers makes of the run's folder, `[height, width, channels]`; `None` where it has no pipeline,
    such as one of a text over a codebook."""
    import diffusers
    folder = f"{run}/model"
    generator = torch.Generator("cpu").manual_seed(seed)
    if kind == "unet":
        pipe = diffusers.LDMPipeline.from_pretrained(folder)
        return pipe(generator=generator, num_inference_steps=4, output_type="np").images[0]
    if kind == "dit":
        pipe = diffusers.DiTPipeline.from_pretrained(folder)
        assert sorted(pipe.labels) == sorted(names), pipe.labels
        return pipe(class_labels=[1], guidance_scale=1, generator=generator, num_inference_steps=4, output_type="np").images[0]
    if kind == "text" and type(network).__name__ == "AutoencoderKL":
        pipe = diffusers.StableDiffusionPipeline.from_pretrained(folder)
        pipe.set_progress_bar_config(disable=True)
        return pipe("a cat", guidance_scale=guidance, generator=generator, num_inference_steps=4, output_type="np").images[0]
    return None


def compare(program, draw, folder, kind):
    """One case; a sentence about it, and whether all of it agrees."""
    network = autoencoder(draw, f"{folder}/autoencoder")
    channels = network.config.in_channels
    names = pictures(draw, f"{folder}/pictures", channels, captions=True)
    text_encoder(draw, f"{folder}/text")
    described = recipe(draw, kind, folder, names)
    with open(f"{folder}/recipe.yaml", "w", encoding="utf-8") as file:
        json.dump(described, file)
    program.run("encode", f"{folder}/recipe.yaml", "-o", f"{folder}/latents", "--threads", 1, "--batch-size", draw.integer(1, 7))
    moments = check_moments(network, folder)
    program.run("train", f"{folder}/recipe.yaml", "--out", f"{folder}/online")
    described["data"] = {"kind": "latents", "path": f"{folder}/latents", "flip": described["data"]["flip"],
                         "captions": "none" if described["data"]["captions"] == "none" else "file"}
    with open(f"{folder}/encoded.yaml", "w", encoding="utf-8") as file:
        json.dump(described, file)
    program.run("train", f"{folder}/encoded.yaml", "--out", f"{folder}/encoded")
    pairs = list(zip(losses(f"{folder}/online"), losses(f"{folder}/encoded")))
    # The optimizer makes more of rounding from step to step.
    loss = max(abs(a - b) / a / (1 if step == 0 else 10) for step, (a, b) in enumerate(pairs))
    seed, guidance = draw.integer(0, 10_000), 1 if kind == "dit" else described["evaluation"]["guidance"]
    command = ["generate", "a cat", "--model", f"{folder}/online"] if "text" in described["model"]["conditioning"] else [
        "sample", f"{folder}/online"] + (["--class", 1] if described["model"]["conditioning"] == "class" else [])
    program.run(*command, "--seed", seed, "--steps", 4, *([] if kind == "unet" else ["--guidance", guidance]),
                "-o", f"{folder}/own.png", "--threads", 1)
    own = np.asarray(Image.open(f"{folder}/own.png")).astype(float) / 255
    expected = references(kind, network, f"{folder}/online", seed, guidance, names)
    picture = 0.0
    if expected is not None:
        own = own.reshape(expected.shape)
        picture = float(np.abs(own - np.round(expected * 255) / 255).max())
    agrees = moments < 2e-5 and loss < 1e-6 and picture <= TOLERANCE + 1e-9
    what = f"moments {moments:.1e}, loss {loss:.1e}, picture " + (
        f"{picture * 255:.0f}/255" if expected is not None else "drawn (no pipeline of diffusers)")
    solver = described["evaluation"]["solver"]
    return f"{kind} ({type(network).__name__}, {solver}): {what}", agrees


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="folder that receives tables of places")
    parser.add_argument("--program", help="path of langevin")
    parser.add_argument("--cases", type=int, default=2, help="of each kind")
    parser.add_argument("--only", choices=sorted(KINDS))
    parser.add_argument("--keep", help="folder that keeps the cases")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.out:
        os.makedirs(options.out, exist_ok=True)
        places(options.seed, options.out)
    if not options.program:
        return
    from program import Program
    program = Program(options.program)
    good = total = 0
    for kind in [options.only] if options.only else KINDS:
        for case in range(options.cases):
            with tempfile.TemporaryDirectory() as temporary:
                folder = f"{options.keep}/{kind}-{case}" if options.keep else f"{temporary}/{kind}-{case}"
                os.makedirs(folder)
                said, agrees = compare(program, Draw(options.seed, f"{kind}/{case}"), folder, kind)
                print("ok  " if agrees else "FAIL", said, flush=True)
                good, total = good + agrees, total + 1
    print(f"{good} of {total}")
    raise SystemExit(good != total)


if __name__ == "__main__":
    main()
