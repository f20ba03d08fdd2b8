"""Recipes drawn from a seed, trained for one step by the program, and the same step by an independent implementation
in PyTorch: order of the data, draws of times and noise, loss, and the gradient of every parameter.

The gradient is read from the checkpoint: AdamW's first moment after one step is (1 - beta1) times the gradient. The
learning rate of the first step is 0 (warm-up), so the checkpoint's weights are those that the step began with.
"""
import argparse
import gzip
import inspect
import json
import math
import os
import subprocess
import sys
import tempfile

import torch
from diffusers import DiTTransformer2DModel, SD3Transformer2DModel, UNet2DConditionModel, UNet2DModel
from diffusers.models.embeddings import TimestepEmbedding
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from common import Draw

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MASK = (1 << 64) - 1


# --- the order of the data -------------------------------------------------------------------------------------


class SplitMix:
    def __init__(self, state):
        self.state = state & MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    @classmethod
    def stream(cls, seed, epoch, stream):
        mixer = cls(seed)
        mixer.state = (mixer.next() + epoch) & MASK
        mixer.state = (mixer.next() + stream) & MASK
        return cls(mixer.next())

    def below(self, bound):
        refused = ((1 << 64) - bound) % bound
        while True:
            product = self.next() * bound
            if product & MASK >= refused:
                return product >> 64


def first_batch(count, size, seed):
    generator, order = SplitMix.stream(seed, 0, 0), list(range(count))
    for last in range(count - 1, 0, -1):
        other = generator.below(last + 1)
        order[last], order[other] = order[other], order[last]
    return order[:size]


# --- processes: time to alpha and sigma, in float64 --------------------------------------------------------------


def table(values):
    count, start, end = values["train_steps"], values["beta_start"], values["beta_end"]
    kind = values["schedule"]
    if kind == "linear":
        betas = [start + (end - start) * i / (count - 1) for i in range(count)]
    elif kind == "scaled_linear":
        betas = [(start ** 0.5 + (end ** 0.5 - start ** 0.5) * i / (count - 1)) ** 2 for i in range(count)]
    elif kind == "squaredcos_cap_v2":
        def bar(t):
            return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = [min(1 - bar((i + 1) / count) / bar(i / count), 0.999) for i in range(count)]
    bars, product = [], 1.0
    for beta in betas:
        product *= 1 - beta
        bars.append(product)
    if values.get("zero_terminal_snr"):
        roots = [value ** 0.5 for value in bars]
        first, last = roots[0], roots[-1]
        bars = [((root - last) * first / (first - last)) ** 2 for root in roots]
    return bars


