"""Bounds and likelihoods of random networks: guided-diffusion's own bound, and the probability flow by scipy.

    likelihood.py --guided-diffusion FOLDER --program .build/release/langevin --seed 3 [--cases 12]
    likelihood.py --guided-diffusion FOLDER --out FOLDER --seed 0

FOLDER is a checkout of github.com/openai/guided-diffusion. Each case is drawn from the seed: a small random U-Net, a table
of beta (linear or cosine, whole or respaced), a variance (fixed or learned), pictures. `calc_bpd_loop` gets the noise that
the program draws; the flow is integrated in sigma/alpha with the trace of a Jacobian. With `--program` the command is run
and compared, exit code 1 where a case fails; with `--out` the tensors of a few cases are written.
"""
import argparse
import json
import math
import os
import shlex
import subprocess
import sys
import tempfile

import numpy as np
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from PIL import Image
from scipy.integrate import solve_ivp

import unet
from common import Draw, betas_float64, write

VARIANCES = ("fixed_small", "fixed_large", "learned_range", "learned")


class Streams:
    """What the program draws for the bound: one generator a picture, one draw a step."""

    def __init__(self, seed, count):
        self.generators = [torch.Generator().manual_seed(seed + index) for index in range(count)]

    def like(self, x):
        return torch.cat([torch.randn((1, *x.shape[1:]), generator=each, dtype=torch.float64) for each in self.generators])


def guided(options):
    sys.path.insert(0, options.guided_diffusion)
    from guided_diffusion import gaussian_diffusion, respace
    return gaussian_diffusion, respace


def diffusion(library, betas, settings, variance, steps):
    module, respace = library
    kinds = module.ModelVarType
    means = {"epsilon": module.ModelMeanType.EPSILON, "sample": module.ModelMeanType.START_X}
    return respace.SpacedDiffusion(
        use_timesteps=respace.space_timesteps(len(betas), str(steps or len(betas))), betas=np.asarray(betas),
        model_mean_type=means[settings["prediction_type"]], loss_type=module.LossType.KL,
        model_var_type={"fixed_small": kinds.FIXED_SMALL, "fixed_large": kinds.FIXED_LARGE, "learned": kinds.LEARNED,
                        "learned_range": kinds.LEARNED_RANGE}[variance])


