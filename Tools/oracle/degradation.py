"""Kernels of Real-ESRGAN's degradation (arXiv:2107.10833, sections 3.1 and 3.3) from their formulas, in NumPy and SciPy.

    degradation.py --out ../../Tests/Fixtures/degradation --seed 0
"""
import argparse
import os

import numpy as np
import scipy.special
import torch

from common import Draw, write


def bivariate(case):
    """Weights at places from the middle, as a quadratic form of the inverse covariance."""
    turn = np.array([[np.cos(case["angle"]), -np.sin(case["angle"])], [np.sin(case["angle"]), np.cos(case["angle"])]])
    inverse = np.linalg.inv(turn @ np.diag([case["x"] ** 2, case["y"] ** 2]) @ turn.T)
    reach = np.arange(case["side"]) - case["side"] // 2
    places = np.stack(np.meshgrid(reach, reach), -1).astype(float)
    distance = np.einsum("yxi,ij,yxj->yx", places, inverse, places)
    return {"gaussian": np.exp(-distance / 2), "generalized": np.exp(-distance ** case["power"] / 2),
            "plateau": 1 / (1 + distance ** case["power"])}[case["kind"]]


def low_pass(case):
    reach = np.arange(case["side"]) - case["side"] // 2
    radius = np.hypot(*np.meshgrid(reach, reach)).astype(float)
    safe = np.where(radius == 0, 1, radius)
    cutoff = case["cutoff"]
    return np.where(radius == 0, cutoff ** 2 / (4 * np.pi), cutoff * scipy.special.j1(cutoff * safe) / (2 * np.pi * safe))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = Draw(options.seed, "degradation")
    cases = []
    for kind in ("gaussian", "generalized", "plateau"):
        for _ in range(3):
            cases.append({"kind": kind, "side": 2 * draw.integer(3, 10) + 1, "x": draw.real(0.2, 3), "y": draw.real(0.2, 3),
                          "angle": draw.real(-np.pi, np.pi), "power": 1.0 if kind == "gaussian" else draw.real(0.5, 4)})
    for _ in range(3):
        cases.append({"kind": "low-pass", "side": 2 * draw.integer(3, 10) + 1, "cutoff": draw.real(np.pi / 5, np.pi)})
    kernels = [low_pass(case) if case["kind"] == "low-pass" else bivariate(case) for case in cases]
    tensors = {f"kernel-{index}": torch.from_numpy(kernel / kernel.sum()) for index, kernel in enumerate(kernels)}
    os.makedirs(options.out, exist_ok=True)
    write(options.out, "kernels", tensors, {"cases": cases})


if __name__ == "__main__":
    main()
