"""Numbers of eight bits as PyTorch reads them: the value of every code, and layers with scales as files of ComfyUI hold them."""
import os

import torch
from safetensors.torch import save_file

from common import Draw, arguments

TYPES = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}


def main():
    options = arguments(__doc__)
    draw = Draw(options.seed, "float8")
    codes = torch.arange(256, dtype=torch.uint8)
    values, scaled, expanded = {}, {"scaled_fp8": torch.empty(2, dtype=torch.float8_e4m3fn)}, {}
    for name, kind in TYPES.items():
        values[f"{name}.codes"] = codes.clone().view(kind)
        values[f"{name}.values"] = codes.view(kind).to(torch.float32)
        # One scale for the layer, one for each row, and none.
        for layer, shape in (("one", []), ("rows", [draw.integer(2, 5)]), ("none", None)):
            rows = shape[0] if shape else 3
            weight = draw.normal(rows, draw.integer(2, 6), dtype=torch.float32).to(kind)
            place = f"{name}.{layer}."
            scaled[place + "weight"] = weight
            expanded[place + "weight"] = weight.to(torch.float32)
            if shape is not None:
                scale = torch.rand(shape, generator=draw.generator) + 0.01
                scaled[place + ("scale_weight" if layer == "one" else "weight_scale")] = scale
                scaled[place + ("scale_input" if layer == "one" else "input_scale")] = torch.ones(1)
                expanded[place + "weight"] = expanded[place + "weight"] * (scale.reshape(-1, 1) if shape else scale)
    for name, tensors in (("values", values), ("scaled", scaled), ("expanded", expanded)):
        save_file(tensors, os.path.join(options.out, f"{name}.safetensors"))
    torch.save({name: values[f"{name}.codes"] for name in TYPES}, os.path.join(options.out, "pickled.pt"))


if __name__ == "__main__":
    main()
