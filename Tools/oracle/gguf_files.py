"""Tensors as PyPI's gguf expands them: a file of every type that is read, drawn from a seed, and its values.

    gguf_files.py --out FOLDER --seed N                       writes a file and what it holds
    gguf_files.py --program P --seed N [--cases K]            compares what `convert` makes of drawn files

Run it with a Python that has gguf and safetensors (they are not in the oracle's requirements).
"""
import argparse
import os
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import load_file, save_file

PLAIN = {Type.F32: np.float32, Type.F16: np.float16, Type.F64: np.float64, Type.I8: np.int8, Type.I16: np.int16,
         Type.I32: np.int32, Type.I64: np.int64}
# Where the numbers in half precision stand in a block; its other bytes may be anything.
HALVES = {Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q4_K: [0, 2],
          Type.Q5_K: [0, 2], Type.Q6_K: [208]}


def blocks(draw, type, rows, columns):
    """Random bytes of a quantized type, whose scales are finite."""
    length, size = gguf.GGML_QUANT_SIZES[type]
    data = draw.integers(0, 256, (rows, columns // length, size), dtype=np.uint8)
    for place in HALVES[type]:
        halves = draw.normal(0, 0.1, data.shape[:2]).astype(np.float16)
        data[:, :, place:place + 2] = halves.view(np.uint8).reshape(*data.shape[:2], 2)
    return data.reshape(rows, -1)


def write(path, draw):
    """A file of drawn tensors, and their values by name."""
    writer = gguf.GGUFWriter(path, "sd1")
    writer.add_string("general.name", "drawn")
    writer.add_array("list.of.texts", ["a", "ß", ""])
    writer.add_array("list.of.numbers", [1, 2, 3])
    if draw.random() < 0.5:
        writer.add_custom_alignment(int(draw.choice([8, 64, 128])))
    values = {}
    for type in [*PLAIN, Type.BF16, *HALVES]:
        name = f"{type.name}.weight"
        rows, columns = int(draw.integers(1, 4)), 256 * int(draw.integers(1, 3))
        if type in PLAIN:
            shape = [int(draw.integers(1, 5)) for _ in range(int(draw.integers(1, 5)))]
            values[name] = (draw.normal(size=shape) * 9).astype(PLAIN[type])
            writer.add_tensor(name, values[name])
        else:
            if type == Type.BF16:
                words = draw.normal(size=(rows, columns)).astype(np.float32).view(np.uint32) >> 16
                data = words.astype(np.uint16).view(np.uint8).reshape(rows, -1)
            else:
                data = blocks(draw, type, rows, columns)
            values[name] = gguf.dequantize(data, type).reshape(rows, columns)
            writer.add_tensor(name, data, raw_dtype=type)
            if draw.random() < 0.5:
                shape = [rows, columns // 64, 8, 8]
                writer.add_array(f"comfy.gguf.orig_shape.{name}", shape)
                values[name] = values[name].reshape(shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return values


def compare(program, seed, case):
    """Converts a drawn file and compares every bit; the names that differ."""
    draw = np.random.default_rng([seed, case])
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "drawn.gguf"), os.path.join(folder, "out.safetensors")
        values = write(path, draw)
        subprocess.run([program, "convert", path, out, "--dtype", "float32"], check=True, capture_output=True)
        found = load_file(out)
    wrong = sorted(set(values) ^ set(found))
    for name in sorted(set(values) & set(found)):
        expected = values[name]
        if expected.dtype.kind == "f":
            expected = expected.astype(np.float32)
        if found[name].shape != expected.shape or found[name].tobytes() != expected.tobytes():
            wrong.append(name)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out")
    parser.add_argument("--program")
    parser.add_argument("--cases", type=int, default=5)
    options = parser.parse_args()
    if options.out:
        os.makedirs(options.out, exist_ok=True)
        values = write(os.path.join(options.out, "types.gguf"), np.random.default_rng(options.seed))
        save_file({k: np.ascontiguousarray(v) for k, v in values.items()}, os.path.join(options.out, "types.safetensors"))
    if options.program:
        failed = 0
        for case in range(options.cases):
            wrong = compare(options.program, options.seed, case)
            failed += bool(wrong)
            print(f"case {case}: {'agrees' if not wrong else 'differs in ' + ', '.join(wrong)}")
        print(f"{options.cases - failed} of {options.cases} agree")
        sys.exit(bool(failed))


if __name__ == "__main__":
    main()