class Schedule:
    """alpha and sigma of a time, the network's time of it, and the shares of its range."""

    def __init__(self, word, values, path=None):
        """`path` is what `objective` has under `interpolant` and `latent`, with their numbers."""
        self.word, self.values, self.path = word, values, path
        self.bars = table(values) if word == "betas" else None

    def curve(self, t):
        """alpha, sigma and the square of the latent noise at times in a tensor, to be differentiated."""
        word, values = self.word, self.values
        path = self.path or {"interpolant": "straight", "latent": "none"}
        one = torch.ones_like(t)
        if word == "flow":
            alpha, sigma = {
                "straight": lambda: (1 - t, t),
                "trigonometric": lambda: (torch.cos(math.pi / 2 * t), torch.sin(math.pi / 2 * t)),
                "variance-preserving": lambda: preserving(t, path["beta_min"], path["beta_max"]),
                "conditional-transport": lambda: (1 - t, path["sigma_min"] * (1 - t) + t),
            }[path["interpolant"]]()
        elif word in ("vp-sde", "sub-vp-sde"):
            alpha, sigma = preserving(t, values["beta_min"], values["beta_max"])
            sigma = sigma ** 2 if word == "sub-vp-sde" else sigma
        elif word == "edm":
            alpha, sigma = one, t
        elif word == "ve":
            alpha, sigma = one, values["sigma_min"] * (values["sigma_max"] / values["sigma_min"]) ** t
        else:
            first, last = math.atan(math.exp(-7.5)), math.atan(math.exp(7.5))
            angle = first + t * (last - first)
            alpha, sigma = torch.cos(angle), torch.sin(angle)
        square = {
            "none": lambda: 0 * t, "bridge": lambda: path["latent_scale"] * t * (1 - t),
            "sine-squared": lambda: path["latent_scale"] ** 2 * torch.sin(math.pi * t) ** 4,
            "constant": lambda: path["latent_sigma"] ** 2 * one,
        }[path["latent"] if word == "flow" else "none"]()
        return alpha, sigma, square

    def level(self, t):
        word, values = self.word, self.values
        if word == "betas":
            return self.bars[int(t)] ** 0.5, (1 - self.bars[int(t)]) ** 0.5
        if word == "flow" and self.path:
            alpha, sigma, square = (float(value) for value in self.curve(torch.tensor(t, dtype=torch.float64)))
            return alpha, math.sqrt(sigma ** 2 + square)
        if word == "edm":
            return 1.0, t
        if word in ("vp-sde", "sub-vp-sde"):
            integral = t * (values["beta_min"] + t * (values["beta_max"] - values["beta_min"]) / 2)
            variance = -math.expm1(-integral)
            return math.exp(-integral / 2), variance ** 0.5 if word == "vp-sde" else variance
        if word == "ve":
            return 1.0, values["sigma_min"] * (values["sigma_max"] / values["sigma_min"]) ** t
        if word == "flow":
            return 1 - t, t
        first, last = math.atan(math.exp(-7.5)), math.atan(math.exp(7.5))
        angle = first + t * (last - first)
        return math.cos(angle), math.sin(angle)

    def of_share(self, share):
        if self.word == "betas":
            return float(min(max(math.floor(share * len(self.bars)), 0), len(self.bars) - 1))
        if self.word == "edm":
            low, high = math.log(self.values["sigma_min"]), math.log(self.values["sigma_max"])
            return math.exp(low + share * (high - low))
        return share

    def of_ratio(self, ratio):
        """The time at which sigma/alpha is a number, within the range."""
        if self.word == "betas":
            logs = [(math.log1p(-bar) - math.log(bar)) / 2 if bar > 0 else math.inf for bar in self.bars]
            wanted = math.log(ratio)
            above = next((i for i, value in enumerate(logs) if value > wanted), len(logs) - 1)
            low = min(max(above - 1, 0), len(logs) - 2)
            share = (logs[low] - wanted) / (logs[low] - logs[low + 1])
            return float(round(low + min(max(share, 0), 1)))
        if self.word == "edm":
            return min(ratio, self.values["sigma_max"])
        low, high = 0.0, 1.0
        for _ in range(200):
            middle = (low + high) / 2
            alpha, sigma = self.level(middle)
            low, high = (middle, high) if sigma < ratio * alpha else (low, middle)
        return (low + high) / 2

    def network_time(self, t):
        if self.word in ("edm", "ve"):
            alpha, sigma = self.level(t)
            return math.log(sigma / alpha) / 4
        return t * {"betas": 1, "vp-sde": 999, "sub-vp-sde": 999, "flow": 1000, "cosine": 1000}[self.word]


def preserving(t, first, last):
    integral = t * (first + t * (last - first) / 2)
    return torch.exp(-integral / 2), torch.sqrt(-torch.expm1(-integral))


# --- what an output means -----------------------------------------------------------------------------------------


def scaled(word, alpha, sigma):
    """alpha and sigma of a sample in the scaling that networks of the process take, and what it was divided by."""
    scale = {"flow": alpha + sigma, "edm": alpha, "ve": alpha}.get(word)
    if scale is None:
        if word == "sub-vp-sde":
            scale = (sigma + (sigma * sigma + 4 * alpha * alpha) ** 0.5) / 2
        else:
            scale = (alpha * alpha + sigma * sigma) ** 0.5
    return alpha / scale, sigma / scale


def target(prediction, x0, noise, alpha, sigma, sigma_data=0.5):
    if prediction == "noise":
        return noise
    if prediction == "data":
        return x0
    if prediction == "v":
        return alpha * noise - sigma * x0
    if prediction == "flow":
        return noise - x0
    if prediction == "score":
        return -noise
    variance = sigma ** 2 + alpha ** 2 * sigma_data ** 2
    x = alpha * x0 + sigma * noise
    skip, out = alpha * sigma_data ** 2 / variance, sigma * sigma_data / variance ** 0.5
    return (x0 - skip * x) / out


def data_of(prediction, output, x, alpha, sigma, sigma_data=0.5):
    if prediction == "noise":
        return (x - sigma * output) / alpha
    if prediction == "data":
        return output
    if prediction == "v":
        return (alpha * x - sigma * output) / (alpha ** 2 + sigma ** 2)
    if prediction == "flow":
        return (x - sigma * output) / (alpha + sigma)
    if prediction == "score":
        return (x + sigma * output) / alpha
    variance = sigma ** 2 + alpha ** 2 * sigma_data ** 2
    return alpha * sigma_data ** 2 / variance * x + sigma * sigma_data / variance ** 0.5 * output


