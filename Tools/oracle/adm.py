"""OpenAI's guided diffusion: files of its own code, drawn from a seed, converted by the program and opened by diffusers.

    adm.py --program .build/release/langevin --guided-diffusion FOLDER --seed 3 [--cases 6]

`--guided-diffusion` is a checkout of openai/guided-diffusion, which stays outside this project. Each case is a network with random
weights of its code; its file becomes a folder by `langevin convert`, and that folder's network in diffusers, or of a classifier
in `classifier.py`, must answer as the original one does. Published sizes are counted, too.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import torch
from diffusers import UNet2DModel
from safetensors.torch import load_file, save_file

from classifier import Classifier

# The flags that are published with the weights, and the exact counts.
PUBLISHED = {64: (192, 3, True, 295_904_454), 128: (256, 2, False, 421_529_606), 256: (256, 2, False, 553_838_086)}
CLASSIFIERS = {64: (4, 65_438_568), 128: (2, 42_568_040), 256: (2, 54_096_360)}


def network(size, channels, layers, is_new, is_conditional=True, multipliers=""):
    from guided_diffusion.script_util import create_model

    return create_model(
        size, channels, layers, channel_mult=multipliers, learn_sigma=True, class_cond=is_conditional, num_head_channels=64,
        attention_resolutions="32,16,8", resblock_updown=True, use_scale_shift_norm=True, use_new_attention_order=is_new)


def classifier(size, width, depth):
    from guided_diffusion.script_util import create_classifier

    return create_classifier(size, False, width, depth, "32,16,8", True, True, "attention")


def opened_classifier(folder):
    with open(f"{folder}/classifier/config.json") as file:
        settings = {key: value for key, value in json.load(file).items() if not key.startswith("_")}
    settings["num_classes"] = settings.pop("num_classes", 1000)
    model = Classifier(**settings)
    model.load_state_dict(load_file(f"{folder}/classifier/diffusion_pytorch_model.safetensors"))
    return model.eval()


def drawn(original, draw):
    with torch.no_grad():
        for parameter in original.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) * 0.08 + 0.01)
    return original.eval()


def convert(program, original, room):
    """The folder that the program makes of a network's file."""
    path, folder = os.path.join(room, "original.safetensors"), os.path.join(room, "folder")
    save_file({name: tensor.contiguous() for name, tensor in original.state_dict().items()}, path)
    done = subprocess.run([program, "convert", path, folder], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return folder


def draw_network(draw):
    """A network, what it is, and the side of small pictures for it."""
    size = [64, 128, 256][int(torch.randint(3, (), generator=draw))]
    is_conditional = bool(torch.randint(2, (), generator=draw))
    layers = int(torch.randint(1, 4, (), generator=draw))
    levels = {64: 4, 128: 5, 256: 6}[size]
    # The published networks whose first level has another width than the embedded time are not among the families.
    multipliers = ",".join(["1"] + [str(int(m)) for m in torch.randint(1, 3, (levels - 1,), generator=draw)])
    original = network(size, 64, layers, PUBLISHED[size][2], is_conditional, multipliers)
    what = f"{size} pixels, {layers} layers, channels of 64 times {multipliers}, {'by class' if is_conditional else 'without classes'}"
    return drawn(original, draw), what, 8 << (levels - 1), is_conditional


def compare(program, draw, room, is_classifier):
    if is_classifier:
        size, depth = 64, int(torch.randint(1, 4, (), generator=draw))
        original, what, side = drawn(classifier(size, 64, depth), draw), f"classifier of {size} pixels, {depth} layers", size
        is_conditional = False
        folder = convert(program, original, room)
        opened = opened_classifier(folder)
    else:
        original, what, side, is_conditional = draw_network(draw)
        folder = convert(program, original, room)
        opened = UNet2DModel.from_pretrained(folder, subfolder="unet").eval()
    x = torch.randn(2, 3, side, side, generator=draw)
    times = torch.randint(1000, (2,), generator=draw)
    labels = [torch.randint(1000, (2,), generator=draw)] if is_conditional else []
    with torch.no_grad():
        ours, theirs = opened(x, times, *labels), original(x, times, *labels)
    ours = ours if is_classifier else ours.sample
    error = float((ours - theirs).abs().max() / theirs.abs().max())
    return f"{what}: {error:.1e} apart", error < 1e-5


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--guided-diffusion", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=6)
    options = parser.parse_args()
    sys.path.insert(0, options.guided_diffusion)
    torch.set_num_threads(1)
    passed = True
    for size, (channels, layers, is_new, count) in PUBLISHED.items():
        with torch.device("meta"):
            found = sum(parameter.numel() for parameter in network(size, channels, layers, is_new).parameters())
        passed &= found == count
        print(f"{size} pixels: {found:,} parameters", flush=True)
    for size, (depth, count) in CLASSIFIERS.items():
        with torch.device("meta"):
            found = sum(parameter.numel() for parameter in classifier(size, 128, depth).parameters())
        passed &= found == count
        print(f"classifier of {size} pixels: {found:,} parameters", flush=True)
    for case in range(options.cases):
        draw = torch.Generator().manual_seed(options.seed * 1000 + case)
        with tempfile.TemporaryDirectory() as room:
            try:
                text, agrees = compare(os.path.abspath(options.program), draw, room, is_classifier=case % 3 == 2)
            except RuntimeError as error:
                text, agrees = str(error), False
        passed &= agrees
        print(("" if agrees else "DIFFERENT ") + text, flush=True)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
