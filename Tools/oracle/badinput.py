"""Input that is wrong: exit code 2, one sentence on standard error, nothing written, and quickly."""
import argparse
import json
import os
import shutil
import sys

import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel
from safetensors.torch import load_file, save_file

import headers as edge
import unet
from common import Draw

LIMIT = 20     # seconds; a refusal takes far less


def listing(folder):
    """Every path below, with size and time of change."""
    found = {}
    for path, folders, files in os.walk(folder):
        for name in folders + files:
            status = os.lstat(os.path.join(path, name))
            found[os.path.join(path, name)] = (status.st_size, status.st_mtime_ns if name in files else 0)
    return found


def refused(program, report, name, words, room, mentions=(), environment=None):
    """The command is refused as INTERFACE.md says, and nothing in `room` changes."""
    before = listing(room)
    code, _, errors, seconds, command = program.run(*words, limit=LIMIT, environment=environment)
    wrong = []
    if code != 2:
        wrong.append(f"exit code {code}, expected 2")
    lines = [line for line in errors.splitlines() if line.strip()]
    if len(lines) != 1:
        wrong.append(f"{len(lines)} lines on standard error, expected one sentence")
    changed = sorted(path for path, value in listing(room).items() if before.get(path) != value)
    if changed:
        wrong.append(f"written: {changed[:3]}")
    wrong += [f"does not mention {word}" for word in mentions if word.lower() not in errors.lower()]
    if "Fatal error" in errors or "terminate called" in errors:
        wrong.append("the program trapped")
    detail = f"{'; '.join(wrong)}\n      said: {errors.strip()[:400]}" if wrong else f"{errors.strip()[:160]} ({seconds:.2f} s)"
    report.check(f"bad: {name}", not wrong, detail, command)


def plain_model(folder, draw, scheduler=None):
    settings = dict(sample_size=8, in_channels=1, out_channels=1, block_out_channels=[8, 8], layers_per_block=1,
                    down_block_types=["DownBlock2D"] * 2, up_block_types=["UpBlock2D"] * 2, norm_num_groups=2)
    network = unet.randomise(UNet2DModel(**settings), draw)
    scheduler = scheduler or DDPMScheduler(50)
    kind = DDIMPipeline if isinstance(scheduler, DDIMScheduler) else DDPMPipeline
    kind(network, scheduler).save_pretrained(folder)
    return folder


def edited(base, room, name, path, change):
    """A copy of the folder `base` in which `change` edited the JSON at `path` (or returned new bytes)."""
    folder = os.path.join(room, name)
    shutil.copytree(base, folder)
    target = os.path.join(folder, path)
    with open(target) as file:
        value = json.load(file)
    result = change(value)
    with open(target, "wb") as file:
        file.write(result if isinstance(result, bytes) else json.dumps(value).encode())
    return folder