def data_factor(prediction, alpha, sigma, sigma_data=0.5):
    """|out| of x0 = skip x + out F: the error of the data for a unit error of the output."""
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    a, s = torch.tensor([alpha], dtype=torch.float64), torch.tensor([sigma], dtype=torch.float64)
    return abs(float(data_of(prediction, one, zero, a, s, sigma_data)))


def weight(case, schedule, prediction, alpha, sigma, t, sigma_data):
    """The factor of the output's squared error: the weight of the data's error times out squared."""
    word, numbers = case["weighting"], case["numbers"]
    if word == "simple":
        return 1.0
    ratio = (alpha / sigma) ** 2 if sigma > 0 else math.inf
    # x0 is meant at alpha = 1 for none of these: they are written for the signal-to-noise ratio alone.
    if word == "min-snr":
        of_data = min(ratio, numbers["gamma"])
    elif word == "p2":
        of_data = ratio / (numbers["k"] + ratio) ** numbers["gamma"]
    elif word == "sigmoid":
        of_data = ratio / (1 + math.exp(-(numbers["bias"] - math.log(ratio)))) if ratio > 0 else 0.0
    elif word == "edm":
        # (sigma^2 + sigma_data^2)/(sigma sigma_data)^2 of the data's error, at alpha = 1.
        noise = 1 / ratio if ratio > 0 else math.inf
        of_data = (noise + numbers["sigma_data"] ** 2) / (noise * numbers["sigma_data"] ** 2)
    else:
        raise ValueError(word)
    return of_data * data_factor(prediction, alpha, sigma, sigma_data) ** 2


# --- draws ---------------------------------------------------------------------------------------------------------


def draw_times(case, schedule, count, generator):
    """Times, and what each loss counts."""
    word, numbers = case["times"], case["numbers"]
    ones = torch.ones(count, dtype=torch.float64)
    uniform = lambda *shape: torch.rand(shape, dtype=torch.float64, generator=generator)
    if word == "uniform" and schedule.word == "betas":
        return [float(t) for t in torch.randint(0, len(schedule.bars), (count,), generator=generator)], ones
    if word == "importance":
        strata = len(schedule.bars) if schedule.word == "betas" else 100
        picked = [min(int(u * strata), strata - 1) for u in uniform(count, 1).flatten().tolist()]
        if schedule.word == "betas":
            return [float(t) for t in picked], ones
        places = uniform(count).tolist()
        return [schedule.of_share((part + place) / strata) for part, place in zip(picked, places)], ones
    if word in ("logit-normal", "log-normal"):
        normal = torch.randn(count, dtype=torch.float64, generator=generator)
        values = (normal * numbers["deviation"] + numbers["mean"]).tolist()
        if word == "log-normal":
            return [schedule.of_ratio(math.exp(value)) for value in values], ones
        shares = [1 / (1 + math.exp(-value)) for value in values]
    else:
        draws = uniform(count).tolist()
        if word == "uniform":
            shares = draws
        elif word == "mode":
            shares = [1 - u - numbers["scale"] * (math.cos(math.pi * u / 2) ** 2 - 1 + u) for u in draws]
        else:
            shares = [1 - 1 / (math.tan(math.pi * u / 2) + 1) for u in draws]
    return [schedule.of_share(share) for share in shares], ones


# --- networks ------------------------------------------------------------------------------------------------------


class Perceptron(torch.nn.Module):
    """Residual layers of one width, each of which reads the time and the class."""

    def __init__(self, config):
        super().__init__()
        width, dimension = config["width"], config["dimension"]
        linear = torch.nn.Linear
        self.width = width
        self.input = linear(dimension, width)
        self.time_embedding = torch.nn.ModuleDict(
            {"linear_1": linear(width, width), "linear_2": linear(width, width)})
        if config["num_class_embeds"]:
            self.class_embedding = torch.nn.Embedding(config["num_class_embeds"], width)
        self.layers = torch.nn.ModuleList(
            torch.nn.ModuleDict({"linear": linear(width, width), "time_emb_proj": linear(width, width)})
            for _ in range(config["layers"]))
        self.output = linear(width, config["output_dimension"] or dimension)

    def forward(self, x, time, labels):
        half = self.width // 2
        rates = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float64) / half)
        angles = time[:, None].double() * rates[None]
        embedded = torch.cat([torch.sin(angles), torch.cos(angles)], 1).to(x.dtype)
        embedded = self.time_embedding["linear_2"](
            torch.nn.functional.silu(self.time_embedding["linear_1"](embedded)))
        if labels is not None:
            embedded = embedded + self.class_embedding(labels)
        condition = torch.nn.functional.silu(embedded)
        hidden = self.input(x)
        for layer in self.layers:
            hidden = hidden + torch.nn.functional.silu(layer["linear"](hidden) + layer["time_emb_proj"](condition))
        return self.output(hidden)


