#!/usr/bin/env python3
"""Makes tar shards of small pictures with captions and classes: shards.py FOLDER [--shards 100] [--pictures 1000] [--side 32]."""
import argparse
import io
import pathlib
import tarfile

from PIL import Image


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--side", type=int, default=32)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for shard in range(options.shards):
        with tarfile.open(options.folder / f"s-{shard:03}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(shard * options.pictures, (shard + 1) * options.pictures):
                picture = io.BytesIO()
                colour = (number % 251, number % 241, number % 239)
                Image.new("RGB", (options.side, options.side), colour).save(picture, "png")
                members = (("png", picture.getvalue()), ("txt", f"number {number}".encode()), ("cls", b"%d" % (number % 10)))
                for ending, content in members:
                    info = tarfile.TarInfo(f"{number:06}.{ending}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))


if __name__ == "__main__":
    main()