def options_of_sample(base, room, out):
    """(name, words, words the message should mention) around `sample BASE`."""
    head = ["sample", base, "-o", out]
    for option, values in {
            "--steps": ["0", "-1", "51", "abc", "1e3", "1.5", "", "99999999999999999999"],
            "--eta": ["-0.1", "nan", "inf", "x", ""], "--count": ["0", "-1", "x", "1.5", "99999999999999999999"],
            "--seed": ["x", "1.5", "18446744073709551616", ""], "--solver": ["nonsense", "DDIM ", ""],
            "--dtype": ["int8", "float31", ""], "--device": ["tpu", ""], "--grid": ["nonsense"]}.items():
        for value in values:
            yield f"{option} '{value}'", head + ["--steps", "2", option, value] if option != "--steps" \
                else head + [option, value], [option]
    yield "--count 1000000000000", head + ["--steps", "2", "--count", "1000000000000"], []
    yield "unknown option", head + ["--stepz", "2"], ["--stepz"]
    yield "option without its value", head + ["--steps"], ["--steps"]
    yield "no -o", ["sample", base, "--steps", "2"], ["-o"]
    yield "no model", ["sample", "-o", out], []
    yield "two models", ["sample", base, base, "-o", out], []
    yield "unknown command", ["samples", base, "-o", out], ["samples"]
    yield "--class on a model without classes", head + ["--steps", "2", "--class", "3"], ["class"]
    yield "missing folder", ["sample", os.path.join(room, "absent"), "-o", out], ["absent"]
    yield "output with an unknown ending", ["sample", base, "--steps", "2", "-o", out.replace(".safetensors", ".xyz")], []
    yield "output in a missing folder", ["sample", base, "--steps", "2", "-o", os.path.join(room, "no", "x.safetensors")], []
    yield "output below a file", ["sample", base, "--steps", "2", "-o", os.path.join(base, "model_index.json", "x.png")], []
    yield "output under /proc", ["sample", base, "--steps", "2", "-o", "/proc/x.safetensors"], []
    starts = {"wrong name": {"x": torch.zeros(1, 1, 8, 8)}, "wrong channels": {"latents": torch.zeros(1, 2, 8, 8)},
              "rank": {"latents": torch.zeros(8, 8)}, "integers": {"latents": torch.zeros(1, 1, 8, 8, dtype=torch.int64)},
              "no pictures": {"latents": torch.zeros(0, 1, 8, 8)}, "odd size": {"latents": torch.zeros(1, 1, 7, 8)},
              "not a number": {"latents": torch.full((1, 1, 8, 8), float("nan"))}}
    for name, tensors in starts.items():
        path = os.path.join(room, f"initial {name}.safetensors")
        save_file(tensors, path)
        yield f"--initial, {name}", head + ["--steps", "2", "--initial", path], []
    path = os.path.join(room, "initial two.safetensors")
    save_file({"latents": torch.zeros(2, 1, 8, 8)}, path)
    yield "--initial of two with --count 3", head + ["--steps", "2", "--initial", path, "--count", "3"], []
    yield "--initial missing", head + ["--steps", "2", "--initial", os.path.join(room, "absent.safetensors")], ["absent"]
    yield "--initial not safetensors", head + ["--steps", "2", "--initial", os.path.join(base, "model_index.json")], []


CONFIGURATIONS = {
    "model_index.json": [("_class_name", "NoPipeline"), ("_class_name", "../x"), ("_class_name", 3),
                         ("unet", ["diffusers", "NoModel"]), ("unet", "x"), ("scheduler", ["diffusers", "NoScheduler"])],
    "unet/config.json": [
        ("block_out_channels", []), ("block_out_channels", [8]), ("block_out_channels", [8, 10**9]),
        ("block_out_channels", [8, -8]), ("block_out_channels", [8, 0]), ("block_out_channels", "8"),
        ("block_out_channels", [8, 9]), ("block_out_channels", [8, 1.5]), ("norm_num_groups", 3), ("norm_num_groups", 0),
        ("norm_num_groups", -2), ("layers_per_block", 0), ("layers_per_block", -1), ("layers_per_block", 10**12),
        ("down_block_types", ["DownBlock2D", "NoBlock"]), ("down_block_types", ["DownBlock2D"]),
        ("up_block_types", ["UpBlock2D"]), ("act_fn", "nonsense"), ("in_channels", 0), ("in_channels", -1),
        ("in_channels", "3"), ("in_channels", None), ("out_channels", 10**15), ("sample_size", 0), ("sample_size", -8),
        ("sample_size", 10**6), ("sample_size", [8]), ("sample_size", 7), ("sample_size", "8"),
        ("time_embedding_type", "nonsense"), ("resnet_time_scale_shift", "nonsense"), ("downsample_padding", 7),
        ("attention_head_dim", 0), ("attention_head_dim", -8), ("norm_eps", "x"), ("mid_block_type", "NoBlock"),
        ("_class_name", "NoModel"), ("num_class_embeds", 0), ("num_class_embeds", 10**18)],
    "scheduler/scheduler_config.json": [
        ("_class_name", "NoScheduler"), ("num_train_timesteps", 0), ("num_train_timesteps", -1),
        ("num_train_timesteps", 10**12), ("num_train_timesteps", "50"), ("num_train_timesteps", 50.5),
        ("beta_start", "nan"), ("beta_start", -0.1), ("beta_start", 1.5), ("beta_end", 1.5), ("beta_end", None),
        ("beta_schedule", "nonsense"), ("prediction_type", "nonsense"), ("timestep_spacing", "nonsense"),
        ("variance_type", "nonsense"), ("variance_type", "fixed_large_log"), ("variance_type", "learned"),
        ("variance_type", "learned_range"), ("trained_betas", []), ("trained_betas", [0.1] * 7),
        ("trained_betas", ["x"] * 50), ("trained_betas", [2.0] * 50), ("steps_offset", 49), ("steps_offset", -5),
        ("clip_sample", "yes"), ("clip_sample_range", -1), ("dynamic_thresholding_ratio", 1.5)]}