def network(kind, config, texts):
    """A function of the noisy sample, the time and the conditions, and the module that holds its parameters."""
    if kind == "mlp":
        module = Perceptron(config).double()
        return module, lambda x, t, labels, text: module(x, t, labels)
    if kind == "adm":
        return enlarger(config)
    if kind == "unet2d":
        module = UNet2DModel.from_config(config).double()
        return module, lambda x, t, labels, text: module(x, t, class_labels=labels).sample
    if kind == "dit":
        module = DiTTransformer2DModel.from_config(config).double().eval()
        count = config["num_embeds_ada_norm"]

        def call(x, t, labels, text):
            labels = torch.full((len(x),), count) if labels is None else labels
            return module(x, timestep=t, class_labels=labels).sample
        return module, call
    if kind == "unet2d-condition":
        module = UNet2DConditionModel.from_config(config).double()
        return module, lambda x, t, labels, text: module(x, t, text[0]).sample
    module = SD3Transformer2DModel.from_config(config).double()
    return module, lambda x, t, labels, text: module(x, text[0], text[1], t).sample


def enlarger(config):
    """diffusers' U-Net with the smaller picture, resized, in further channels, and its noise level beside the time."""
    features, factor = config["block_out_channels"][0], config["low_resolution_factor"]
    own = {key: value for key, value in config.items() if key in inspect.signature(UNet2DModel.__init__).parameters}
    own |= {"in_channels": 2 * config["in_channels"], "attn_norm_num_groups": config["norm_num_groups"]}
    module, told = UNet2DModel.from_config(own).double(), []
    if config["noise_level_embedding"]:
        module.noise_level_embedding = TimestepEmbedding(features, 4 * features).double()
        module.time_embedding.register_forward_hook(
            lambda _, inputs, output: output + module.noise_level_embedding(module.time_proj(told[0]).to(output.dtype)))

    def call(x, t, labels, text):
        small, level = text
        told[:] = [level]
        resized = torch.nn.functional.interpolate(small, scale_factor=factor, mode="bilinear", align_corners=False)
        return module(torch.cat([x, resized], 1), t, class_labels=labels).sample
    return module, call


def small_pictures(recipe, case, schedule, x0, generator):
    """What a network that enlarges is given beside: smaller pictures, blurred and noised, and their noise level."""
    diffusion = recipe["diffusion"]
    small = torch.nn.functional.avg_pool2d(x0, recipe["model"]["low_resolution_factor"])
    count, level = len(x0), None
    if diffusion.get("augmentation_blur"):
        coins = torch.empty(count).bernoulli_(0.5, generator=generator)
        deviations = torch.rand(count, generator=generator) * diffusion["augmentation_blur"]
        small = torch.cat([blurred(picture[None], float(d)) if coin else picture[None]
                           for picture, d, coin in zip(small, deviations, coins)])
    share = diffusion.get("augmentation", 0)
    if share:
        if schedule.word == "betas":
            last = max(1, round(share * len(schedule.bars)))
            times = [float(t) for t in torch.randint(0, last, (count,), generator=generator)]
        else:
            shares = torch.rand(count, dtype=torch.float64, generator=generator).tolist()
            times = [schedule.of_share(share * value) for value in shares]
        noise = torch.randn(small.shape, generator=generator).double()
        own, factors, told, _ = levels(schedule, case, times)
        column = lambda values: torch.tensor(values, dtype=torch.float64).reshape(-1, 1, 1, 1)
        small = column(factors) * (column([a for a, _ in own]) * small + column([s for _, s in own]) * noise)
        level = torch.tensor(told, dtype=torch.float64)
    return small, level


def blurred(picture, deviation):
    """A Gaussian in a window of 3 by 3 pixels, mirrored at the edges."""
    offsets = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    row = torch.exp(-offsets ** 2 / (2 * deviation ** 2)) if deviation > 0 else (offsets == 0).double()
    kernel = torch.outer(row, row) / row.sum() ** 2
    padded = torch.nn.functional.pad(picture, (1, 1, 1, 1), mode="reflect")
    return torch.nn.functional.conv2d(padded, kernel.expand(picture.shape[1], 1, 3, 3), groups=picture.shape[1])


