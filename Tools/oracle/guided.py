"""Guidance, churn, Langevin steps, inversion and interpolation through the program, beside formulas written anew.

    guided.py --program .build/release/langevin --seed 3 [--cases 4] [--only KIND]

Each case is drawn from the seed: an exact model, or a small random U-Net with classes, under a method of guidance or an
option of sampling. What the program samples is compared with the papers' formulas in PyTorch. Exit code 1 where a case fails.
"""
import argparse
import json
import math
import os
import shlex
import subprocess
import sys
import tempfile

import torch
from diffusers import DDIMInverseScheduler, DDIMPipeline, DDIMScheduler, StableDiffusionPipeline, UNet2DModel
from safetensors.torch import load_file, save_file

import pipeline_models
import pipeline_stable
import unet
from common import Draw, use_float64_tables
from mixture import Mixture, Noise, drawn_mixture
from pipeline_cases import Place

WORDS = {"epsilon": "noise", "sample": "data", "v_prediction": "v"}
PAIRED = ("cfg", "cfg++", "interval")
ALL = (*PAIRED, "classifier", "autoguidance")


# --- levels ---------------------------------------------------------------------------------------------------


def draw_table(draw):
    """Settings of a DDIM scheduler, as its folder has them."""
    return dict(
        _class_name="DDIMScheduler", num_train_timesteps=draw.integer(50, 300), beta_start=draw.real(1e-4, 2e-3),
        beta_end=draw.real(0.02, 0.05), beta_schedule=draw.one("linear", "scaled_linear"), clip_sample=False,
        set_alpha_to_one=draw.chance(0.5), steps_offset=draw.integer(0, 1),
        timestep_spacing=draw.one("leading", "trailing"), prediction_type=draw.one("epsilon", "v_prediction"))


def opened(settings, kind=DDIMScheduler):
    known = {key: value for key, value in settings.items() if not key.startswith("_")}
    return use_float64_tables(kind(**known))


def table_steps(settings, count):
    """(time, alpha, sigma) and the (alpha, sigma) that follows, for every step of DDIM."""
    scheduler = opened(settings)
    scheduler.set_timesteps(count)
    stride = scheduler.config.num_train_timesteps // count
    steps = []
    for time in scheduler.timesteps.tolist():
        before = time - stride
        bars = scheduler.alphas_cumprod[time], scheduler.alphas_cumprod[before] if before >= 0 else scheduler.final_alpha_cumprod
        alpha, sigma, after, left = (float(value) for bar in bars for value in (bar.sqrt(), (1 - bar).sqrt()))
        steps.append(((time, alpha, sigma), (after, left)))
    return steps


def exploding_sigmas(count, low, high, rho=7.0):
    """Karras et al. 2022, equation 5, and the data."""
    share = torch.arange(count, dtype=torch.float64) / max(1, count - 1)
    return [*((high ** (1 / rho) + share * (low ** (1 / rho) - high ** (1 / rho))) ** rho).tolist(), 0.0]


# --- guidance -------------------------------------------------------------------------------------------------


