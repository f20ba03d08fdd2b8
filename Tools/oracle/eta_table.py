"""The table of eta and steps of the DDIM paper (arXiv:2010.02502, table 1), on digits with a perfect denoiser.

    python eta_table.py --program .build/release/langevin [--count 5000] [--steps 10 20 50 100 1000] [--seed 0]

The data are the project's digits as one Gaussian for each class (an analytic model), so the denoiser makes no mistake and
what is left is the sampler's. Prints, as Markdown, the Frechet distance of the samples' mean and covariance to the exact
ones. Rows: eta, and the larger variance beta of ancestral sampling.
"""
import argparse
import csv
import gzip
import json
import os
import subprocess
import tempfile

import numpy as np
from safetensors.numpy import load_file

HERE = os.path.dirname(os.path.abspath(__file__))
SCHEDULE = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear",
            "prediction_type": "epsilon", "clip_sample": False, "timestep_spacing": "leading"}


def digits():
    """Pixels in -1 ... 1 [N, 64], and the class of each."""
    with gzip.open(os.path.join(HERE, "..", "..", "data", "digits", "digits.csv.gz"), "rt") as file:
        rows = np.array([[float(value) for value in row] for row in csv.reader(file) if row[0].replace(".", "").isdigit()])
    return rows[:, :64] / 8 - 1, rows[:, 64].astype(int)


def mixture(pixels, classes):
    parts = [pixels[classes == label] for label in range(10)]
    return {"kind": "gaussian-mixture", "weights": [len(part) / len(pixels) for part in parts],
            "means": [part.mean(0).tolist() for part in parts],
            # A little of its own in every pixel: some of them never change.
            "covariances": [(np.cov(part.T) + 1e-3 * np.eye(64)).tolist() for part in parts], "prediction": "noise"}


def moments(model):
    weights, means = np.array(model["weights"]), np.array(model["means"])
    mean = weights @ means
    covariance = sum(w * (np.array(c) + np.outer(m - mean, m - mean))
                     for w, m, c in zip(weights, means, model["covariances"]))
    return mean, covariance


def root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T


def distance(samples, mean, covariance):
    own = np.cov(samples.T)
    half = root(covariance)
    return (np.sum((samples.mean(0) - mean) ** 2) + np.trace(own) + np.trace(covariance)
            - 2 * np.trace(root(half @ own @ half)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, nargs="+", default=[10, 20, 50, 100, 1000])
    options = parser.parse_args()
    model = mixture(*digits())
    mean, covariance = moments(model)
    rows = [(str(eta), ["--solver", "ddim", "--eta", str(eta)], {}) for eta in (0.0, 0.2, 0.5, 1.0)]
    rows.append(("larger variance", ["--solver", "ddpm"], {"variance_type": "fixed_large"}))
    print("| η | " + " | ".join(map(str, options.steps)) + " |\n|---" * 1 + "|---" * len(options.steps) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments, flags in rows:
            kind = "DDPMScheduler" if "ddpm" in arguments else "DDIMScheduler"
            path, out = os.path.join(folder, "digits.json"), os.path.join(folder, "samples.safetensors")
            with open(path, "w") as file:
                json.dump({**model, "schedule": {"_class_name": kind, **SCHEDULE, **flags}}, file)
            cells = []
            for steps in options.steps:
                subprocess.run([options.program, "sample", f"analytic:{path}", *arguments, "--steps", str(steps), "--count",
                                str(options.count), "--seed", str(options.seed), "-o", out], check=True,
                               stderr=subprocess.DEVNULL)
                cells.append(distance(load_file(out)["samples"].astype(np.float64), mean, covariance))
            print(f"| {name} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