# --- one step ------------------------------------------------------------------------------------------------------


def levels(schedule, case, times):
    """alpha and sigma of each example in the network's scaling, the input's factor and the network's time."""
    own = [scaled(schedule.word, *schedule.level(t)) for t in times]
    has_unit_input = schedule.word in ("edm", "ve") or case["prediction"] == "edm"
    sigma_data = schedule.values.get("sigma_data", 0.5)
    factors = [1 / math.sqrt(s * s + a * a * sigma_data ** 2) if has_unit_input else 1.0 for a, s in own]
    return own, factors, [schedule.network_time(t) for t in times], sigma_data


def step(case, schedule, call, x0, labels, text, generator, paired=None):
    """The loss of the step, a scalar."""
    times, importance = draw_times(case, schedule, len(x0), generator)
    noise = torch.randn(x0.shape, generator=generator).double() if paired is None else paired
    own, factors, network_times, sigma_data = levels(schedule, case, times)
    column = lambda values: torch.tensor(values, dtype=torch.float64).reshape(-1, *[1] * (x0.dim() - 1))
    alpha, sigma = column([a for a, _ in own]), column([s for _, s in own])
    if case["kind"] == "flow-matching" and case["coupling"] == "optimal-transport":
        noise = assigned(x0, noise, case)
    if case["kind"] == "flow-matching":
        return flow_step(case, schedule, call, x0, noise, times, own, factors, network_times, sigma_data, labels, text,
                         generator)
    x = alpha * x0 + sigma * noise
    output = call(column(factors) * x, torch.tensor(network_times, dtype=torch.float64), labels, text)
    if case["kind"] in ("hybrid", "bound"):
        raise NotImplementedError
    wanted = target(case["prediction"], x0, noise, alpha, sigma, sigma_data)
    errors = ((output - wanted) ** 2).flatten(1).mean(1)
    weights = torch.tensor(
        [weight(case, schedule, case["prediction"], a, s, t, sigma_data) for (a, s), t in zip(own, times)])
    losses = errors * weights * importance
    if case["kind"] == "score-matching":
        losses = 0.5 * losses
    return losses.mean()


def flow_step(case, schedule, call, x0, noise, times, own, factors, network_times, sigma_data, labels, text, generator):
    """The squared error of the velocity of the estimate, on the path of the process or of the interpolant."""
    column = lambda values: values.reshape(-1, *[1] * (x0.dim() - 1))
    t = torch.tensor(times, dtype=torch.float64, requires_grad=True)
    curves = schedule.curve(t)
    alpha, sigma, square = (column(value.detach()) for value in curves)
    slopes = [torch.autograd.grad(value.sum() + 0 * t.sum(), t, retain_graph=True)[0] for value in curves]
    alpha_rate, sigma_rate, square_rate = (column(value) for value in slopes)
    latent, gamma_rate = 0, 0
    if case["path"] and case["path"]["latent"] != "none":
        z = torch.randn(x0.shape, generator=generator).double()
        latent, gamma_rate = square.sqrt() * z, square_rate / (2 * square.sqrt()) * z
    x = alpha * x0 + sigma * noise + latent
    velocity = alpha_rate * x0 + sigma_rate * noise + gamma_rate
    whole = (sigma ** 2 + square).sqrt()
    own_alpha, own_sigma = (column(torch.tensor(values, dtype=torch.float64)) for values in zip(*own))
    scaled_x = x * own_sigma / whole
    output = call(column(torch.tensor(factors, dtype=torch.float64)) * scaled_x,
                  torch.tensor(network_times, dtype=torch.float64), labels, text)
    data = data_of(case["prediction"], output, scaled_x, own_alpha, own_sigma, sigma_data)
    of_noise = (x - alpha * data) / whole
    found = alpha_rate * data + (sigma * sigma_rate + square_rate / 2) / whole * of_noise
    return ((found - velocity) ** 2).flatten(1).mean(1).mean()


def assigned(x0, noise, case):
    from scipy.optimize import linear_sum_assignment
    result = noise.clone()
    groups = case["classes"]
    for group in sorted(set(groups)) if groups is not None else [None]:
        rows = [i for i in range(len(x0)) if group is None or groups[i] == group]
        cost = ((x0[rows].flatten(1)[:, None] - noise[rows].flatten(1)[None]) ** 2).sum(2)
        left, right = linear_sum_assignment(cost.numpy())
        result[[rows[i] for i in left]] = noise[[rows[j] for j in right]]
    return result


