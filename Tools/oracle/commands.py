"""Acceptance through the command line: fresh diffusers folders drawn from a seed, and input that is wrong.

    python commands.py --program .build/release/langevin --seed N [--only SECTION,...]

Each check prints one line; failures say the command, what came and what was expected. Exit code 1 if any failed.
"""
import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time

import diffusers
import numpy
import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel
from PIL import Image
from safetensors.torch import load_file, save_file

import unet
from common import Draw, finite, use_float64_tables
from ddpm import configuration as schedule
from ddpm import step, steps_for

PIPELINES = {"DDPMScheduler": DDPMPipeline, "DDIMScheduler": DDIMPipeline}
SCHEDULERS = {"ddpm": DDPMScheduler, "ddim": DDIMScheduler}


class Report:
    def __init__(self):
        self.passed, self.failures = 0, []

    def check(self, name, good, detail="", command=None):
        if good:
            self.passed += 1
            print(f"ok    {name}  {detail}", flush=True)
            return
        self.failures.append(name)
        print(f"FAIL  {name}\n      {detail}", flush=True)
        if command is not None:
            print("      " + shlex.join(command), flush=True)


class Program:
    def __init__(self, path):
        self.path = os.path.abspath(path)

    def run(self, *words, limit=120, environment=None):
        """(exit code or the word `timeout`, standard output, standard error, seconds, the command)."""
        command = [self.path, *map(str, words)]
        begun = time.perf_counter()
        try:
            done = subprocess.run(command, capture_output=True, timeout=limit, stdin=subprocess.DEVNULL,
                                  env={**os.environ, **(environment or {})})
        except subprocess.TimeoutExpired:
            return "timeout", "", "", limit, command
        return (done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"),
                time.perf_counter() - begun, command)


# --- models ---------------------------------------------------------------------------------------------------


def draw_network(draw, index):
    """A random network for pictures: no classes, output like input, small outputs so that paths stay tame."""
    settings = unet.configuration(draw, index)
    settings.update(num_class_embeds=None, time_embedding_type="positional", out_channels=settings["in_channels"])
    network = unet.randomise(UNet2DModel(**settings), draw)
    with torch.no_grad():
        network.conv_out.weight.mul_(0.5)
    return network


