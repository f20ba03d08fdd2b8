#!/usr/bin/env python3
"""Pictures a second: our loader beside Pillow in PyTorch's DataLoader, two workers each, alternately in one run.

Usage: loader.py [--program .build/release/langevin] [--data FOLDER] [--rounds 7] [--workers 2]. Without a folder, 512 JPEGs of
640x480 (smooth colours with some noise) are made. Both decode, bring the shorter side to 256 by Lanczos' filter, cut out the
middle, and give float32 batches of 32 in [-1, 1].
"""
import argparse
import pathlib
import statistics
import tempfile
import time

from workers import Worker


def make_pictures(folder, count=512):
    import numpy
    from PIL import Image
    draw = numpy.random.default_rng(0)
    for number in range(count):
        small = draw.integers(0, 256, (12, 16, 3), dtype=numpy.uint8)
        smooth = numpy.asarray(Image.fromarray(small).resize((640, 480), Image.BICUBIC), dtype=numpy.float32)
        noisy = numpy.clip(smooth + draw.normal(0, 6, smooth.shape), 0, 255).astype(numpy.uint8)
        Image.fromarray(noisy).save(folder / f"{number:04}.jpg", quality=90)


class Pictures:
    def __init__(self, folder):
        self.paths = sorted(folder.glob("*.jpg"))

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        import numpy
        import torch
        from PIL import Image
        picture = Image.open(self.paths[index]).convert("RGB")
        width, height = picture.size
        scale = 256 / min(width, height)
        width, height = max(256, int(width * scale)), max(256, int(height * scale))
        picture = picture.resize((width, height), Image.LANCZOS)
        left, top = (width - 256) // 2, (height - 256) // 2
        pixels = numpy.asarray(picture.crop((left, top, left + 256, top + 256)))
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1).to(torch.float32) / 127.5 - 1


def peer(folder, workers):
    import torch
    loader = torch.utils.data.DataLoader(
        Pictures(folder), batch_size=32, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=True,
        prefetch_factor=2)

    def epoch():
        start = time.perf_counter()
        for _ in loader:
            pass
        return (time.perf_counter() - start) * 1000
    return epoch


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", default=".build/release/langevin")
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = options.data or pathlib.Path(made)
        if options.data is None:
            make_pictures(folder)
        count = len(list(folder.glob("*.jpg"))) // 32 * 32
        theirs = peer(folder, options.workers)
        ours = Worker([options.program, "bench", "loader", "--data", str(folder), "--threads", str(options.workers),
                       "--serve"], None, pathlib.Path(made) / "log")
        rounds = [(ours.repetition(), theirs()) for _ in range(options.rounds + 1)][1:]
        ours.end()
    for name, times in zip(("langevin", "Pillow and DataLoader"), zip(*rounds)):
        rates = sorted(count / time * 1000 for time in times)
        print(f"{name}: {statistics.median(rates):.0f} pictures/s ({rates[0]:.0f} to {rates[-1]:.0f})")
    print(f"ratio: {statistics.median(their / our for our, their in rounds):.2f}")


if __name__ == "__main__":
    main()