# --- the cases -----------------------------------------------------------------------------------------------------

PROCESSES = ["betas", "edm", "vp-sde", "sub-vp-sde", "ve", "flow", "cosine"]
NETWORKS = {
    "unet2d": {"block_out_channels": [8, 8], "layers_per_block": 1, "norm_num_groups": 4, "attention_head_dim": 4,
               "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
               "up_block_types": ["AttnUpBlock2D", "UpBlock2D"]},
    "dit": {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "patch_size": 2},
    "mlp": {"width": 16, "layers": 2},
    "unet2d-condition": {"block_out_channels": [8, 8], "layers_per_block": 1, "norm_num_groups": 4,
                         "attention_head_dim": 2, "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
                         "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"]},
    "mmdit": {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "patch_size": 2,
              "pos_embed_max_size": 4},
    "adm": {"block_out_channels": [8, 8], "layers_per_block": 1, "norm_num_groups": 4, "attention_head_dim": 4,
            "down_block_types": ["ResnetDownsampleBlock2D", "AttnDownBlock2D"],
            "up_block_types": ["AttnUpBlock2D", "ResnetUpsampleBlock2D"], "low_resolution_factor": 2},
}
WEIGHTINGS = {"simple": {}, "edm": {"sigma_data": (0.3, 2)}, "min-snr": {"gamma": (1, 20)},
              "p2": {"gamma": (0.5, 2), "k": (0.5, 2)}, "sigmoid": {"bias": (-3, 3)}}
TIMES = {"uniform": {}, "logit-normal": {"mean": (-1, 1), "deviation": (0.5, 1.5)}, "mode": {"scale": (-0.5, 1.5)},
         "cosmap": {}, "log-normal": {"mean": (-1.5, 0), "deviation": (0.5, 1.5)}, "importance": {}}


def drawn_path(draw):
    """An interpolant and its latent noise, with the numbers of both."""
    path = {"interpolant": draw.one("straight", "trigonometric", "variance-preserving", "conditional-transport"),
            "latent": draw.one("none", "bridge", "sine-squared", "constant")}
    path |= {"variance-preserving": lambda: {"beta_min": draw.real(0.05, 0.5), "beta_max": draw.real(5, 25)},
             "conditional-transport": lambda: {"sigma_min": draw.real(0.001, 0.1)}}.get(path["interpolant"], dict)()
    path |= {"bridge": lambda: {"latent_scale": draw.real(0.1, 1)},
             "sine-squared": lambda: {"latent_scale": draw.real(0.05, 0.3)},
             "constant": lambda: {"latent_sigma": draw.real(0.05, 0.5)}}.get(path["latent"], dict)()
    return path


