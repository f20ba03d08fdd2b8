"""Brightness that a leaky schedule cannot reproduce: the data set of recipes/brightness.yaml, and a table of it.

    brightness.py --write                                                 writes data/brightness again
    brightness.py --program .build/release/langevin --out runs --seeds 3  trains, samples, prints the table

Each picture has one level of grey: 32 are dark, 32 are light, none lies between. A schedule whose last time keeps some of the
data shows a network in training what brightness to expect, and in sampling pure noise, whose brightness is always medium
(Lin et al. 2023, arXiv:2305.08891, section 2). Measured is the mean of each sample.
"""
import argparse
import os

import numpy as np
from PIL import Image

from program import ROOT, Program

SIDE = 32
LEVELS = {"dark": range(5, 37), "light": range(219, 251)}
WAYS = {
    "leaky, noise": {"diffusion.zero_terminal_snr": "false", "diffusion.prediction": "noise"},
    "leaky, v": {"diffusion.zero_terminal_snr": "false", "diffusion.prediction": "v"},
    "zero terminal SNR, v, trailing": {},
}


def write():
    for name, levels in LEVELS.items():
        folder = os.path.join(ROOT, "data/brightness", name)
        os.makedirs(folder, exist_ok=True)
        for level in levels:
            Image.new("L", (SIDE, SIDE), level).save(os.path.join(folder, f"{level:03d}.png"), optimize=True)


def distance(first, second):
    """Wasserstein distance of order 1 between two samples on the line, by their quantiles."""
    shares = (np.arange(1000) + 0.5) / 1000
    return float(np.abs(np.quantile(first, shares) - np.quantile(second, shares)).mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--program")
    parser.add_argument("--out")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    options = parser.parse_args()
    if options.write:
        write()
    if not options.program:
        return
    program = Program(options.program)
    os.makedirs(options.out, exist_ok=True)
    data = np.array([level / 127.5 - 1 for levels in LEVELS.values() for level in levels])
    print("| schedule | mean of all | deviation of the means | within 0.25 of the data | distance to the data |\n|---|---|---|---|---|")
    print(f"| the data | {data.mean():.2f} | {data.std():.2f} | 1.00 | 0 |")
    for way, settings in WAYS.items():
        rows = []
        for seed in range(options.seeds):
            run = os.path.join(options.out, f"{way.replace(' ', '-').replace(',', '')}-{seed}")
            if not os.path.exists(os.path.join(run, "model/model_index.json")):
                program.train("recipes/brightness.yaml", run, seed=seed, **settings)
            samples = program.samples(run, run + ".safetensors", "--count", options.count, "--seed", 1000 * seed)
            means = samples.reshape(len(samples), -1).mean(1)
            near = float((np.abs(means[:, None] - data[None]).min(1) < 0.25).mean())
            rows.append((means.mean(), means.std(), near, distance(means, data)))
        rows = np.array(rows)
        middle, spread = rows.mean(0), np.abs(rows - rows.mean(0)).max(0)
        cells = [f"{value:.2f}" + (f" ± {off:.2f}" if options.seeds > 1 else "") for value, off in zip(middle, spread)]
        print(f"| {way} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
