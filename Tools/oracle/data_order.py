#!/usr/bin/env python3
"""Orders of batches and aspect buckets, written down anew from their definitions: SplitMix64, Lemire's bounded numbers,
Fisher and Yates' shuffle, batches of one group, sizes of one area.

Usage: data_order.py --seed N --out FOLDER [--cases 40]. Writes FOLDER/cases.json, which DatasetsTests compares with
(LANGEVIN_DATA_ORDER=FOLDER/cases.json for fresh seeds).
"""
import argparse
import json
import math
import pathlib
import random

MASK = (1 << 64) - 1


class SplitMix:
    """Steele, Lea and Flood 2014."""

    def __init__(self, seed, epoch, stream):
        self.state = seed
        for number in (epoch, stream, None):
            mixed = self.draw()
            self.state = mixed if number is None else (mixed + number) & MASK

    def draw(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, bound):
        """Lemire 2019: the high word of a product, where the low word is not in the biased part."""
        while True:
            product = self.draw() * bound
            if product & MASK >= (1 << 64) % bound:
                return product >> 64


def permutation(seed, epoch, count):
    generator, order = SplitMix(seed, epoch, 0), list(range(count))
    for last in range(count - 1, 0, -1):
        other = generator.below(last + 1)
        order[last], order[other] = order[other], order[last]
    return order


def walk(seed, count):
    """Every picture, epoch after epoch, with its epoch and the number of those met in it."""
    epoch = 0
    while True:
        for place, index in enumerate(permutation(seed, epoch, count)):
            yield index, epoch, place + 1
        epoch += 1


def batches(seed, count, size, groups, length):
    waiting = {}
    found = []
    for index, epoch, met in walk(seed, count):
        group = groups[index] if groups else 0
        waiting.setdefault(group, []).append((index, SplitMix(seed, epoch, 1 + index).draw() >> 63 == 1))
        if len(waiting[group]) == size:
            found.append((waiting.pop(group), [epoch, met]))
            if len(found) == length:
                return found


def bucket_sizes(size, step, ratio):
    area, sides = size * size, range(step, size + 1, step)
    found = set()
    for width in sides:
        height = step
        while width * (height + step) <= area:
            height += step
        if max(width, height) <= ratio * min(width, height):
            found |= {(width, height), (height, width)}
    return sorted(found)


def nearest(sizes, width, height):
    distances = [abs(math.log(width / height) - math.log(w / h)) for w, h in sizes]
    best = min(distances)
    ties = [place for place, distance in enumerate(distances) if distance - best < 1e-12]
    return ties[0], len(ties) == 1


def case(draw):
    count, size = draw.randint(1, 90), draw.randint(1, 9)
    kinds = draw.choice([None, 1, 2, 3, 5, 8])
    groups = [min(draw.randrange(kinds), draw.randrange(kinds)) for _ in range(count)] if kinds else None
    seed = draw.choice([draw.randrange(10), draw.getrandbits(64)])
    found = batches(seed, count, size, groups, 40)
    step = draw.choice([1, 4, 8, 16, 64])
    side, ratio = step * draw.randint(1, 16) + draw.randrange(step), draw.choice([1, 1.5, 2, 3, 4])
    sizes = bucket_sizes(side, step, ratio)
    pictures, places = [], []
    while sizes and len(pictures) < 12:
        picture = [draw.randint(1, 4000), draw.randint(1, 4000)]
        place, is_clear = nearest(sizes, *picture)
        if is_clear:
            pictures.append(picture)
            places.append(place)
    return {
        "count": count, "batch_size": size, "seed": seed, "groups": groups,
        "batches": [[index for index, _ in batch] for batch, _ in found],
        "mirrored": [[mirrored for _, mirrored in batch] for batch, _ in found],
        "positions": [position for _, position in found],
        "size": side, "step": step, "ratio": ratio, "buckets": [list(size) for size in sizes],
        "pictures": pictures, "nearest": places,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--cases", type=int, default=40)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    cases = [case(draw) for _ in range(options.cases)]
    (options.out / "cases.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
