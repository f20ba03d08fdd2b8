"""Compares `langevin control` with scikit-image (canny, sobel, blur, grey) and Pillow (tile) on pictures drawn from a seed.

    control_pictures.py --program .build/release/langevin --seed 3 [--cases 20]
    control_pictures.py --seed 0 --cases 3 --out Tests/Fixtures/control_pictures

Needs an environment of its own, with scikit-image and safetensors. Prints a line a case; exit code 1 where one failed. With
`--out` it writes the pictures and what is made of them as small files.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import PIL.Image
from safetensors.numpy import load_file, save_file
from skimage import color, feature, filters, util


def drawn(random):
    """A picture of rectangles, ellipses, a ramp and noise, sometimes grey; sides need not be even."""
    height, width = random.integers(5, 70, 2)
    rows, columns = np.mgrid[:height, :width]
    picture = random.uniform(0, 255, 3) + np.outer(rows.ravel() / height, random.uniform(-120, 120, 3)).reshape(height, width, 3)
    for _ in range(random.integers(1, 6)):
        y, x = random.uniform(0, height), random.uniform(0, width)
        a, b = random.uniform(2, max(3, height / 2)), random.uniform(2, max(3, width / 2))
        away_y, away_x = abs(rows - y) / a, abs(columns - x) / b
        inside = np.maximum(away_y, away_x) < 1 if random.random() < 0.5 else away_y**2 + away_x**2 < 1
        picture[inside] = random.uniform(0, 255, 3)
    if random.random() < 0.6:
        picture += random.normal(0, random.choice([2, 20]), picture.shape)
    picture = picture.clip(0, 255).round().astype(np.uint8)
    if random.random() < 0.3:
        return np.ascontiguousarray(picture[..., 0])
    return picture


def grey(picture):
    """What `rgb2gray` gives, and a grey picture's own values."""
    return color.rgb2gray(picture) if picture.ndim == 3 else util.img_as_float(picture)


def real(random, low, high):
    return round(float(random.uniform(low, high)), 4)


def cases(random, picture):
    """Each kind with drawn settings: (kind, settings, expected numbers as networks read them, [channels, height, width])."""
    sigma = random.choice([0.0, 1.0, real(random, 0.3, 4)])
    low = random.choice([0.1, real(random, 0.0, 0.3)])
    high = real(random, max(low, 0.01), 0.8)
    yield "canny", {}, feature.canny(grey(picture))[None].astype(float)
    yield "canny", {"sigma": float(sigma), "low": float(low), "high": high}, feature.canny(
        grey(picture), sigma=sigma, low_threshold=low, high_threshold=high)[None].astype(float)
    yield "sobel", {}, filters.sobel(grey(picture))[None]
    yield "grey", {}, grey(picture)[None]
    sigma = real(random, 0.2, 12)
    planes = picture if picture.ndim == 3 else picture[..., None]
    yield "blur", {"sigma": sigma}, filters.gaussian(planes, sigma=sigma, channel_axis=-1).transpose(2, 0, 1)
    factor = int(random.integers(1, 10))
    height, width = planes.shape[:2]
    small = PIL.Image.fromarray(picture).resize((max(1, width // factor), max(1, height // factor)), PIL.Image.Resampling.BOX)
    tile = np.asarray(small.resize((width, height), PIL.Image.Resampling.BICUBIC)).reshape(planes.shape)
    yield "tile", {"factor": factor}, tile.transpose(2, 0, 1) / 255


def problem(program, kind, settings, picture, expected, folder):
    """What differs; None where nothing does. Rounding to 8 bits may go either way where a number lies half way between two."""
    image, tensor, made = (os.path.join(folder, name) for name in ("image.png", "out.safetensors", "out.png"))
    PIL.Image.fromarray(picture).save(image)
    options = [word for name, value in settings.items() for word in ("--" + name, str(value))]
    for output in (tensor, made):
        done = subprocess.run([program, "control", image, "--kind", kind, *options, "-o", output], capture_output=True, text=True)
        if done.returncode:
            return done.stderr.strip()
    found = load_file(tensor)["control"]
    if found.shape != expected.shape:
        return f"shape {found.shape}, not {expected.shape}"
    if kind in ("canny", "tile"):
        if abs(found - expected).max() > 1e-7:
            return f"{int((abs(found - expected) > 1e-7).sum())} of {expected.size} numbers differ"
    elif abs(found - expected).max() > 1e-6:
        return f"numbers differ by up to {abs(found - expected).max():.1e}"
    pixels = np.asarray(PIL.Image.open(made))
    pixels = (pixels if pixels.ndim == 3 else pixels[..., None]).transpose(2, 0, 1)
    exact = 255 * expected.clip(0, 1)
    if abs(pixels - exact).max() > 0.5 + 1e-4:
        return "pixels are not the numbers rounded"
    return None


def write(options, random):
    os.makedirs(options.out, exist_ok=True)
    for index in range(options.cases):
        picture = drawn(random)
        tensors, made = {"picture": picture}, []
        for number, (kind, settings, expected) in enumerate(cases(random, picture)):
            tensors[f"expected.{number}"] = np.ascontiguousarray(expected, dtype=np.float32)
            made.append({"kind": kind, **settings})
        path = os.path.join(options.out, f"{index:02}.safetensors")
        save_file(tensors, path, metadata={"case": json.dumps({"made": made})})
        print(f"{path}  {os.path.getsize(path) / 1024:.0f} KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="every case is drawn from it")
    parser.add_argument("--cases", type=int, default=20, help="pictures, each of which is made into every kind")
    parser.add_argument("--program", help="the langevin program")
    parser.add_argument("--out", help="folder that receives small files for the tests")
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    if options.out:
        return write(options, random)
    table = {}
    with tempfile.TemporaryDirectory() as folder:
        for index in range(options.cases):
            picture = drawn(random)
            for kind, settings, expected in cases(random, picture):
                found = problem(options.program, kind, settings, picture, expected, folder)
                table.setdefault(kind, []).append(found is None)
                if found:
                    print(f"FAILED {index} {kind} {settings} {picture.shape}: {found}", flush=True)
    for kind, results in table.items():
        print(f"{kind}: {sum(results)} of {len(results)} equal")
    sys.exit(0 if all(all(results) for results in table.values()) else 1)


if __name__ == "__main__":
    main()
