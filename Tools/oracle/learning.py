"""Recipes drawn from a seed learn what they are shown, by the program alone.

Points: a mixture of Gaussians in the plane, drawn from the seed and brought to unit scale. Every process with every
objective that has a meaning on it trains a network of four layers of 128 for 4,000 steps of 256; the energy distance
between the program's samples and fresh points of the mixture must be below 0.02.

Digits: combinations drawn from the seed (process, prediction, objective, weighting, times, a small U-Net or DiT)
train for 700 steps of 64 with classes; `evaluate` must find an accuracy above 0.6 and a Fréchet distance below a
quarter of that of noise, and three methods drawn from the seed must give finite pictures.

    Tools/oracle/learning.py --program .build/release/langevin --seed 7                every point case, three of digits
    Tools/oracle/learning.py --program … --seed 7 --points 4 --digits 2                 so many, drawn from the seed
    Tools/oracle/learning.py --program … --seed 7 --digits 0 --only edm/score           cases whose name holds a text
"""
import argparse
import json
import os
import random
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file, save_file

from program import Program, energy_distance

CONTINUOUS = ["edm", "vp-sde", "sub-vp-sde", "ve", "flow", "cosine"]
PROCESSES = ["betas"] + CONTINUOUS
PREDICTIONS = ["noise", "data", "v", "flow", "score", "edm"]
INTERPOLANTS = ["trigonometric", "variance-preserving", "conditional-transport"]
LATENTS = ["bridge", "sine-squared", "constant"]
MOST_ENERGY, LEAST_ACCURACY, MOST_FRECHET = 0.02, 0.6, 0.25


# --- points ------------------------------------------------------------------------------------------------------


class Mixture:
    """Gaussians in the plane, scaled so that each coordinate has mean 0 and deviation 1 over the whole."""

    def __init__(self, seed):
        draw = np.random.default_rng(seed)
        count = int(draw.integers(3, 7))
        self.weights = draw.dirichlet(np.full(count, 3.0))
        self.means, self.factors = draw.normal(size=(count, 2)) * 2, draw.normal(size=(count, 2, 2)) * 0.3
        mean = self.weights @ self.means
        spread = self.means - mean
        covariance = np.einsum("k,ki,kj->ij", self.weights, spread, spread) + np.einsum(
            "k,kil,kjl->ij", self.weights, self.factors, self.factors)
        scale = np.sqrt(np.diag(covariance))
        self.means, self.factors = spread / scale, self.factors / scale[:, None]

    def points(self, count, seed):
        draw = np.random.default_rng(seed)
        chosen = draw.choice(len(self.weights), count, p=self.weights)
        noise = draw.normal(size=(count, 2))
        return (self.means[chosen] + np.einsum("nij,nj->ni", self.factors[chosen], noise)).astype(np.float32)


def point_cases():
    """A name and the recipe's sections of each process with each objective."""
    def case(process, kind, **objective):
        name = "/".join([process, kind, *map(str, objective.values())])
        return name, {"diffusion": {"process": process}, "objective": {"kind": kind, **objective}}
    cases = [case(process, "denoising") for process in PROCESSES]
    cases += [case("betas", kind) for kind in ("hybrid", "bound")]
    # flow ends in pure noise, where its predictions give no score.
    scored = [process for process in PROCESSES if process != "flow"]
    cases += [case(process, "score-matching", form=form) for process in scored for form in ("denoising", "sliced")]
    cases += [case(process, "flow-matching", coupling=coupling) for process in CONTINUOUS
              for coupling in ("independent", "optimal-transport")]
    cases += [case("flow", "flow-matching", interpolant=path) for path in INTERPOLANTS]
    cases += [case("flow", "flow-matching", latent=latent) for latent in LATENTS]
    return cases


def learn_points(program, mixture, sections, seed, folder):
    """The energy distance of samples, of another sample of the truth, and the processor time."""
    data = f"{folder}/points.safetensors"
    save_file({"points": mixture.points(20000, seed + 1)}, data)
    recipe = sections | {
        "seed": seed, "data": {"kind": "points", "path": data, "split": "all"},
        "model": {"kind": "mlp", "width": 128, "layers": 4},
        "training": {"steps": 4000, "batch_size": 256, "learning_rate": 1e-3, "schedule": "cosine",
                     "warmup_steps": 50, "ema_decay": 0.995, "log_every": 500},
    }
    path, run = f"{folder}/recipe.yaml", f"{folder}/run"
    with open(path, "w") as file:
        json.dump(recipe, file)
    seconds = program.train(path, run)
    samples = program.samples(run, f"{folder}/samples.safetensors", "--count", 5000, "--seed", 1)
    truth = mixture.points(5000, seed + 2)
    floor = energy_distance(mixture.points(5000, seed + 3), truth)
    return energy_distance(samples, truth), floor, seconds


# --- digits ------------------------------------------------------------------------------------------------------


NETWORKS = {
    "unet2d": {"block_out_channels": [32, 64], "layers_per_block": 1, "norm_num_groups": 8, "attention_head_dim": 16,
               "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
               "up_block_types": ["AttnUpBlock2D", "UpBlock2D"]},
    "dit": {"num_attention_heads": 4, "attention_head_dim": 16, "num_layers": 4, "patch_size": 2},
}
SOLVERS = ["ddim", "heun", "euler", "dpmpp-2m", "unipc", "deis", "ddpm", "euler-a", "dpm2", "ipndm"]