class Case:
    """A random network with its process, and pictures."""

    def __init__(self, draw, index, small):
        self.variance = VARIANCES[index % 4]
        learned = self.variance.startswith("learned")
        network = unet.configuration(draw, 1)
        channels, self.size = draw.one(1, 3), 4
        classes = draw.integer(2, 4) if draw.chance(0.5) and not small else None
        network.update(
            sample_size=self.size, in_channels=channels, out_channels=channels * (2 if learned else 1),
            num_class_embeds=classes, time_embedding_type="positional", add_attention=True)
        self.network = unet.randomise(UNet2DModel(**network), draw)
        with torch.no_grad():
            self.network.conv_out.weight.mul_(0.5)
            if learned:
                self.network.conv_out.weight[channels:].mul_(0.2)
        self.settings = {
            "num_train_timesteps": draw.integer(5, 8) if small else draw.integer(8, 60),
            "beta_start": draw.real(1e-4, 2e-3), "beta_end": draw.real(0.05, 0.3),
            "beta_schedule": draw.one("linear", "squaredcos_cap_v2"),
            "prediction_type": draw.one("epsilon", "sample"), "variance_type": self.variance,
            "clip_sample": draw.chance(0.5)}
        if self.settings["beta_schedule"] == "linear":
            # A table that is as short as this must add more noise a step.
            self.settings["beta_end"] = draw.real(0.2, 0.6)
        self.betas = betas_float64(dict(DDPMScheduler(**self.settings).config))
        count = self.settings["num_train_timesteps"]
        self.steps = draw.integer(4, count - 1) if not small and draw.chance(0.3) else None
        self.count = 2 if small else draw.integer(2, 5)
        self.labels = torch.tensor([draw.integer(0, classes - 1) for _ in range(self.count)]) if classes else None
        if classes:
            self.labels = torch.arange(max(self.count, classes)) % classes
            self.count = len(self.labels)
        self.values = (draw.normal(self.count, channels, self.size, self.size) * 70 + 127.5).round().clamp(0, 255)
        self.data = (self.values.float() / 255 * 2 - 1).double()
        self.wide = self.network.double().eval()

    def save(self, folder):
        self.network.float()
        DDPMPipeline(self.network, DDPMScheduler(**self.settings)).save_pretrained(os.path.join(folder, "model"))
        self.network.double()
        self.wide.time_proj = unet.Float64Sinusoid(self.wide.time_proj)
        for index, picture in enumerate(self.values):
            name = f"{int(self.labels[index])}/{index:03d}.png" if self.labels is not None else f"all/{index:03d}.png"
            path = os.path.join(folder, "data", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            array = picture.permute(1, 2, 0).to(torch.uint8).numpy()
            Image.fromarray(array[..., 0] if array.shape[2] == 1 else array).save(path)

    def ordered(self, seed):
        """Pictures and classes as the program takes them: by folder and name, then drawn by the seed."""
        order = sorted(range(self.count), key=lambda i: (int(self.labels[i]) if self.labels is not None else 0, i))
        drawn = torch.randperm(self.count, generator=torch.Generator().manual_seed(seed)).tolist()
        chosen = [order[place] for place in drawn]
        return self.data[chosen], self.labels[chosen] if self.labels is not None else None

    def bound(self, library, data, labels, streams, record=None):
        process = diffusion(library, self.betas.numpy(), self.settings, self.variance, self.steps)
        module = library[0]
        drawn = module.th.randn_like
        more = {} if labels is None else {"class_labels": labels}

        def model(x, times, **_):
            # The code of the articles rounds its tables to float32; all else is float64 here.
            with torch.no_grad():
                output = self.wide(x.double(), times, **more).sample
            if record is not None:
                record.append((x, output))
            return output
        module.th.randn_like = streams.like
        try:
            return process.calc_bpd_loop(model, data, clip_denoised=self.settings["clip_sample"])
        finally:
            module.th.randn_like = drawn

    def flow(self, data, labels, offsets):
        """ln p of each picture: dx/ds = eps(x, s) over s = sigma/alpha, x scaled to alpha = 1; k-diffusion's form."""
        bars = torch.cumprod(1 - self.betas, 0).numpy()
        ratios = np.sqrt((1 - bars) / bars)
        channels = data.shape[1]

        def estimate(x, ratio, label):
            alpha = 1 / math.sqrt(1 + ratio * ratio)
            time = float(np.interp(math.log(ratio), np.log(ratios), np.arange(len(ratios))))
            more = {} if label is None else {"class_labels": label}
            output = self.wide(x * alpha, torch.tensor([time], dtype=torch.float64), **more).sample[:, :channels]
            if self.settings["prediction_type"] == "epsilon":
                return output
            return (x - output) / ratio
        found = []
        for index, picture in enumerate(data):
            label = labels[index:index + 1] if labels is not None else None
            shape, size = (1, *picture.shape), picture.numel()

            def rate(ratio, state):
                x = torch.tensor(state[:size]).reshape(shape)
                function = lambda flat: estimate(flat.reshape(shape), ratio, label).flatten()
                jacobian = torch.autograd.functional.jacobian(function, x.flatten())
                with torch.no_grad():
                    slope = function(x.flatten())
                return np.append(slope.numpy(), float(jacobian.trace()))
            begin = np.append((picture + offsets[index]).flatten().numpy(), 0.0)
            end = solve_ivp(rate, (ratios[0], ratios[-1]), begin, method="RK45", rtol=1e-6, atol=1e-6).y[:, -1]
            variance = 1 / bars[-1]
            prior = -0.5 * (end[:size] @ end[:size] / variance + size * math.log(2 * math.pi * variance))
            found.append(prior + end[size])
        return np.array(found)


# --- the program -----------------------------------------------------------------------------------------------------


def far(found, wanted, limit):
    """The largest difference, relative to 1 or the number where that is larger; `None` where it is within the limit."""
    found, wanted = np.atleast_1d(found).astype(float), np.atleast_1d(wanted).astype(float)
    if found.shape != wanted.shape:
        return f"{found.shape} instead of {wanted.shape}"
    worst = float(np.max(np.abs(found - wanted) / np.maximum(1, np.abs(wanted))))
    return None if worst <= limit else f"{worst:.2e}"


def compare(options, library, index):
    draw = Draw(options.seed, f"likelihood/{index}")
    case = Case(draw, index, small=False)
    seed = draw.integer(0, 2**40)
    with tempfile.TemporaryDirectory() as room:
        case.save(room)
        data, labels = case.ordered(seed)
        words = ["likelihood", os.path.join(room, "model"), "--against", os.path.join(room, "data"), "--part", "all",
                 "--count", case.count, "--seed", seed, "--dtype", "float64", "--threads", 1, "--approximate-decoder", "--json",
                 "--clip" if case.settings["clip_sample"] else "--no-clip"]
        if case.steps:
            words += ["--bound-steps", case.steps]
        follows = not options.no_flow and data[0].numel() <= 16 and case.variance != "learned"
        words += ["--divergence", "exact", "--tolerance", "1e-6"] if follows else ["--measure", "bound"]
        call = [options.program, *map(str, words)]
        done = subprocess.run(call, capture_output=True, text=True)
        if done.returncode:
            return [f"exit code {done.returncode}: {done.stderr[-300:]}"], call
        report = json.loads(done.stdout)
        wanted = case.bound(library, data, labels, Streams(seed, case.count))
        steps = wanted["vb"].mean(0).flip(0)
        bound, faults = report["bound"], []
        checks = {
            "steps": (bound["steps"], steps, 1e-5),
            "prior": (bound["prior"]["bits_per_dimension"]["mean"], wanted["prior_bpd"].mean(), 1e-5),
            "total": (bound["total"]["bits_per_dimension"]["mean"], wanted["total_bpd"].mean(), 1e-5),
            "distortion": ([point["distortion"] for point in report["rate_distortion"][:-1]],
                           127.5 * wanted["xstart_mse"].mean(0).sqrt(), 1e-5)}
        if follows:
            uniform = torch.rand(data.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.5
            nats = case.flow(data, labels, uniform * 2 / 255) + data[0].numel() * math.log(2 / 255)
            checks["flow"] = (report["flow"]["negative_log_likelihood"]["nats"]["mean"], -nats.mean(), 1e-4)
        for name, (found, right, limit) in checks.items():
            right = right.numpy() if isinstance(right, torch.Tensor) else right
            fault = far(found, right, limit)
            if fault:
                faults.append(f"{name}: off by {fault}")
        words = f"{case.variance} {case.settings['beta_schedule']} {case.settings['prediction_type']} steps {case.steps} " \
                f"of {len(case.betas)} clip {case.settings['clip_sample']} flow {follows}"
        print(f"{'fail' if faults else 'ok'}  {index} {words}  {'; '.join(faults)}", flush=True)
        return faults, call


def fixture(options, library, index):
    draw = Draw(options.seed, f"likelihood/{index}")
    case = Case(draw, index, small=True)
    case.wide.time_proj = unet.Float64Sinusoid(case.wide.time_proj)
    seed, record = 7, []
    streams = Streams(seed, case.count)
    noises = []

    class Kept:
        def like(self, x):
            noises.append(streams.like(x))
            return noises[-1]
    wanted = case.bound(library, case.data, case.labels, Kept(), record)
    write(options.out, f"case-{index}", {
        "data": case.data, "betas": case.betas, "noises": torch.stack(noises).flip(0),
        "outputs": torch.stack([output for _, output in record]).flip(0).double(),
        "steps": wanted["vb"].flip(1).double(), "prior": wanted["prior_bpd"].double(),
        "errors": wanted["xstart_mse"].flip(1).double()},
        {"variance": case.variance, "prediction": case.settings["prediction_type"],
         "clips": case.settings["clip_sample"], "schedule": case.settings["beta_schedule"]})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--guided-diffusion", required=True)
    parser.add_argument("--program")
    parser.add_argument("--out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--no-flow", action="store_true", help="the bound alone")
    options = parser.parse_args()
    torch.set_num_threads(1)
    library = guided(options)
    if options.out:
        os.makedirs(options.out, exist_ok=True)
        for index in range(options.cases):
            fixture(options, library, index)
        return
    failed = 0
    for index in range(options.cases):
        faults, call = compare(options, library, index)
        if faults:
            failed += 1
            print("   ", *faults, shlex.join(call), sep="\n    ")
    print(f"{options.cases - failed} of {options.cases}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
