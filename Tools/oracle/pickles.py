"""Files as PyTorch writes them, the tensors that are in them, and two that would run a command."""
import argparse
import io
import os
import pickle
import sys
import types
import zipfile

import numpy
import torch

from common import Draw, arguments, write


def tensors(draw):
    """Every type, and every way in which a tensor can lie in its storage."""
    base = draw.normal(5, 4, dtype=torch.float32)
    result = {
        "base": base, "transposed": base.T, "rows": base[1:3], "column": base[:, 2], "every_second": base[::2],
        "scalar": draw.normal(dtype=torch.float32), "empty": torch.zeros(0, 7), "one": base[2:3, 1:2],
        "channels_last": draw.normal(1, 2, 3, 2, dtype=torch.float32).contiguous(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(draw.normal(3, dtype=torch.float32)), "same": base,
        "bool": draw.normal(9) > 0,
    }
    for kind in (torch.float64, torch.float16, torch.bfloat16):
        result[str(kind).split(".")[1]] = draw.normal(2, 3).to(kind)
    for kind in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        low = 0 if kind == torch.uint8 else -100
        result[str(kind).split(".")[1]] = torch.randint(low, 100, (2, 3), generator=draw.generator).to(kind)
    return result


def stranger(module, name, **attributes):
    """An object of a class that a training program leaves in its checkpoints."""
    for depth in range(1, module.count(".") + 2):
        part = ".".join(module.split(".")[:depth])
        sys.modules.setdefault(part, types.ModuleType(part))
    kind = type(name, (), {"__module__": module})
    setattr(sys.modules[module], name, kind)
    thing = kind()
    thing.__dict__.update(attributes)
    return thing


def lightning(draw):
    """What pytorch-lightning saves: weights among counters, callbacks, optimizers and settings."""
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Conv2d(1, 2, 3))
    optimizer = torch.optim.AdamW(network.parameters())
    network[0](torch.ones(1, 3)).sum().backward()
    optimizer.step()

    callback = stranger("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint", best=torch.ones(2))
    return network.state_dict(), {
        "epoch": 3, "global_step": 2**40, "pytorch-lightning_version": "1.5.0", "state_dict": network.state_dict(),
        "callbacks": {type(callback): {"monitor": "val/loss", "score": numpy.float64(0.5)}, "callback": callback},
        "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [], "device": torch.device("cpu"), "dtype": torch.float16,
        "hyper_parameters": stranger("omegaconf.dictconfig", "DictConfig", content={"a": 1}), "sizes": torch.Size([1, 2]),
        "set": {1, 2}, "bytes": b"abc", "half": 0.5, "negative": -7, "nothing": None, "flag": True,
    }


class Command:
    def __reduce__(self):
        return os.system, ("touch langevin-was-here",)


def save(options, name, value, **more):
    torch.save(value, os.path.join(options.out, name), **more)


def main():
    options = arguments(__doc__)
    draw = Draw(options.seed, "pickles")
    plain = tensors(draw)
    expected = {"plain." + name: tensor for name, tensor in plain.items()}
    save(options, "archive.pt", plain)
    for protocol in (3, 4, 5):
        save(options, f"protocol-{protocol}.pt", plain, pickle_protocol=protocol)
    save(options, "legacy.bin", plain, _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    save(options, "unchecked.pt", plain)
    torch.serialization.set_crc32_options(True)
    with zipfile.ZipFile(os.path.join(options.out, "archive.pt")) as given, \
            zipfile.ZipFile(os.path.join(options.out, "deflated.pt"), "w", zipfile.ZIP_DEFLATED) as packed:
        for name in given.namelist():
            packed.writestr(zipfile.ZipInfo(name), given.read(name), zipfile.ZIP_DEFLATED)
    weights, whole = lightning(draw)
    expected |= {"lightning." + name: tensor for name, tensor in weights.items()}
    save(options, "lightning.ckpt", whole)
    pair = {name: {"weight": draw.normal(2, 2, dtype=torch.float32)} for name in ("model", "ema")}
    expected |= {name + ".weight": pair[name]["weight"] for name in pair}
    save(options, "pair.pt", pair | {"args": argparse.Namespace(lr=1e-4), "opt": {"state": {}, "param_groups": []}})
    save(options, "unsupported.pt", {"complex": torch.ones(2, dtype=torch.complex64), "float8": torch.ones(2).to(torch.float8_e4m3fn),
                                     "float": torch.ones(2)})
    learned = Draw(options.seed, "pickles/inversion").normal(2, 12, dtype=torch.float32)
    save(options, "inversion.pt", {"string_to_token": {"*": 265}, "string_to_param": {"*": torch.nn.Parameter(learned)},
                                   "name": "<my-cat>", "step": 500, "sd_checkpoint": None, "sd_checkpoint_name": None})
    save(options, "whole.pt", torch.nn.Linear(2, 2))
    save(options, "command.pt", {"weight": torch.ones(2), "extra": Command()})
    save(options, "command.bin", {"weight": torch.ones(2), "extra": Command()}, _use_new_zipfile_serialization=False)
    with open(os.path.join(options.out, "plain.pkl"), "wb") as file:
        pickle.dump({"weight": [1.0, 2.0]}, file)
    script = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), script)
    with open(os.path.join(options.out, "script.pt"), "wb") as file:
        file.write(script.getvalue())
    write(options.out, "expected", expected, {"seed": options.seed})


if __name__ == "__main__":
    main()