def drawn(draw, enlarges=False):
    """A recipe of keys by section, and the case for this program's own step; of a network that enlarges pictures where that
    is wanted."""
    process = draw.one(*PROCESSES)
    values = {
        "betas": lambda: {"schedule": draw.one("linear", "scaled_linear", "squaredcos_cap_v2"),
                          "train_steps": draw.one(50, 200, 1000), "beta_start": 1e-4, "beta_end": 0.02},
        "edm": lambda: {"sigma_min": draw.real(0.001, 0.01), "sigma_max": draw.real(20, 90),
                        "sigma_data": draw.real(0.4, 1)},
        "vp-sde": lambda: {"beta_min": draw.real(0.05, 0.5), "beta_max": draw.real(10, 25)},
        "sub-vp-sde": lambda: {"beta_min": draw.real(0.05, 0.5), "beta_max": draw.real(10, 25)},
        "ve": lambda: {"sigma_min": draw.real(0.005, 0.05), "sigma_max": draw.real(10, 60)},
        "flow": lambda: {"shift": draw.real(0.5, 3)}, "cosine": lambda: {},
    }[process]()
    if process == "betas" and draw.chance(0.2):
        values["zero_terminal_snr"] = True
    ends = process == "flow" or values.get("zero_terminal_snr", False)
    kinds = ["denoising", "denoising", "denoising"]
    kinds += [] if ends else ["score-matching"]
    kinds += ["flow-matching"] * {"flow": 4, "betas": 0}.get(process, 1)
    kind = draw.one(*kinds)
    path = drawn_path(draw) if process == "flow" and kind == "flow-matching" else None
    if path and path["interpolant"] == "variance-preserving":
        ends = False
    prediction = draw.one(*["data", "v", "flow"] + ([] if ends else ["noise", "score", "edm"]))
    weighting = draw.one(*WEIGHTINGS) if kind == "denoising" and not ends else "simple"
    times = draw.one(*TIMES)
    numbers = {key: draw.real(*span) for key, span in {**WEIGHTINGS[weighting], **TIMES[times]}.items()}
    network = draw.one("unet2d", "dit", "mlp", "unet2d", "dit", "mlp", "unet2d-condition", "mmdit")
    if enlarges:
        network = "adm"
    text = network in ("unet2d-condition", "mmdit")
    conditioning = "text" if text else draw.one("none", "class")
    coupling = draw.one("independent", "optimal-transport") if kind == "flow-matching" else None
    objective = {"kind": kind, "times": times, **numbers}
    if kind == "denoising":
        objective["weighting"] = weighting
    if coupling:
        objective["coupling"] = coupling
    objective |= path or {}
    recipe = {
        "seed": draw.integer(0, 10 ** 6),
        "data": {"kind": "points", "path": f"{ROOT}/data/points/spirals.npz", "split": "all"} if network == "mlp" else
        {"kind": "digits", "path": f"{ROOT}/data/digits/digits.csv.gz", "split": "all"},
        "model": {"kind": network, "conditioning": conditioning, **NETWORKS[network]},
        "diffusion": {"process": process, **values, "prediction": prediction,
                      "condition_dropout": draw.real(0, 0.5)},
        "objective": objective,
        "training": {"steps": 1, "batch_size": draw.integer(4, 9), "warmup_steps": 5, "gradient_clip": 0,
                     "ema_decay": 0, "threads": 1, "beta1": 0.5, "memory_format": "contiguous"},
        "evaluation": {"steps": 2, "count": 10},
    }
    if enlarges:
        more = {"augmentation": draw.real(0.1, 1) if draw.chance(0.7) else 0, "augmentation_blur": draw.real(0.3, 2)}
        recipe["diffusion"] |= {key: value for key, value in more.items() if draw.chance(0.7)}
        recipe["data"] |= draw.one({}, {"size": 4, "downscale": 2})
    if text:
        recipe["data"]["captions"] = "class-names"
        recipe["model"] |= {"text_encoder": "trained", "text_width": 32, "text_layers": 1}
    case = {"kind": kind, "weighting": weighting, "times": times, "numbers": numbers, "prediction": prediction,
            "coupling": coupling, "conditioning": conditioning, "path": path}
    defaults = {"sigma_data": 0.5} if process in ("edm",) else {}
    return recipe, case, Schedule(process, {**defaults, **values}, path)


def examples(recipe):
    """The first batch: data, labels, captions."""
    size, seed = recipe["training"]["batch_size"], recipe["seed"]
    if recipe["data"]["kind"] == "points":
        import numpy
        file = numpy.load(recipe["data"]["path"])
        picked = first_batch(len(file["points"]), size, seed)
        return torch.tensor(file["points"][picked]).double(), torch.tensor(file["labels"][picked]), 2
    with gzip.open(recipe["data"]["path"], "rt") as file:
        rows = torch.tensor([[int(field) for field in line.split(",")] for line in file])
    picked = first_batch(len(rows), size, seed)
    pictures = (rows[picked, :64].double() / 8 - 1).reshape(-1, 1, 8, 8)
    return torch.nn.functional.avg_pool2d(pictures, recipe["data"].get("downscale", 1)), rows[picked, 64], 10


def text_states(folder, weights, captions, names):
    """The text encoder with the checkpoint's weights, and its states for captions."""
    with open(f"{folder}/text_encoder/config.json") as file:
        encoder = CLIPTextModel(CLIPTextConfig(**json.load(file))).double().train()
    own = {key[len("text_encoder."):]: value for key, value in weights.items() if key.startswith("text_encoder.")}
    known = encoder.state_dict()
    own = {key if key in known else key.removeprefix("text_model."): value for key, value in own.items()}
    missing, unexpected = encoder.load_state_dict(own, strict=False)
    assert not unexpected and not [key for key in missing if "position_ids" not in key], (missing, unexpected)
    tokenizer = CLIPTokenizer.from_pretrained(f"{folder}/tokenizer")
    ids = tokenizer(captions, padding="max_length", max_length=tokenizer.model_max_length, truncation=True,
                    return_tensors="pt").input_ids
    output = encoder(ids)
    return encoder, (output.last_hidden_state, output.pooler_output)