def damaged_folders(base, room):
    """(name, folder) of copies of a good folder in which one thing is wrong."""
    number = 0
    for path, changes in CONFIGURATIONS.items():
        for key, value in changes:
            number += 1
            shown = json.dumps(value)
            more = {"thresholding": True} if key == "dynamic_thresholding_ratio" else {}
            yield f"{path} {key} = {shown[:40]}", edited(
                base, room, f"edit-{number}", path, lambda found: found.update({key: value, **more}))
    for path in CONFIGURATIONS:
        for name, content in {"empty": b"", "cut": b'{"a": ', "a list": b"[]", "not UTF-8": b'{"a": "\xff"}',
                              "deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
                              "1e400": b'{"_class_name": "x", "beta_end": 1e400}'}.items():
            number += 1
            yield f"{path} is {name}", edited(base, room, f"edit-{number}", path, lambda _: content)
        number += 1
        folder = os.path.join(room, f"edit-{number}")
        shutil.copytree(base, folder)
        os.remove(os.path.join(folder, path))
        yield f"{path} is missing", folder
    weights = "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(os.path.join(base, weights))
    name = "conv_in.weight"
    for title, changed in {
            "missing tensor": {k: v for k, v in tensors.items() if k != name},
            "extra tensor": {**tensors, "extra.weight": torch.zeros(2)},
            "wrongly shaped tensor": {**tensors, name: torch.zeros(8, 1, 3, 4)},
            "transposed tensor": {**tensors, name: torch.zeros(1, 8, 3, 3)},
            "integer tensor": {**tensors, name: torch.zeros(8, 1, 3, 3, dtype=torch.int32)}}.items():
        number += 1
        folder = os.path.join(room, f"edit-{number}")
        shutil.copytree(base, folder)
        save_file(changed, os.path.join(folder, weights))
        yield title, folder
    for title, action in {"no weights": os.remove, "empty weights": lambda path: open(path, "w").close(),
                          "cut weights": lambda path: os.truncate(path, os.path.getsize(path) // 2),
                          "weights are a folder": lambda path: (os.remove(path), os.mkdir(path)),
                          "weights are a pipe": lambda path: (os.remove(path), os.mkfifo(path))}.items():
        number += 1
        folder = os.path.join(room, f"edit-{number}")
        shutil.copytree(base, folder)
        action(os.path.join(folder, weights))
        yield title, folder


def models(program, report, options, room):
    """Options and model folders."""
    base = plain_model(os.path.join(room, "base"), Draw(options.seed, "bad"))
    out = os.path.join(room, "out.safetensors")
    good = program.run("sample", base, "--steps", "2", "-o", out)
    report.check("the model that the bad ones are made from works", good[0] == 0, good[2].strip()[-300:], good[4])
    if os.path.exists(out):
        os.remove(out)
    for name, words, mentions in list(options_of_sample(base, room, out)):
        refused(program, report, name, words, room, mentions)
    for name, folder in damaged_folders(base, room):
        refused(program, report, name, ["sample", folder, "--steps", "2", "-o", out], room)
    # With clip_sample the infinite data are cut off at the range, which is a picture.
    zero = DDPMScheduler(50, rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False)
    folder = plain_model(os.path.join(room, "zero"), Draw(options.seed, "bad"), zero)
    refused(program, report, "noise prediction where alpha is zero", ["sample", folder, "--steps", "2", "-o", out], room)
    if os.path.exists("/dev/full"):
        code, _, errors, _, command = program.run("sample", base, "--steps", "2", "-o", "/dev/full")
        report.check("output to /dev/full", code in (1, 2), f"exit code {code}: {errors.strip()[:200]}", command)


def headers(program, report, options, room):
    """Files at the edge of the safetensors format, through `inspect FILE` and as weights of a folder."""
    path = os.path.join(room, "edge.safetensors")
    for name, content in edge.rejected():
        with open(path, "wb") as file:
            file.write(content)
        refused(program, report, "inspect " + name, ["inspect", path], room)
    for name, content, count in edge.accepted():
        with open(path, "wb") as file:
            file.write(content)
        code, _, errors, _, command = program.run("inspect", path, "--json", limit=LIMIT)
        report.check(f"inspect accepts {name}", code == 0, f"exit code {code}: {errors.strip()[:200]}", command)
    os.remove(path)
    for name, make in {"a folder": os.mkdir, "a pipe": os.mkfifo}.items():
        make(path)
        refused(program, report, f"inspect {name}", ["inspect", path], room)
        os.rmdir(path) if os.path.isdir(path) else os.remove(path)
    for special in ("/dev/zero", "/dev/null"):
        refused(program, report, f"inspect {special}", ["inspect", special], room)


def recipes(program, report, options, room):
    """Recipes and their overrides."""
    out = os.path.join(room, "run")
    for name, content in {"missing": None, "not YAML": b"a: [1\n", "a list": b"- 1\n", "not UTF-8": b"\xff\xfe\x00",
                          "a tab": b"seed:\n\t- 1\n", "an unknown section": b"trainning:\n  steps: 1\n"}.items():
        path = os.path.join(room, "recipe.yaml")
        if os.path.exists(path):
            os.remove(path)
        if content is not None:
            with open(path, "wb") as file:
                file.write(content)
        refused(program, report, f"recipe {name}", ["train", path, "--out", out], room)
    empty_recipe(program, report, room)
    if options.recipe is None:
        return
    recipe = os.path.abspath(options.recipe)
    overrides = ["training.stepz=1", "trainning.steps=1", "nonsense=1", "training.steps", "=1", "training.steps=",
                 "training.steps=-1", "training.steps=0", "training.steps=x", "training.steps=1.5",
                 "training.steps=99999999999999999999", "training.batch_size=0", "training.batch_size=-4",
                 "training.batch_size=1000000000000", "training.learning_rate=x", "training.learning_rate=-1",
                 "training.learning_rate=nan", "training.learning_rate=inf", "training.checkpoint_every=-1",
                 "training.keep_checkpoints=-1", "training.ema_decay=1.5", "training.ema_decay=-1",
                 "training.ema_decay=nan", "training.precision=float31", "training.gradient_accumulation=0",
                 "data.kind=nonsense", "data.path=/absent/file", "seed=x", "seed=-1.5", "model=3", "diffusion=x"]
    for override in overrides:
        words = ["train", recipe, "--set", override, "--out", out]
        mentions = [override.split("=")[0]] if override.split("=")[0] else []
        refused(program, report, f"--set {override}", words, room, mentions)
    refused(program, report, "--out is a file", ["train", recipe, "--out", recipe], room)
    refused(program, report, "--out under /proc", ["train", recipe, "--out", "/proc/run"], room)


def empty_recipe(program, report, room):
    """Every key has a default, so a recipe without any trains on the digits that come with the program, where they are."""
    path, small = os.path.join(room, "recipe.yaml"), [
        "training.steps=1", "training.batch_size=2", "model.block_out_channels=[8, 8]", "model.norm_num_groups=2",
        "model.down_block_types=[DownBlock2D, DownBlock2D]", "model.up_block_types=[UpBlock2D, UpBlock2D]",
        "evaluation.steps=1", "evaluation.count=1"]
    with open(path, "wb"):
        pass
    words = [word for change in small for word in ("--set", change)]
    code, _, errors, _, command = program.run("train", path, *words, "--out", os.path.join(room, "empty"), limit=LIMIT)
    good = code == 0 and "trained 1 steps" in errors or code == 2 and "digits" in errors
    report.check("a recipe without a key", good, f"exit code {code}: {errors.strip()[-200:]}", command)


def main():
    import badinput_campaign
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--seed", type=int, default=0, help="every case is drawn from it")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", default="", help="only the kinds with this in their names")
    parser.add_argument("--seconds", type=float, default=2,
                        help="processor time beyond --version at which a refusal fails; the promise is 1")
    parser.add_argument("--mebibytes", type=float, default=256, help="the same of memory; the promise is 64")
    parser.add_argument("--plain", action="store_true", help="start the program anew for each case")
    parser.add_argument("--keep", help="a folder that receives the smallest case of each way of failing")
    parser.add_argument("--tally", help="a file that adds up the counts of several calls")
    parser.add_argument("--self-test", action="store_true",
                        help="plant faults that must be seen, and compare forked with plain starts")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    sys.exit(0 if (badinput_campaign.self_test if options.self_test else badinput_campaign.run)(options) else 1)


if __name__ == "__main__":
    main()
