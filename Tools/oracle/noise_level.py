"""The noise that scikit-image finds in drawn pictures (`estimate_sigma`): what `langevin denoise` must estimate.

    noise_level.py --seed 0 --out Tests/Fixtures/likelihood [--cases 16]

Needs scikit-image 0.26 and PyWavelets, which the other oracles do not: any virtual environment that has them beside PyTorch
and safetensors will do.
"""
import numpy as np
import torch
from skimage.restoration import estimate_sigma

from common import Draw, arguments, write


def picture(draw):
    channels, height, width = draw.one(1, 3), draw.integer(2, 13), draw.integer(2, 13)
    rows, columns = torch.meshgrid(
        torch.linspace(-1, 1, height, dtype=torch.float64), torch.linspace(-1, 1, width, dtype=torch.float64), indexing="ij")
    smooth = torch.stack([torch.sin(draw.real(0.5, 4) * rows + draw.real(0.5, 4) * columns) for _ in range(channels)])
    noisy = smooth * draw.real(0, 1) + draw.normal(channels, height, width) * draw.real(0.01, 0.6)
    if draw.chance(0.4):
        # As pixels are kept, with flat parts where they are cut off.
        noisy = (noisy * 127.5 + 127.5).round().clamp(0, 255) / 127.5 - 1
    return noisy


if __name__ == "__main__":
    options = arguments(__doc__, cases=16)
    tensors = {}
    for index in range(options.cases):
        noisy = picture(Draw(options.seed, f"noise-level/{index}"))
        found = estimate_sigma(noisy.numpy(), channel_axis=0, average_sigmas=True)
        tensors[f"picture.{index}"] = noisy
        tensors[f"deviation.{index}"] = torch.tensor(float(np.nan_to_num(found)), dtype=torch.float64)
    write(options.out, "noise", tensors, {"count": options.cases})
