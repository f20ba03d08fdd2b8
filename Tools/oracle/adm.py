"""OpenAI's guided diffusion: files of its own code, drawn from a seed, converted by the program and opened by diffusers.

    adm.py --program .build/release/langevin --guided-diffusion FOLDER --seed 3 [--cases 6]

`--guided-diffusion` is a checkout of openai/guided-diffusion, which stays outside this project. Each case is a network with random
weights of its code; its file becomes a folder by `langevin convert`, and that folder's network in diffusers must answer as the
original one does. Published sizes are counted, too.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import torch
from diffusers import UNet2DModel
from safetensors.torch import save_file

# The flags that are published with the weights, and the exact counts.
PUBLISHED = {64: (192, 3, True, 295_904_454), 128: (256, 2, False, 421_529_606), 256: (256, 2, False, 553_838_086)}


def network(size, channels, layers, is_new, is_conditional=True, multipliers=""):
    from guided_diffusion.script_util import create_model

    return create_model(
        size, channels, layers, channel_mult=multipliers, learn_sigma=True, class_cond=is_conditional, num_head_channels=64,
        attention_resolutions="32,16,8", resblock_updown=True, use_scale_shift_norm=True, use_new_attention_order=is_new)


def compare(program, draw, room):
    size = [64, 128, 256][int(torch.randint(3, (), generator=draw))]
    _, _, is_new, _ = PUBLISHED[size]
    is_conditional = bool(torch.randint(2, (), generator=draw))
    layers = int(torch.randint(1, 4, (), generator=draw))
    levels = {64: 4, 128: 5, 256: 6}[size]
    # The published networks whose first level has another width than the embedded time are not among the families.
    multipliers = ",".join(["1"] + [str(int(m)) for m in torch.randint(1, 3, (levels - 1,), generator=draw)])
    original = network(size, 64, layers, is_new, is_conditional, multipliers)
    with torch.no_grad():
        for parameter in original.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) * 0.08 + 0.01)
    original.eval()
    path = os.path.join(room, "original.safetensors")
    save_file({name: tensor.contiguous() for name, tensor in original.state_dict().items()}, path)
    folder = os.path.join(room, "folder")
    done = subprocess.run([program, "convert", path, folder], capture_output=True, text=True)
    what = f"{size} pixels, {layers} layers, channels of 64 times {multipliers}, {'by class' if is_conditional else 'without classes'}"
    if done.returncode:
        return f"{what}: {done.stderr.strip()}", False
    opened = UNet2DModel.from_pretrained(folder, subfolder="unet").eval()
    side = 8 << (levels - 1)
    x = torch.randn(2, 3, side, side, generator=draw)
    times = torch.randint(1000, (2,), generator=draw)
    labels = torch.randint(1000, (2,), generator=draw) if is_conditional else None
    with torch.no_grad():
        ours = opened(x, times, class_labels=labels).sample
        theirs = original(x, times, labels) if is_conditional else original(x, times)
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
    for case in range(options.cases):
        draw = torch.Generator().manual_seed(options.seed * 1000 + case)
        with tempfile.TemporaryDirectory() as room:
            text, agrees = compare(os.path.abspath(options.program), draw, room)
        passed &= agrees
        print(("" if agrees else "DIFFERENT ") + text, flush=True)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
