#!/usr/bin/env python3
"""Files that the reference implementation writes, for the tests of the room Checkpoints.

    safetensors_files.py --out Tests/Fixtures/checkpoints
"""

import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file


def types():
    """A tensor of every type; see FileTests."""
    names = ["int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
    tensors = {name: (torch.arange(6).reshape(2, 3) - 2).to(getattr(torch, name)) for name in names}
    tensors["uint8"] = torch.arange(6, dtype=torch.uint8).reshape(2, 3)
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 7)
    tensors["uint16"] = torch.tensor([1, 2], dtype=torch.uint16)
    tensors["complex64"] = torch.tensor([1j, 2], dtype=torch.complex64)
    tensors["float8"] = torch.tensor([1.0, 2.0]).to(torch.float8_e4m3fn)
    return tensors


def written():
    """The tensors of WriterTests."""
    return {
        "b": torch.tensor([1.0, 2.0, 3.0]),
        "a": torch.tensor([0.5], dtype=torch.float64),
        "flags": torch.tensor([True, False]),
        "é": torch.tensor(7),
        'tab\t"\\\x01': torch.tensor([1, -1], dtype=torch.int8),
        "a.half": torch.tensor([1.0, 2.0], dtype=torch.float16),
        "brain": torch.tensor([1.0, 2.0], dtype=torch.bfloat16),
        "empty": torch.zeros(0, 3),
        "small": torch.tensor([3], dtype=torch.int16),
        "int": torch.tensor([3], dtype=torch.int32),
        "byte": torch.tensor([3], dtype=torch.uint8),
    }


CONFIGURATION = {
    "_class_name": "UNet2DModel", "zero": 0, "negative": -12, "half": 0.5, "small": 1e-05, "tiny": 1.5e-300,
    "large": 1e22, "one": 1.0, "beta_start": 0.00085, "third": 1 / 3, "infinite": float("-inf"), "nan": float("nan"),
    "nothing": None, "yes": True, "no": False, "empty list": [], "empty object": {}, "text": "é\u2028😀\"\\/\n\x7f\x01",
    "nested": {"b": [1, [2.5, {"z": 1, "a": 2}]], "a": "x"}, "Zebra": 1, "é": 2, "😀": 3, "\ufb00": 4,
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    save_file(types(), out / "types.safetensors", metadata={"format": "pt"})
    save_file(written(), out / "written.safetensors", metadata={"format": "pt"})
    text = json.dumps(CONFIGURATION, indent=2, sort_keys=True) + "\n"
    (out / "config.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
