"""What torch.Generator("cpu") draws: many shapes, both widths, successive draws; to be met bit for bit."""
import torch

from common import Draw, arguments, write

# Fewer than 16 elements go through another path than 16 and more, and what is left over of a pair is kept.
EDGES = ([1], [2], [3], [15], [16], [17], [31], [33], [1, 1, 4, 4], [1, 3, 5, 7])
TYPES = {"float32": torch.float32, "float64": torch.float64}


def main():
    options = arguments(__doc__, cases=30)
    draw = Draw(options.seed, "noise")
    tensors, cases = {}, []
    for index in range(options.cases):
        seed = draw.one(0, 1, 42, 2**31 - 1, 2**32, 2**63 - 1, draw.integer(0, 2**40))
        generator = torch.Generator("cpu").manual_seed(seed)
        kinds = [draw.one(*TYPES)] * 3 if draw.chance(0.6) else [draw.one(*TYPES) for _ in range(3)]
        shape = list(EDGES[index]) if index < len(EDGES) else [1] + [draw.integer(1, 9) for _ in range(3)]
        shapes = [shape] * 3 if draw.chance(0.6) else [shape, [draw.integer(1, 40)], [draw.integer(1, 40)]]
        for number, (kind, shape) in enumerate(zip(kinds, shapes)):
            tensors[f"{index}.{number}"] = torch.randn(shape, generator=generator, dtype=TYPES[kind])
        cases.append({"seed": seed, "draws": [{"type": kind, "shape": shape} for kind, shape in zip(kinds, shapes)]})
    write(options.out, f"noise-{options.seed}", tensors, {"seed": options.seed, "distribution": "normal", "cases": cases})


if __name__ == "__main__":
    main()