class Guided:
    """An estimate (data, noise) of branches, each a function of (x, time, alpha, sigma)."""

    def __init__(self, method, scale, branches, interval=None, rescale=0.0, prediction="epsilon", weight=1.0):
        self.method, self.scale, self.branches, self.weight = method, scale, branches, weight
        self.interval, self.rescale, self.prediction = interval, rescale, prediction

    def output(self, data, noise, alpha, sigma):
        return {"epsilon": noise, "sample": data, "v_prediction": alpha * noise - sigma * data}[self.prediction]

    def estimate(self, x, output, alpha, sigma):
        if self.prediction == "epsilon":
            return (x - sigma * output) / alpha, output
        if self.prediction == "sample":
            return output, (x - alpha * output) / sigma
        square = alpha**2 + sigma**2
        return (alpha * x - sigma * output) / square, (sigma * x + alpha * output) / square

    def __call__(self, x, time, alpha, sigma, inverse=False):
        conditional = lambda: self.branches["conditional"](x, time, alpha, sigma)
        if self.method == "classifier":
            leaf = x.detach().clone().requires_grad_(True)
            with torch.enable_grad():
                total = self.branches["classifier"](leaf, time, alpha, sigma).sum()
                gradient = torch.autograd.grad(total, leaf)[0]
            data, noise = self.branches["unconditional"](x, time, alpha, sigma)
            return data + self.scale * sigma**2 / alpha * gradient, noise - self.scale * sigma * gradient
        if self.interval is not None and not self.interval[0] < sigma / alpha <= self.interval[1]:
            return conditional()
        worse = "guide" if self.method == "autoguidance" else "unconditional"
        good, bad = conditional(), self.branches[worse](x, time, alpha, sigma)
        mixed = [low + self.scale * (high - low) for high, low in zip(good, bad)]
        if self.method == "cfg++":
            return (bad[0], mixed[1]) if inverse else (mixed[0], bad[1])
        if self.method == "perp-neg":
            mixed = []
            for high, low, other in zip(good, bad, self.branches["negative"](x, time, alpha, sigma)):
                wanted, unwanted = (high - low).flatten(1), (other - low).flatten(1)
                along = (wanted * unwanted).sum(1, keepdim=True) / (wanted * wanted).sum(1, keepdim=True)
                mixed.append(low + self.scale * (wanted - self.weight * (unwanted - along * wanted)).reshape(low.shape))
        if self.rescale:
            spread = lambda pair: self.output(*pair, alpha, sigma).flatten(1).std(1).reshape(-1, *[1] * (x.ndim - 1))
            own = self.output(*mixed, alpha, sigma)
            factor = self.rescale * spread(good) / spread(mixed) + 1 - self.rescale
            return self.estimate(x, own * factor, alpha, sigma)
        return tuple(mixed)


def ddim(guided, x, steps):
    for (time, alpha, sigma), (after, left) in steps:
        data, noise = guided(x, time, alpha, sigma)
        x = after * data + left * noise
    return x


def spherical(a, b, weight):
    """Shoemake 1985, for every example."""
    flat, other = a.flatten(1), b.flatten(1)
    cosine = (flat * other).sum(1) / flat.norm(dim=1) / other.norm(dim=1)
    angle = cosine.acos().reshape(-1, *[1] * (a.ndim - 1))
    return (((1 - weight) * angle).sin() * a + (weight * angle).sin() * b) / angle.sin()


# --- the program ----------------------------------------------------------------------------------------------


