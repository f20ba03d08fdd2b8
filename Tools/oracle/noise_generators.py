"""Noise as other programs draw it, from drawn seeds: NumPy's RandomState, and torch's on a CUDA card.

    noise_generators.py --out FOLDER --seed N --philox FILE

FILE is `modules/rng_philox.py` of AUTOMATIC1111's stable-diffusion-webui, a program that repeats on the processor what a card
draws; it is not part of this project. Without it the numbers of NumPy are written alone.
"""
import argparse
import importlib.util
import os

import numpy as np
from safetensors.numpy import save_file

SHAPES = [(1, 4, 3, 5), (1, 7), (1, 4, 3, 5)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True)
    parser.add_argument("--philox")
    options = parser.parse_args()
    draw = np.random.default_rng(options.seed)
    tensors = {}
    for seed in [0, 1, 4294967295, *(int(s) for s in draw.integers(0, 2**32, 3))]:
        state = np.random.RandomState(seed)
        for index, shape in enumerate(SHAPES):
            tensors[f"numpy.{seed}.{index}"] = state.standard_normal(shape)
    if options.philox:
        spec = importlib.util.spec_from_file_location("philox", options.philox)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for seed in [0, 1, 2**64 - 1, *(int(s) for s in draw.integers(0, 2**63, 3))]:
            generator = module.Generator(seed)
            for index, shape in enumerate(SHAPES):
                tensors[f"nv.{seed}.{index}"] = generator.randn(shape)
    os.makedirs(options.out, exist_ok=True)
    save_file(tensors, os.path.join(options.out, "numbers.safetensors"))


if __name__ == "__main__":
    main()