def compare(program, draw, folder, enlarges=False):
    recipe, case, schedule = drawn(draw, enlarges)
    path, run = f"{folder}/recipe.yaml", f"{folder}/run"
    with open(path, "w") as file:
        json.dump(recipe, file)
    result = subprocess.run([program, "train", path, "--out", run], capture_output=True, text=True)
    label = json.dumps(recipe)
    if result.returncode != 0:
        return label, f"the program ended with {result.returncode}: {result.stderr.strip().splitlines()[-1:]}"
    weights = {key: value.double() for key, value in load_file(f"{run}/checkpoints/step-1/model.safetensors").items()}
    state = load_file(f"{run}/checkpoints/step-1/optimizer.safetensors")
    with open(f"{run}/metrics.jsonl") as file:
        loss = json.loads(file.readline())["loss"]
    with open(f"{run}/model/unet/config.json") as file:
        config = {key: value for key, value in json.load(file).items() if not key.startswith("_")}
    kind = recipe["model"]["kind"]
    x0, labels, count = examples(recipe)
    generator = torch.Generator().manual_seed(recipe["seed"] ^ 0x9E3779B97F4A7C15)
    conditioning = recipe["model"]["conditioning"]
    case["classes"] = labels.tolist() if conditioning != "none" else None
    encoder, text, shown = None, None, None
    if conditioning != "none":
        hidden = torch.empty(len(x0)).bernoulli_(recipe["diffusion"]["condition_dropout"], generator=generator).bool()
        shown = labels.clone()
        shown[hidden] = count
    if conditioning == "text":
        captions = ["" if gone else str(int(label)) for gone, label in zip(hidden, labels)]
        encoder, text = text_states(f"{run}/model", weights, captions, None)
    if kind == "adm":
        text = small_pictures(recipe, case, schedule, x0, generator)
    module, call = network(kind, config, text)
    own = {key: value for key, value in weights.items() if not key.startswith("text_encoder.")}
    missing, unexpected = module.load_state_dict(own, strict=False)
    named = dict(module.named_parameters())
    if unexpected or any(key in named for key in missing):
        return label, f"parameters differ: {missing[:3]} {unexpected[:3]}"
    expected = step(case, schedule, call, x0, None if conditioning in ("none", "text") else shown, text, generator)
    expected.backward()
    gradients = {key: value.grad for key, value in named.items() if value.grad is not None}
    if encoder is not None:
        names = {key.removeprefix("text_encoder.").removeprefix("text_model."): key for key in weights}
        gradients |= {names[key.removeprefix("text_model.")]: value.grad for key, value in encoder.named_parameters()
                      if value.grad is not None}
    wanted = float(expected.detach())
    if abs(loss - wanted) > 1e-5 * max(abs(wanted), 1e-3):
        return label, f"the loss is {loss} and {wanted} was expected"
    return label, gradient_problem(gradients, state, recipe["training"]["beta1"])


def gradient_problem(gradients, state, beta1):
    """The first gradient that AdamW's first moment after one step is not, beside the largest of all; None where all are."""
    scale = max((float(value.abs().max()) for value in gradients.values()), default=1)
    for key, gradient in gradients.items():
        error = float((state["first_moment." + key].double() / (1 - beta1) - gradient).abs().max())
        if not error <= 1e-5 * scale:
            return f"the gradient of {key} is off by {error / scale:.1e} of the largest"
    return None


def words_of(recipe):
    return " ".join(str(recipe[a][b]) for a, b in [
        ("diffusion", "process"), ("diffusion", "prediction"), ("objective", "kind"), ("objective", "times"),
        ("model", "kind"), ("model", "conditioning")]
        + [("objective", key) for key in ("interpolant", "latent") if key in recipe["objective"]])


def judge(document, domain, compare, words_of):
    """Compares drawn recipes, as the command line says, and ends the script with 1 where one takes another step."""
    parser = argparse.ArgumentParser(description=document)
    parser.add_argument("--seed", type=int, default=0, help="every recipe is drawn from it")
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--program", default=f"{ROOT}/.build/release/langevin")
    options = parser.parse_args()
    torch.set_num_threads(1)
    failures = 0
    for index in range(options.cases):
        draw = Draw(options.seed * 1000 + index, domain)
        with tempfile.TemporaryDirectory() as folder:
            label, problem = compare(options.program, draw, folder)
        words = words_of(json.loads(label))
        print(f"case {index}: {words}: {'equal' if problem is None else problem}", flush=True)
        if problem is not None:
            failures += 1
            print(f"    {label}", file=sys.stderr)
    print(f"{options.cases - failures} of {options.cases} recipes take the same step")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    judge(__doc__, "recipes", compare, words_of)