class Program:
    def __init__(self, path):
        self.path, self.passed, self.failures = os.path.abspath(path), 0, 0

    def sampled(self, words, key="samples"):
        """The tensor, or the message of a run that failed; and the command."""
        out = words[words.index("-o") + 1]
        command = [self.path, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            return f"exit code {done.returncode}: {done.stderr.strip()[-300:]}", command
        found = load_file(out)
        return found.get(key, f"{out} has {list(found)}, not {key}"), command

    def compare(self, name, words, expected, limit=1e-9, key="samples"):
        found, command = self.sampled(words, key)
        allowed = limit * max(1.0, float(expected.abs().max()))
        if isinstance(found, str):
            detail = found
        elif found.shape != expected.shape:
            detail = f"the shape is {list(found.shape)}, expected {list(expected.shape)}"
        else:
            error = float((found.double() - expected).abs().max())
            if error <= allowed:
                self.passed += 1
                print(f"ok    {name}  off by {error:.1e}", flush=True)
                return
            detail = f"off by {error:.1e}, allowed {allowed:.1e}"
        self.failures += 1
        print(f"FAIL  {name}\n      {detail}\n      {shlex.join(command)}", flush=True)


# --- exact models ---------------------------------------------------------------------------------------------


def write_mixture(mixture, schedule, prediction, path):
    with open(path, "w") as file:
        json.dump({"kind": "gaussian-mixture", **mixture.parameters, "schedule": schedule,
                   "prediction": WORDS.get(prediction, prediction)}, file)
    return "analytic:" + path


def part(mixture, index):
    return Mixture([1.0], mixture.means[index:index + 1].tolist(), mixture.covariances[index:index + 1].tolist())


def posterior(mixture, index):
    """ln p(part | x) of a mixture, differentiable."""
    def function(x, _, alpha, sigma):
        offset = x[:, None, :] - alpha * mixture.means
        total = alpha**2 * mixture.covariances + sigma**2 * torch.eye(mixture.dimension, dtype=torch.float64)
        solved = torch.linalg.solve(total[None], offset[..., None])[..., 0]
        joint = mixture.weights.log() - 0.5 * ((offset * solved).sum(-1) + torch.logdet(total))
        return torch.log_softmax(joint, 1)[:, index]
    return function


def several(draw, dimension):
    """A mixture of at least two parts."""
    while True:
        mixture = drawn_mixture(draw, dimension)
        if len(mixture.means) > 1:
            return mixture


def estimating(mixture):
    return lambda x, _, alpha, sigma: mixture.estimate(x, alpha, sigma)


class Exact:
    """An exact model under a schedule, with the branches that guidance may need."""

    def __init__(self, draw, room, schedule, prediction):
        dimension = draw.integer(2, 4)
        self.mixture, self.guide, self.judge = (several(draw, dimension) for _ in range(3))
        self.label = draw.integer(0, min(len(one.means) for one in (self.mixture, self.guide, self.judge)) - 1)
        names = ("model", "guide", "judge")
        self.path, self.guide_path, self.judge_path = (
            write_mixture(one, schedule, prediction, os.path.join(room, name + ".json"))
            for one, name in zip((self.mixture, self.guide, self.judge), names))
        self.branches = dict(
            conditional=estimating(part(self.mixture, self.label)), unconditional=estimating(self.mixture),
            guide=estimating(part(self.guide, self.label)), classifier=posterior(self.judge, self.label))

    @property
    def dimension(self):
        return self.mixture.dimension


def draw_guidance(draw, method, branches, prediction, guide, judge, steps):
    """A `Guided` and the words that ask for it."""
    scale = draw.one(0.0, 0.5, 1.0, draw.real(1, 6)) if method in ("cfg", "cfg++") else draw.real(1.1, 6)
    interval, rescale, weight = None, 0.0, 1.0
    words = ["--guidance-method", method, "--guidance", scale]
    if method == "interval" or method == "autoguidance" and draw.chance(0.4):
        ratios = sorted(sigma / alpha for (_, alpha, sigma), _ in steps)
        low, high = sorted(draw.choices.sample(range(len(ratios)), 2)) if len(ratios) > 1 else (0, 0)
        interval = (round(ratios[low] * 0.99, 6), round(ratios[high] * 1.01, 6))
        words += ["--guidance-interval", f"{interval[0]}:{interval[1]}"]
    if method in ("cfg", "interval", "autoguidance") and scale != 1 and draw.chance(0.4):
        rescale = draw.real(0.1, 1)
        words += ["--guidance-rescale", rescale]
    if method == "perp-neg" and draw.chance(0.6):
        weight = draw.one(0.0, draw.real(0, 3))
        words += ["--negative-weight", weight]
    if method == "autoguidance":
        words += ["--guide", guide]
    if method == "classifier":
        words += ["--classifier", judge]
    return Guided(method, scale, branches, interval, rescale, prediction, weight), words


def exact_guidance(program, draw, room, method):
    settings = draw_table(draw)
    count, seed, steps = draw.integer(1, 4), draw.integer(0, 2**40), draw.integer(3, 12)
    model = Exact(draw, room, settings, settings["prediction_type"])
    levels = table_steps(settings, steps)
    guided, words = draw_guidance(
        draw, method, model.branches, settings["prediction_type"], model.guide_path, model.judge_path, levels)
    x = ddim(guided, Noise(seed, count).draw((count, model.dimension)), levels)
    program.compare(
        f"exact {method} {guided.scale}",
        ["sample", model.path, "--class", model.label, "--steps", steps, "--seed", seed, "--count", count,
         "--dtype", "float64", *words, "-o", os.path.join(room, "out.safetensors")], x)


# --- networks -------------------------------------------------------------------------------------------------


def draw_network(draw, classes, outputs=None, like=None):
    settings = unet.configuration(draw, 1)
    settings.update(num_class_embeds=classes, time_embedding_type="positional", add_attention=True)
    if like is not None:
        settings.update({key: like.config[key] for key in ("in_channels", "sample_size")})
        levels = len(settings["block_out_channels"])
        sizes = settings["sample_size"]
        if any(size % 2 ** (levels - 1) for size in ([sizes] if isinstance(sizes, int) else sizes)):
            return draw_network(draw, classes, outputs, like)
    settings["out_channels"] = outputs or settings["in_channels"]
    network = unet.randomise(UNet2DModel(**settings), draw)
    with torch.no_grad():
        network.conv_out.weight.mul_(0.5)
    return network


def wide(network):
    clone = UNet2DModel.from_config(network.config)
    clone.load_state_dict(network.state_dict())
    clone = clone.double().eval()
    clone.time_proj = unet.Float64Sinusoid(clone.time_proj)
    return clone


def save_model(network, settings, folder, null=None):
    known = {key: value for key, value in settings.items() if not key.startswith("_")}
    DDIMPipeline(network, DDIMScheduler(**known)).save_pretrained(folder)
    card = {} if null is None else {"null_class": null, "class_names": [str(index) for index in range(null)]}
    with open(os.path.join(folder, "langevin.json"), "w") as file:
        json.dump(card, file)
    return folder


def network_branch(network, label, guided):
    def function(x, time, alpha, sigma):
        labels = torch.full((len(x),), label)
        with torch.no_grad():
            output = network(x, time, class_labels=labels).sample
        return guided.estimate(x, output, alpha, sigma)
    return function


def judging(network, label):
    """ln p(label | x) of logits that are averaged over places."""
    return lambda x, time, alpha, sigma: torch.log_softmax(network(x, time).sample.mean((2, 3)), 1)[:, label]


def network_guidance(program, draw, room, method):
    settings = draw_table(draw)
    count, seed, steps = draw.integer(1, 3), draw.integer(0, 2**40), draw.integer(3, 8)
    null = draw.integer(2, 5)
    network = draw_network(draw, null + 1)
    guide, judge = draw_network(draw, null + 1, like=network), draw_network(draw, None, null, like=network)
    label = draw.integer(0, null - 1)
    path, guide_path, judge_path = (os.path.join(room, name) for name in ("model", "guide", "judge"))
    save_model(network, settings, path, null)
    save_model(guide, settings, guide_path, null)
    save_model(judge, settings, judge_path)
    levels = table_steps(settings, steps)
    guided, words = draw_guidance(draw, method, {}, settings["prediction_type"], guide_path, judge_path, levels)
    network, guide, judge = wide(network), wide(guide), wide(judge)
    guided.branches.update(
        conditional=network_branch(network, label, guided), unconditional=network_branch(network, null, guided),
        guide=network_branch(guide, label, guided), classifier=judging(judge, label))
    size = network.config.sample_size
    shape = (count, network.config.in_channels, *((size, size) if isinstance(size, int) else size))
    x = ddim(guided, Noise(seed, count).draw(shape), levels)
    if not torch.isfinite(x).all() or float(x.abs().max()) > 1e4:
        return False
    # The program's sinusoid of time is float32, which costs about 1e-5 of an angle.
    program.compare(
        f"network {method} {guided.scale}",
        ["sample", path, "--class", label, "--steps", steps, "--seed", seed, "--count", count, "--dtype", "float64",
         *words, "-o", os.path.join(room, "out.safetensors")], x, limit=2e-5)
    return True


def latent_guidance(program, draw, room, method):
    """Stable Diffusion with random weights: prompts, and a branch of its own for the negative one under perp-neg."""
    settings = {**draw_table(draw), "num_train_timesteps": 1000, "steps_offset": 1, "timestep_spacing": "leading",
                "set_alpha_to_one": False, "prediction_type": "epsilon"}
    flags = {key: value for key, value in settings.items() if not key.startswith("_")}
    vocabularies = pipeline_models.Vocabularies(os.path.join(os.path.dirname(__file__), "../../Tests/Fixtures/tokenizers"))
    made = pipeline_stable.stable(Place(draw, vocabularies, room), scheduling=("DDIMScheduler", flags))
    pipe = StableDiffusionPipeline.from_pretrained(made.path, safety_checker=None).to(torch.float64)
    guide_path = os.path.join(room, "guide")
    worse = StableDiffusionPipeline.from_pretrained(made.path, safety_checker=None)
    pipeline_models.draw_weights(worse.unet, draw.integer(0, 2**30))
    worse.save_pretrained(guide_path)
    worse = worse.to(torch.float64)
    count, seed, steps = draw.integer(1, 2), draw.integer(0, 2**40), draw.integer(2, 5)
    levels = table_steps(settings, steps)
    guided, words = draw_guidance(draw, method, {}, "epsilon", guide_path, None, levels)
    negative = draw.one("a dog", "rain, blue") if method == "perp-neg" or method != "autoguidance" and draw.chance(0.5) else None

    def branch(text, opened=pipe):
        with torch.no_grad():
            states = opened.encode_prompt(text, "cpu", 1, False)[0].double()

        def function(x, time, alpha, sigma):
            with torch.no_grad():
                output = opened.unet(x, time, encoder_hidden_states=states.expand(len(x), -1, -1)).sample
            return guided.estimate(x, output, alpha, sigma)
        return function
    unconditional = "" if method == "perp-neg" else negative or ""
    guided.branches.update(conditional=branch("a cat"), unconditional=branch(unconditional),
                           negative=branch(negative or ""), guide=branch("a cat", worse))
    shape = (count, 4, made.height // made.factor, made.width // made.factor)
    x = ddim(guided, Noise(seed, count).draw(shape), levels)
    if not torch.isfinite(x).all() or float(x.abs().max()) > 1e4:
        return False
    if negative is not None and (guided.scale != 1 or method in ("cfg++", "perp-neg")):
        words += ["--negative-prompt", negative]
    program.compare(
        f"latents {method} {guided.scale}",
        ["generate", "a cat", "--model", made.path, "--steps", steps, "--seed", seed, "--count", count, "--dtype",
         "float64", "--width", made.width, "--height", made.height, *words, "-o", os.path.join(room, "out.safetensors")],
        x, limit=2e-5)
    return True


# --- options of samplers --------------------------------------------------------------------------------------


def exploding(draw, room, kind):
    low, high = draw.real(0.01, 0.1), draw.real(5, 40)
    return Exact(draw, room, {"kind": kind, "sigma_min": low, "sigma_max": high}, draw.one("epsilon", "sample")), low, high


def churn(program, draw, room, _):
    """Karras et al. 2022, algorithm 2, Heun's step and Euler's."""
    model, low, high = exploding(draw, room, "edm")
    count, seed, steps = draw.integer(1, 3), draw.integer(0, 2**40), draw.integer(4, 15)
    amount, inside, scale = draw.real(1, 40), (draw.real(0.01, 0.3), draw.real(1, 20)), draw.real(0.99, 1.05)
    solver = draw.one("edm", "heun", "euler")
    source, sigmas = Noise(seed, count), exploding_sigmas(steps, low, high)
    shape = (count, model.dimension)
    x = source.draw(shape) * sigmas[0]
    slope = lambda x, sigma: (x - model.mixture.estimate(x, 1, sigma)[0]) / sigma
    for sigma, after in zip(sigmas, sigmas[1:]):
        gamma = min(amount / steps, math.sqrt(2) - 1) if inside[0] <= sigma <= inside[1] else 0
        raised = sigma * (1 + gamma)
        x = x + math.sqrt(raised**2 - sigma**2) * scale * source.draw(shape)
        first = slope(x, raised)
        moved = x + (after - raised) * first
        if after > 0 and solver != "euler":
            moved = x + (after - raised) * (first + slope(moved, after)) / 2
        x = moved
    program.compare(
        f"churn {solver}",
        ["sample", model.path, "--solver", solver, "--steps", steps, "--seed", seed, "--count", count, "--dtype", "float64",
         "--churn", amount, "--churn-range", f"{inside[0]}:{inside[1]}", "--churn-noise", scale,
         "-o", os.path.join(room, "out.safetensors")], x)


def langevin(program, draw, room, _):
    """Song et al. 2021, algorithms 2 and 4: corrections by Langevin steps, then reverse diffusion, per example."""
    model, low, high = exploding(draw, room, "edm")
    count, seed, steps = draw.integer(1, 3), draw.integer(0, 2**40), draw.integer(4, 12)
    ratio, corrections = draw.real(0.02, 0.3), draw.integer(0, 3)
    source, sigmas = Noise(seed, count), exploding_sigmas(steps, low, high)
    shape = (count, model.dimension)
    x = source.draw(shape) * sigmas[0]
    score = lambda x, sigma: -model.mixture.estimate(x, 1, sigma)[1] / sigma
    for sigma, after in zip(sigmas, sigmas[1:]):
        for _ in range(corrections):
            gradient, fresh = score(x, sigma), source.draw(shape)
            size = 2 * (ratio * fresh.norm(dim=1, keepdim=True) / gradient.norm(dim=1, keepdim=True)) ** 2
            x = x + size * gradient + (2 * size).sqrt() * fresh
        variance = sigma**2 - after**2
        x = x + variance * score(x, sigma)
        if after > 0:
            x = x + math.sqrt(variance) * source.draw(shape)
    program.compare(
        f"langevin steps {corrections}",
        ["sample", model.path, "--solver", "predictor-corrector", "--steps", steps, "--seed", seed, "--count", count,
         "--dtype", "float64", "--langevin-steps", corrections, "--signal-to-noise", ratio,
         "-o", os.path.join(room, "out.safetensors")], x)


def inversion(program, draw, room, _):
    """diffusers' inverse scheduler on a table of beta, with guidance or without."""
    settings = draw_table(draw)
    model = Exact(draw, room, settings, settings["prediction_type"])
    count, steps = draw.integer(1, 4), draw.integer(4, 20)
    data = draw.normal(count, model.dimension)
    save_file({"samples": data}, os.path.join(room, "data.safetensors"))
    scheduler = opened(settings, DDIMInverseScheduler)
    scheduler.set_timesteps(steps)
    words, guided = [], None
    if draw.chance(0.6):
        scale = draw.real(0.1, 1)
        guided = Guided("cfg++", scale, model.branches)
        words = ["--class", model.label, "--guidance-method", "cfg++", "--guidance", scale]
    x = data
    stride = scheduler.config.num_train_timesteps // steps
    for time in scheduler.timesteps.tolist():
        before = min(time - stride, scheduler.config.num_train_timesteps - 1)
        bar = scheduler.alphas_cumprod[before] if before >= 0 else scheduler.initial_alpha_cumprod
        alpha, sigma = float(bar.sqrt()), float((1 - bar).sqrt())
        if guided is None:
            output = model.mixture.output(settings["prediction_type"], x, alpha, sigma)
            x = scheduler.step(output, time, x).prev_sample
        else:
            top = scheduler.alphas_cumprod[time]
            estimate, noise = guided(x, time, alpha, sigma, inverse=True)
            x = float(top.sqrt()) * estimate + float((1 - top).sqrt()) * noise
    program.compare(
        f"inversion ddim {'cfg++' if words else 'plain'}",
        ["sample", model.path, "--inversion", "--image", os.path.join(room, "data.safetensors"), "--count", count,
         "--steps", steps, "--dtype", "float64", *words, "-o", os.path.join(room, "noise.safetensors")],
        x, key="latents")


def inversion_flow(program, draw, room, _):
    """Heun's method up the grid of EDM, from the least level on; the noise in units of the start."""
    model, low, high = exploding(draw, room, "edm")
    count, steps = draw.integer(1, 4), draw.integer(4, 20)
    data = draw.normal(count, model.dimension)
    save_file({"samples": data}, os.path.join(room, "data.safetensors"))
    sigmas = exploding_sigmas(steps, low, high)[:-1][::-1]
    slope = lambda x, sigma: (x - model.mixture.estimate(x, 1, sigma)[0]) / sigma
    x = data
    for sigma, after in zip(sigmas, sigmas[1:]):
        first = slope(x, sigma)
        x = x + (after - sigma) * (first + slope(x + (after - sigma) * first, after)) / 2
    program.compare(
        "inversion heun",
        ["sample", model.path, "--inversion", "--image", os.path.join(room, "data.safetensors"), "--count", count,
         "--steps", steps, "--dtype", "float64", "--solver", "heun", "-o", os.path.join(room, "noise.safetensors")],
        x / sigmas[-1], key="latents")


def interpolation(program, draw, room, _):
    settings = draw_table(draw)
    model = Exact(draw, room, settings, settings["prediction_type"])
    count, steps, seeds = draw.integer(2, 7), draw.integer(4, 12), (draw.integer(0, 2**40), draw.integer(0, 2**40))
    first, last = (Noise(seed, 1).draw((1, model.dimension)) for seed in seeds)
    start = torch.cat([spherical(first, last, index / (count - 1)) for index in range(count)])
    guided = Guided("cfg", 0.0, model.branches | {"conditional": model.branches["unconditional"]})
    program.compare(
        "interpolation",
        ["sample", model.path, "--interpolate", f"{seeds[0]}:{seeds[1]}", "--count", count, "--steps", steps,
         "--dtype", "float64", "-o", os.path.join(room, "out.safetensors")],
        ddim(guided, start, table_steps(settings, steps)))


KINDS = {
    **{f"exact-{method}": (exact_guidance, method) for method in ALL},
    **{f"network-{method}": (network_guidance, method) for method in ALL},
    **{f"latents-{method}": (latent_guidance, method) for method in (*PAIRED, "perp-neg", "autoguidance")},
    "churn": (churn, None), "langevin": (langevin, None), "inversion-ddim": (inversion, None),
    "inversion-heun": (inversion_flow, None), "interpolation": (interpolation, None),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the langevin program")
    parser.add_argument("--seed", type=int, default=1, help="every case is drawn from it")
    parser.add_argument("--cases", type=int, default=4, help="cases of each kind")
    parser.add_argument("--only", default="", help="only the kinds with this in their name")
    options = parser.parse_args()
    torch.set_num_threads(1)
    program = Program(options.program)
    for kind, (case, method) in KINDS.items():
        for index in range(options.cases if options.only in kind else 0):
            for attempt in range(20):
                with tempfile.TemporaryDirectory() as room:
                    draw = Draw(options.seed, f"guided/{kind}/{index}/{attempt}")
                    # A random network whose path leaves all bounds is drawn again.
                    if case(program, draw, room, method) is not False:
                        break
    print(f"{program.passed} agree, {program.failures} do not")
    sys.exit(1 if program.failures else 0)


if __name__ == "__main__":
    main()
