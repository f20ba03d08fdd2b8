"""What every oracle shares: arguments, draws from the seed, the file format and float64 tables."""
import argparse
import json
import math
import os
import random
import zlib

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from safetensors.torch import save_file


def arguments(description, **defaults):
    """`--seed`, `--out`, and one option for each keyword (its default gives the type)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=0, help="every case is drawn from it")
    parser.add_argument("--out", required=True, help="folder that receives the .safetensors files")
    for name, value in defaults.items():
        if isinstance(value, bool):
            parser.add_argument("--" + name.replace("_", "-"), action="store_true")
        else:
            parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    torch.set_num_threads(1)
    return options


class Draw:
    """Choices and tensors of one case; the same seed and name give the same case on every machine."""

    def __init__(self, seed, name):
        mixed = zlib.crc32(f"{name}/{seed}".encode())
        self.choices = random.Random(mixed)
        self.generator = torch.Generator("cpu").manual_seed(mixed)

    def one(self, *values):
        return self.choices.choice(values)

    def chance(self, probability):
        return self.choices.random() < probability

    def integer(self, low, high):
        return self.choices.randint(low, high)

    def real(self, low, high):
        """Rounded to six digits, so that the number in the JSON is the number that was used."""
        return round(self.choices.uniform(low, high), 6)

    def normal(self, *shape, dtype=torch.float64):
        return torch.randn(shape, generator=self.generator, dtype=dtype)


def write(folder, name, tensors, case):
    """One file: the tensors, and the case (a JSON object) under the metadata key `case`."""
    path = os.path.join(folder, name + ".safetensors")
    tensors = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
    save_file(tensors, path, metadata={"case": json.dumps(case)})
    size = os.path.getsize(path)
    print(f"{path}  {size / 1024:.0f} KiB  {json.dumps(case)[:150]}")
    return size


def finite(*tensors):
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


# --- schedules in float64 --------------------------------------------------------------------------------------


def betas_float64(configuration):
    """The betas that a diffusers scheduler's configuration describes, in float64 arithmetic throughout.

    diffusers rounds them to float32 before it multiplies them up; these are the numbers that it means.
    """
    count = configuration["num_train_timesteps"]
    start, end = configuration["beta_start"], configuration["beta_end"]
    kind = configuration["beta_schedule"]
    if configuration.get("trained_betas") is not None:
        betas = torch.tensor(configuration["trained_betas"], dtype=torch.float64)
    elif kind == "linear":
        betas = torch.linspace(start, end, count, dtype=torch.float64)
    elif kind == "scaled_linear":
        betas = torch.linspace(start**0.5, end**0.5, count, dtype=torch.float64) ** 2
    elif kind == "sigmoid":
        betas = torch.sigmoid(torch.linspace(-6, 6, count, dtype=torch.float64)) * (end - start) + start
    elif kind == "squaredcos_cap_v2":
        def level(time):
            return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = torch.tensor(
            [min(1 - level((i + 1) / count) / level(i / count), 0.999) for i in range(count)], dtype=torch.float64)
    else:
        raise ValueError(f"unknown beta_schedule {kind}")
    if configuration.get("rescale_betas_zero_snr"):
        roots = torch.cumprod(1 - betas, 0).sqrt()
        first, last = roots[0].clone(), roots[-1].clone()
        products = ((roots - last) * (first / (first - last))) ** 2
        betas = 1 - torch.cat([products[:1], products[1:] / products[:-1]])
    return betas


def use_float64_tables(scheduler):
    """Replaces the float32 tables of a diffusers scheduler by the same tables computed in float64."""
    configuration = dict(scheduler.config)
    scheduler.betas = betas_float64(configuration)
    scheduler.alphas = 1.0 - scheduler.betas
    scheduler.alphas_cumprod = torch.cumprod(scheduler.alphas, 0)
    one = torch.tensor(1.0, dtype=torch.float64)
    if hasattr(scheduler, "one"):
        scheduler.one = one
    edge = one if configuration.get("set_alpha_to_one", True) else scheduler.alphas_cumprod[0]
    for name in ("final_alpha_cumprod", "initial_alpha_cumprod"):
        if hasattr(scheduler, name):
            setattr(scheduler, name, edge)
    return scheduler


def passed(network, given, draw):
    """The tensors of one pass of a network forward and back, and its number of parameters.

    `given` has the sample, the timestep and, where there are any, the class_labels. The loss is the mean of the output
    times a drawn cotangent; `output64` is the same forward in float64. The network is float64 afterwards.
    """
    leaf = given["sample"].clone().requires_grad_()
    output = network(leaf, given["timestep"], given.get("class_labels"))
    cotangent = draw.normal(*output.shape, dtype=torch.float32)
    loss = (output * cotangent).mean()
    loss.backward()
    tensors = {"input." + name: value for name, value in given.items()}
    tensors.update({"input.cotangent": cotangent, "output.sample": output, "output.loss": loss,
                    "gradient.sample": leaf.grad})
    for name, parameter in network.named_parameters():
        tensors["weight." + name] = parameter
        tensors["gradient." + name] = parameter.grad
    parameters = sum(parameter.numel() for parameter in network.parameters())
    with torch.no_grad():
        network.double()
        tensors["output64.sample"] = network(given["sample"].double(), given["timestep"], given.get("class_labels"))
    return tensors, parameters