def drawn_digits(draw):
    """A name and a recipe, of what has a meaning together."""
    process = draw.choice(PROCESSES)
    dark = process == "flow"
    kinds = ["denoising"] * 3 + ([] if dark else ["score-matching"])
    kinds += ["hybrid", "bound"] if process == "betas" else ["flow-matching"]
    kind = draw.choice(kinds)
    network = draw.choice(list(NETWORKS))
    predictions = [word for word in PREDICTIONS if not dark or word in ("data", "v", "flow")]
    if kind == "bound":
        # Nearly all of its weight on the data's error lies on a few times, which the program warns of.
        predictions = ["noise", "v"]
    prediction = draw.choice(predictions)
    objective = {"kind": kind}
    times = draw.choice([None, "uniform", "logit-normal", "mode", "cosmap", "log-normal", "importance"])
    # A transformer's norms hide how large its input is, which a prediction of noise must give back exactly where noise is
    # large; it and the bound learn at the times that are usual.
    if not (kind == "bound" or network == "dit" and process in ("edm", "ve") and prediction in ("noise", "score")) and times:
        objective["times"] = times
    if kind == "denoising":
        # Weights of the data's error that grow without a bound leave nothing to most times where an output's own error
        # does not shrink as they grow: the program warns of them.
        bounded = ["simple", "min-snr", "p2", "sigmoid"]
        others = [] if prediction in ("data", "noise", "score") else ["edm", "truncated-snr"]
        objective["weighting"] = draw.choice(bounded + others)
    if kind == "flow-matching":
        objective["coupling"] = draw.choice(["independent", "optimal-transport"])
        if process == "flow":
            objective["interpolant"] = draw.choice(["straight"] + INTERPOLANTS)
            objective["latent"] = draw.choice(["none"] + LATENTS)
    diffusion = {"process": process, "prediction": prediction}
    if process == "betas":
        diffusion["schedule"] = draw.choice(["linear", "scaled_linear", "squaredcos_cap_v2"])
    name = " ".join([process, prediction, *map(str, objective.values()), network])
    return name, {
        "seed": draw.randrange(10**6), "data": {"kind": "digits"},
        "model": {"kind": network, "conditioning": "class", **NETWORKS[network]},
        "diffusion": diffusion, "objective": objective,
        "training": {"steps": 700, "batch_size": 64, "learning_rate": 2e-3 if network == "unet2d" else 3e-3,
                     "warmup_steps": 50, "ema_decay": 0.99, "log_every": 100},
        "evaluation": {"guidance": 1.5, "count": 10},
    }


def learn_digits(program, recipe, draw, folder):
    """The report of `evaluate`, the methods that were tried, and those whose pictures are not finite."""
    path, run = f"{folder}/recipe.yaml", f"{folder}/run"
    with open(path, "w") as file:
        json.dump(recipe, file)
    seconds = program.train(path, run)
    report, _ = program.evaluate(run)
    tried, bad = [], []
    for solver in draw.sample(SOLVERS, len(SOLVERS)):
        try:
            samples = program.samples(run, f"{folder}/{solver}.safetensors", "--class", "all", "--count", 10,
                                      "--solver", solver)
        except RuntimeError as error:
            # A method may be refused on a process, in one sentence.
            if "error: " not in str(error):
                raise
            continue
        tried.append(solver)
        if not np.isfinite(samples).all():
            bad.append(solver)
        if len(tried) == 3:
            break
    return report, tried, bad, seconds


# --- the run -----------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--points", type=int, default=10**6, help="at most so many cases of points")
    parser.add_argument("--digits", type=int, default=3, help="so many cases of digits")
    parser.add_argument("--first", type=int, default=0, help="the first of them, by its number")
    parser.add_argument("--only", default="", help="only cases of points whose name holds this text")
    options = parser.parse_args()
    program, failures = Program(options.program), []
    draw, mixture = random.Random(options.seed), Mixture(options.seed)
    cases = [case for case in point_cases() if options.only in case[0]]
    if options.points < len(cases):
        cases = draw.sample(cases, options.points)

    def report(name, problem, text):
        print(f"{'FAILS ' if problem else 'learns'} {name}: {text}", flush=True)
        failures.extend([name] if problem else [])
    for name, sections in cases:
        with tempfile.TemporaryDirectory() as folder:
            distance, floor, seconds = learn_points(program, mixture, sections, options.seed, folder)
        report(name, not distance < MOST_ENERGY,
               f"energy distance {distance:.5f} (two samples of the truth {floor:.5f}), {seconds:.0f} s")
    for index in range(options.first, options.first + options.digits):
        own = random.Random(f"{options.seed}/{index}")
        name, recipe = drawn_digits(own)
        with tempfile.TemporaryDirectory() as folder:
            measured, tried, bad, seconds = learn_digits(program, recipe, own, folder)
        share = measured["frechet_distance"] / measured["frechet_distance_of_noise"]
        fails = not (measured["accuracy"] > LEAST_ACCURACY and share < MOST_FRECHET and len(tried) >= 3 and not bad)
        report(name, fails,
               f"accuracy {measured['accuracy']:.3f}, Fréchet distance {measured['frechet_distance']:.1f} "
               f"({share:.3f} of noise's), {', '.join(tried)} {'not finite: ' + str(bad) if bad else 'finite'}, "
               f"{seconds:.0f} s")
    if failures:
        print(f"{len(failures)} do not learn: {'; '.join(failures)}")
        sys.exit(1)
    print("all learn")


if __name__ == "__main__":
    main()
