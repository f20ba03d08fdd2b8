"""The table of docs/Sampling.md on guidance that grows over the steps, on digits with a perfect denoiser.

    python guidance_schedules.py --program .build/release/langevin [--count 5000] [--steps 25] [--seed 0]

The data are the project's digits as one Gaussian for each class (`eta_table.py`), so that what is measured is the guidance alone.
Prints, as Markdown, for each scale and curve: the share of samples that are most likely of the class that was wanted, the variance
within a class as a share of the data's, and the Fréchet distance to the class (means over the ten classes).
"""
import argparse
import json
import os
import subprocess
import tempfile

import numpy as np
from safetensors.numpy import load_file

from eta_table import SCHEDULE, digits, distance, mixture

SCALES = [1, 2, 4]
SCHEDULES = ["constant", "linear", "cosine", "quadratic", "falling"]


def densities(model, samples):
    """ln of weight and density of each part, [N, 10]."""
    columns = []
    for weight, mean, covariance in zip(model["weights"], model["means"], model["covariances"]):
        away = samples - np.array(mean)
        _, volume = np.linalg.slogdet(covariance)
        columns.append(np.log(weight) - 0.5 * (volume + np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away)))
    return np.stack(columns, 1)


def measured(model, samples, wanted):
    accuracy = np.mean(densities(model, samples).argmax(1) == wanted)
    variances, distances = [], []
    for label, (mean, covariance) in enumerate(zip(model["means"], model["covariances"])):
        own = samples[wanted == label]
        variances.append(np.trace(np.cov(own.T)) / np.trace(covariance))
        distances.append(distance(own, np.array(mean), np.array(covariance)))
    return accuracy, np.mean(variances), np.mean(distances)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = mixture(*digits())
    print("| scale | schedule | accuracy | variance in a class | Fréchet distance |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "digits.json"), os.path.join(folder, "samples.safetensors")
        with open(path, "w") as file:
            json.dump({**model, "schedule": {"_class_name": "DDIMScheduler", **SCHEDULE}}, file)
        for scale in SCALES:
            for schedule in SCHEDULES:
                # The conditional branch alone has no schedule.
                growth = [] if (scale, schedule) == (1, "constant") else ["--guidance-schedule", schedule]
                subprocess.run(
                    [options.program, "sample", f"analytic:{path}", "--class", "all", "--guidance", str(scale), *growth,
                     "--solver", "ddim", "--steps", str(options.steps), "--count", str(options.count),
                     "--seed", str(options.seed), "-o", out], check=True, stderr=subprocess.DEVNULL)
                file = load_file(out)["samples"].astype(np.float64)
                wanted = np.arange(options.count) * 10 // options.count
                accuracy, variance, away = measured(model, file, wanted)
                print(f"| {scale} | `{schedule}` | {accuracy:.3f} | {variance:.2f} | {away:.2f} |", flush=True)


if __name__ == "__main__":
    main()
