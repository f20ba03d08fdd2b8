"""What this machine's arithmetic can do: the best of a few large oneDNN convolutions and products, weights packed.

    python ceiling.py float32|bfloat16

A process like those of `peers.py`: prints `ready`, and for each line on standard input the milliseconds that one TFLOP
took in the fastest of them.
"""
import os
import sys
import time

import torch

CONVOLUTIONS = [(2, 320, 64), (2, 640, 32), (2, 1280, 16)]
PRODUCTS = [(4096, 1280, 5120), (2048, 2048, 2048), (1024, 4096, 4096)]


def convolution(batch, channels, size, dtype):
    """A convolution of 3×3 and how many FLOP it takes."""
    last = {"memory_format": torch.channels_last}
    x = torch.randn(batch, channels, size, size, dtype=dtype).contiguous(**last)
    weight = torch.randn(channels, channels, 3, 3, dtype=dtype).contiguous(**last)
    ones = [1, 1]
    packed = torch.ops.mkldnn._reorder_convolution_weight(weight, ones, ones, ones, 1, list(x.shape))
    flop = 2 * 9 * batch * channels ** 2 * size ** 2
    return lambda: torch.ops.mkldnn._convolution_pointwise(x, packed, None, ones, ones, ones, 1, "none", [], ""), flop


def product(rows, inputs, outputs, dtype):
    """A linear layer and how many FLOP it takes."""
    x, weight = torch.randn(rows, inputs, dtype=dtype), torch.randn(outputs, inputs, dtype=dtype)
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return lambda: torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], ""), 2 * rows * inputs * outputs


def milliseconds(body):
    begun = time.perf_counter()
    body()
    return (time.perf_counter() - begun) * 1e3


def main(dtype):
    torch.set_num_threads(int(os.environ.get("LANGEVIN_THREADS", "2")))
    tried = [convolution(*shape, dtype) for shape in CONVOLUTIONS] + [product(*shape, dtype) for shape in PRODUCTS]
    with torch.inference_mode():
        for body, _ in tried:
            body()
        print("ready", flush=True)
        for _ in sys.stdin:
            print(min(milliseconds(body) / flop * 1e12 for body, flop in tried for _ in range(3)), flush=True)


if __name__ == "__main__":
    main(getattr(torch, sys.argv[1]))
