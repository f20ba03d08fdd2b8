"""Runs `langevin upscale` on fresh pictures and compares with Pillow, byte by byte, and with the networks of enlarging.py.

    upscaling.py --program .build/release/langevin --seed 3 [--cases 20] [--only filter|network]

Pictures, sizes, networks and their weights are drawn from the seed. Prints a line a kind; exit code 1 where a case failed.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np
import PIL.Image
import torch
from safetensors.torch import load_file, save_file

import enlarging
from common import Draw

FILTERS = {"nearest": "NEAREST", "area": "BOX", "box": "BOX", "bilinear": "BILINEAR", "hamming": "HAMMING", "bicubic": "BICUBIC",
           "lanczos": "LANCZOS"}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def drawn_picture(draw, path, channels, most):
    shape = (draw.integer(1, most), draw.integer(1, most), channels)
    values = np.random.default_rng(draw.integer(0, 2**31)).integers(0, 256, shape, dtype=np.uint8)
    # Edges, at which filters overshoot.
    values[:shape[0] // 2] = np.where(values[:shape[0] // 2] > 127, 255, 0)
    picture = PIL.Image.fromarray(values.squeeze(-1) if channels == 1 else values, MODES[channels])
    picture.save(path)
    return picture


def ran(program, *words):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([program, "upscale", *words], capture_output=True, text=True, timeout=300, env=environment)
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


def filtered(program, draw, folder):
    """A picture by a filter: what is wrong with it, or None."""
    given, made = os.path.join(folder, "in.png"), os.path.join(folder, "out.png")
    picture = drawn_picture(draw, given, draw.one(*MODES), 40)
    word, scale = draw.one(*FILTERS), draw.integer(1, 7)
    if problem := ran(program, given, "--model", word, "--scale", str(scale), "-o", made):
        return problem
    expected = picture.resize((picture.width * scale, picture.height * scale), PIL.Image.Resampling[FILTERS[word]])
    found = PIL.Image.open(made)
    same = found.mode == expected.mode and found.size == expected.size and found.tobytes() == expected.tobytes()
    return None if same else f"{word} of {picture.mode} {picture.size} by {scale} is not Pillow's"


def enlarged(program, draw, folder, kind):
    """A picture by a small network in a file under its published names."""
    given, made, model = (os.path.join(folder, name) for name in ("in.png", "out.safetensors", "model.safetensors"))
    settings = enlarging.drawn_settings(draw, kind)
    network = enlarging.drawn_network(draw, kind, settings)
    save_file({name: value.detach().contiguous() for name, value in network.named_parameters()}, model)
    channels = settings.get("num_in_ch", settings.get("in_chans"))
    picture = drawn_picture(draw, given, channels, 30)
    if problem := ran(program, given, "--model", model, "-o", made):
        return problem
    pixels = torch.from_numpy(np.asarray(picture).reshape(picture.height, picture.width, channels).copy())
    with torch.no_grad():
        expected = network(pixels.permute(2, 0, 1)[None].float() / 255) * 2 - 1
    found = load_file(made)["samples"]
    if found.shape != expected.shape:
        return f"{kind} {settings} gives {tuple(found.shape)}, not {tuple(expected.shape)}"
    away = float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
    return None if away <= 1e-5 else f"{kind} {settings} is {away:.1e} away"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--seed", type=int, default=1, help="every case is drawn from it")
    parser.add_argument("--cases", type=int, default=20, help="cases of each kind")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kinds = {"filter": filtered, "network RRDBNet": lambda *given: enlarged(*given, "RRDBNet"),
             "network SwinIR": lambda *given: enlarged(*given, "SwinIR")}
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in (kind for kind in kinds if options.only in kind):
            problems = [kinds[kind](options.program, Draw(options.seed, f"{kind}/{index}"), folder)
                        for index in range(options.cases)]
            problems = [problem for problem in problems if problem]
            failures += len(problems)
            print(f"{'FAILED' if problems else 'passed'} {kind}: {options.cases - len(problems)} of {options.cases}", flush=True)
            for problem in problems:
                print("    " + problem)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