def draw_model(draw, index, folder):
    kind = ("DDPMScheduler", "DDIMScheduler")[index % 2]
    settings = schedule(draw, kind, index // 2)
    network = draw_network(draw, index)
    scheduler = SCHEDULERS[kind[:4].lower()](**settings)
    PIPELINES[kind](network, scheduler).save_pretrained(folder)
    return network, scheduler, settings


def generators(seed, count):
    return [torch.Generator("cpu").manual_seed(seed + i) for i in range(count)]


def normal(shape, sources, kind):
    return torch.cat([torch.randn(1, *shape[1:], generator=source, dtype=kind) for source in sources])


@torch.no_grad()
def reference(network, scheduler, steps, sources, shape, initial=None, wide=False, exact=False, narrow_noise=False,
              **more):
    """diffusers' pipeline loop, with a generator a picture. `exact`: the sinusoid in float64 as well.
    `narrow_noise`: noise is drawn in float32 whatever the arithmetic (the two widths draw different numbers)."""
    kind = torch.float64 if wide else torch.float32
    scheduler = type(scheduler).from_config(scheduler.config)
    if wide:
        use_float64_tables(scheduler)
    scheduler.set_timesteps(steps)
    clone = UNet2DModel.from_config(network.config)
    clone.load_state_dict(network.state_dict())
    clone = clone.to(kind).eval()
    if exact:
        clone.time_proj = unet.Float64Sinusoid(clone.time_proj)

    def draw(*_, **__):
        return normal(shape, sources, torch.float32 if narrow_noise else kind).to(kind)
    x = draw() if initial is None else initial.to(kind)
    for t in scheduler.timesteps:
        if narrow_noise:
            x, _ = step(scheduler, clone(x, t).sample, t, x, draw, more)
        else:
            x = scheduler.step(clone(x, t).sample, t, x, generator=sources, **more).prev_sample
    return x


def shape_of(network, count):
    size = network.config.sample_size
    return (count, network.config.in_channels, *((size, size) if isinstance(size, int) else size))


# --- sampling -------------------------------------------------------------------------------------------------


def sampling_case(program, report, draw, index, room):
    """One random folder and command. False where the reference is undefined or too ill-conditioned to compare."""
    os.makedirs(room, exist_ok=True)
    folder = os.path.join(room, f"model-{index}")
    network, scheduler, settings = draw_model(draw, index, folder)
    own = "ddpm" if isinstance(scheduler, DDPMScheduler) else "ddim"
    solver = draw.one(None, None, own, "ddim" if own == "ddpm" else "ddpm")
    if solver == "ddpm" and own == "ddim" or solver == "ddim" and settings["beta_schedule"] == "sigmoid":
        solver = None
    used = scheduler if solver in (None, own) else SCHEDULERS[solver].from_config(scheduler.config)
    steps = steps_for(draw, {"steps_offset": 0, **settings}, draw.integer(2, 12))
    count, seed = draw.integer(1, 3), draw.integer(0, 2**40)
    shape = shape_of(network, count)
    words = ["sample", folder, "--steps", steps, "--seed", seed]
    more = {}
    if isinstance(used, DDIMScheduler):
        more["eta"] = draw.one(0.0, 1.0, draw.real(0, 1))
        words += ["--eta", more["eta"]]
    if solver:
        words += ["--solver", solver]
    initial = None
    if draw.chance(0.4):
        initial = draw.normal(*shape, dtype=torch.float32)
        save_file({"latents": initial}, os.path.join(room, f"initial-{index}.safetensors"))
        words += ["--initial", os.path.join(room, f"initial-{index}.safetensors")]
    words += ["--count", count]
    wide = draw.chance(0.5)
    words += ["--dtype", "float64" if wide else "float32"] if wide or draw.chance(0.3) else []
    out = os.path.join(room, f"out-{index}.safetensors")
    words += ["-o", out]

    def expected(**how):
        return reference(network, used, steps, generators(seed, count), shape, initial, **how, **more)
    narrow, double = expected(), expected(wide=True)
    cost = float((narrow.double() - expected(wide=True, narrow_noise=True)).abs().max())
    if not finite(narrow, double) or cost > 0.01 * float(narrow.abs().max()):
        return False
    scale = max(1.0, float(double.abs().max()))
    code, _, errors, seconds, command = program.run(*words)
    name = f"sample {index} {own}{'→' + solver if solver else ''} {settings['prediction_type']} " \
           f"{settings['timestep_spacing']} {'float64' if wide else 'float32'}"
    if code != 0:
        report.check(name, False, f"exit code {code}: {errors.strip()[-400:]}", command)
        return True
    got = load_file(out).get("samples")
    if got is None or got.shape != double.shape:
        report.check(name, False, f"samples is {None if got is None else list(got.shape)}, expected {list(shape)}", command)
        return True
    if wide:
        plain, exact = (float((got.double() - value).abs().max()) for value in (double, expected(wide=True, exact=True)))
        error, limit = min(plain, exact), 1e-8 * scale
        which = f"(float32 sinusoid {plain:.1e}, float64 sinusoid {exact:.1e})"
    else:
        # What float32 itself costs on this path is measured; ten times that is allowed.
        error = float((got.double() - narrow.double()).abs().max())
        limit = max(1e-4 * scale, 10 * cost)
        which = ""
    report.check(name, error <= limit, f"error {error:.1e}, allowed {limit:.1e} {which} {seconds:.2f} s", command)
    if error > limit:
        print("      scheduler " + json.dumps(settings), flush=True)
    return True


def sampling(program, report, options, room):
    for index in range(options.cases):
        attempt = 0
        while not sampling_case(program, report, Draw(options.seed, f"commands/{index}/{attempt}"), index,
                                os.path.join(room, str(attempt))):
            attempt += 1


def batches(program, report, options, room):
    """Picture i of a batch is that picture alone; the same command gives the same bits."""
    folder = os.path.join(room, "batches")
    draw_model(Draw(options.seed, "batches"), 0, folder)
    outs = {}
    for name, words in {"three": ["--count", 3, "--seed", 5], "again": ["--count", 3, "--seed", 5],
                        "second": ["--count", 1, "--seed", 6]}.items():
        out = os.path.join(room, name + ".safetensors")
        code, _, errors, _, command = program.run("sample", folder, "--steps", 5, *words, "-o", out)
        if code != 0:
            report.check("batches", False, f"exit code {code}: {errors.strip()[-300:]}", command)
            return
        outs[name] = load_file(out)["samples"]
    report.check("same command, same bits", torch.equal(outs["three"], outs["again"]))
    error = float((outs["three"][1:2] - outs["second"]).abs().max())
    report.check("picture 1 of seed 5 is picture 0 of seed 6", error <= 1e-4, f"error {error:.1e}")


def pictures(program, report, options, room):
    """PNG pixels are round(255 clamp(x/2 + 1/2, 0, 1)) of the raw tensor of the same command."""
    for channels in (1, 3):
        draw = Draw(options.seed, f"pictures/{channels}")
        settings = unet.configuration(draw, 0)
        settings.update(num_class_embeds=None, time_embedding_type="positional", in_channels=channels,
                        out_channels=channels, sample_size=[8, 12])
        folder = os.path.join(room, f"pictures-{channels}")
        DDPMPipeline(unet.randomise(UNet2DModel(**settings), draw), DDPMScheduler(200)).save_pretrained(folder)
        words = ["sample", folder, "--steps", 4, "--seed", draw.integer(0, 999)]
        raw = os.path.join(room, f"raw-{channels}.safetensors")
        pattern = os.path.join(room, f"picture-{channels}-%d.png")
        single = os.path.join(room, f"single-{channels}.png")
        many = os.path.join(room, f"many-{channels}")
        os.makedirs(many, exist_ok=True)
        for count, out in ((2, raw), (2, pattern), (1, single), (2, many)):
            code, _, errors, _, command = program.run(*words, "--count", count, "-o", out)
            report.check(f"picture of {channels} channels to {os.path.basename(out)}", code == 0, errors.strip()[-300:]
                         if code else "", command)
        if not os.path.exists(raw):
            continue
        samples = load_file(raw)["samples"]
        expected = (samples / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        for path, index in ((pattern % 0, 0), (pattern % 1, 1), (single, 0), (os.path.join(many, "00000.png"), 0),
                            (os.path.join(many, "00001.png"), 1)):
            if not os.path.exists(path):
                report.check(f"{os.path.basename(path)} was written", False)
                continue
            picture = Image.open(path)
            found = numpy.asarray(picture.convert("L" if channels == 1 else "RGB")).reshape(8, 12, channels)
            wrong = int((found != expected[index]).sum())
            report.check(f"pixels of {path.rsplit('/', 1)[-1]}, {channels} channels", wrong == 0, f"{wrong} pixels differ")
            text = dict(getattr(picture, "text", {}))
            report.check("text chunks `parameters` and `langevin`", "parameters" in text and "langevin" in text
                         and isinstance(json.loads(text["langevin"]), dict), f"found {sorted(text)}")


# --- inspect and convert --------------------------------------------------------------------------------------


def published():
    """(name, configuration, parameters) of networks whose counts are published."""
    four = ["DownBlock2D"] * 4, ["UpBlock2D"] * 4
    cifar = dict(sample_size=32, block_out_channels=[128, 256, 256, 256], layers_per_block=2, attention_head_dim=None,
                 norm_eps=1e-6, downsample_padding=0, flip_sin_to_cos=False, freq_shift=1,
                 down_block_types=["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
                 up_block_types=["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"])
    large = dict(cifar, sample_size=256, block_out_channels=[128, 128, 256, 256, 512, 512],
                 down_block_types=four[0] + ["AttnDownBlock2D", "DownBlock2D"],
                 up_block_types=["UpBlock2D", "AttnUpBlock2D"] + four[1])
    latent = dict(sample_size=64, block_out_channels=[224, 448, 672, 896], attention_head_dim=32,
                  down_block_types=["DownBlock2D"] + ["AttnDownBlock2D"] * 3,
                  up_block_types=["AttnUpBlock2D"] * 3 + ["UpBlock2D"])
    return ("ddpm-cifar10", cifar, 35_746_307), ("ddpm-256", large, 113_673_219), ("ldm-celebahq", latent, 274_056_163)


def configuration_only(settings, folder):
    """A pipeline folder with configurations and no weights."""
    os.makedirs(os.path.join(folder, "unet"))
    os.makedirs(os.path.join(folder, "scheduler"))
    with open(os.path.join(folder, "model_index.json"), "w") as file:
        json.dump({"_class_name": "DDPMPipeline", "_diffusers_version": "0.42.1",
                   "scheduler": ["diffusers", "DDPMScheduler"], "unet": ["diffusers", "UNet2DModel"]}, file)
    with open(os.path.join(folder, "unet", "config.json"), "w") as file:
        json.dump({"_class_name": "UNet2DModel", "_diffusers_version": "0.42.1", **settings}, file)
    DDPMScheduler().save_pretrained(os.path.join(folder, "scheduler"))


def inspect_one(program, report, name, path, parameters, component=True):
    code, output, errors, seconds, command = program.run("inspect", path, "--json")
    try:
        found = json.loads(output)
    except ValueError:
        report.check(f"inspect {name}", False, f"exit code {code}, no JSON: {(output + errors).strip()[-300:]}", command)
        return
    inner = found.get("components", {}).get("unet", {}).get("parameters") if component else parameters
    report.check(f"inspect {name}", code == 0 and found.get("parameters") == parameters == inner,
                 f"parameters {found.get('parameters')}, unet {inner}, expected {parameters}; {seconds:.2f} s", command)


def inspecting(program, report, options, room):
    for name, settings, parameters in published():
        configuration_only(settings, os.path.join(room, name))
        inspect_one(program, report, name + " (configuration only)", os.path.join(room, name), parameters)
        inspect_one(program, report, name + " (the network's folder)", os.path.join(room, name, "unet"), parameters, False)
    for index in range(3):
        draw = Draw(options.seed, f"inspect/{index}")
        folder = os.path.join(room, f"inspect-{index}")
        network, _, _ = draw_model(draw, index, folder)
        inspect_one(program, report, f"random folder {index}", folder, network.num_parameters())
        settings = unet.configuration(draw, index)
        network = UNet2DModel(**settings)
        configuration_only(settings, os.path.join(room, f"inspect-c{index}"))
        inspect_one(program, report, f"random configuration {index}", os.path.join(room, f"inspect-c{index}"),
                    network.num_parameters())


@torch.no_grad()
def same_forward(report, name, first, folder, draw):
    """diffusers opens `folder` and the network there computes what `first` computes."""
    try:
        second = UNet2DModel.from_pretrained(folder)
    except Exception as problem:
        report.check(name, False, f"diffusers does not load {folder}: {str(problem)[:300]}")
        return
    sample, time_steps, labels = unet.inputs(dict(first.config), draw, 2)
    more = {} if labels is None else {"class_labels": labels}
    error = float((first(sample, time_steps, **more).sample - second(sample, time_steps, **more).sample).abs().max())
    report.check(name, error == 0, f"outputs differ by {error:.1e}")


def converting(program, report, options, room):
    for index in range(2):
        draw = Draw(options.seed, f"convert/{index}")
        folder, out = os.path.join(room, f"convert-{index}"), os.path.join(room, f"converted-{index}")
        network, _, _ = draw_model(draw, index, folder)
        code, _, errors, _, command = program.run("convert", folder, out)
        report.check(f"convert folder {index}", code == 0, errors.strip()[-300:] if code else "", command)
        if code == 0:
            same_forward(report, f"diffusers opens the converted folder {index}", network, os.path.join(out, "unet"), draw)


def trained(program, report, options, room):
    """A short run of `--recipe` leaves a folder `model` that diffusers opens, and `inspect` counts it alike."""
    if options.recipe is None:
        return
    run = os.path.join(room, "run")
    code, _, errors, _, command = program.run("train", os.path.abspath(options.recipe), "--set", "training.steps=2",
                                              "--out", run, limit=300)
    report.check("a run of two steps", code == 0, errors.strip()[-300:] if code else "", command)
    if code != 0:
        return
    folder = os.path.join(run, "model")
    try:
        network = UNet2DModel.from_pretrained(os.path.join(folder, "unet"))
    except Exception as problem:
        report.check("diffusers opens the trained model", False, str(problem)[:300])
        return
    report.check("diffusers opens the trained model", True)
    inspect_one(program, report, "the trained model", folder, network.num_parameters())
    again = program.run("train", os.path.abspath(options.recipe), "--set", "training.steps=2", "--out", run, "--resume")
    report.check("--resume of a complete run ends at once with 0", again[0] == 0 and again[3] < 10,
                 f"exit code {again[0]} after {again[3]:.1f} s: {again[2].strip()[-200:]}", again[4])
    other = program.run("train", os.path.abspath(options.recipe), "--set", "training.steps=2", "--set",
                        "training.batch_size=3", "--out", run, "--resume")
    report.check("--resume that does not fit names what differs", other[0] == 2 and "batch_size" in other[2],
                 f"exit code {other[0]}: {other[2].strip()[-200:]}", other[4])


# --- the whole ------------------------------------------------------------------------------------------------


def main():
    import badinput
    sections = {"sample": sampling, "batch": batches, "picture": pictures, "inspect": inspecting, "convert": converting,
                "bad": badinput.models, "header": badinput.headers, "train": badinput.recipes,
                "trained": trained}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=24, help="number of folders to sample")
    parser.add_argument("--only", help="comma-separated: " + " ".join(sections))
    parser.add_argument("--recipe", help="a recipe that works, for the sections train and trained")
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else list(sections)
    torch.set_num_threads(1)
    diffusers.utils.logging.set_verbosity_error()
    program, report = Program(options.program), Report()
    for name in chosen:
        with tempfile.TemporaryDirectory() as room:
            sections[name](program, report, options, room)
    print(f"{report.passed} passed, {len(report.failures)} failed" + "".join("\n  " + name for name in report.failures))
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
