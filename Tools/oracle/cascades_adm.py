"""OpenAI's networks of pictures beside the program: files of random weights of that code are sampled as they are, and every sample
must be that of its own sampling loop, with the noise that this program draws.

The checkout of openai/guided-diffusion stays outside this project; without `--guided-diffusion` these cases are passed over.
"""
import json
import os
import subprocess
import sys

import torch
from safetensors.torch import load_file, save_file

LIMIT = 1e-4
# diffusers' schedules, whose class the model is, multiply 4,000 factors in float32, the original code in float64.
LONG_LIMIT = 5e-4
CLASSES = 1000


# --- networks of the original code ---------------------------------------------------------------------------------


def prepare(original, generator):
    """Random weights that keep numbers in range."""
    with torch.no_grad():
        for parameter in original.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() > 1:
                parameter.copy_(noise * 0.7 / parameter[0].numel() ** 0.5)
            else:
                parameter.copy_(noise * 0.1 + (0.5 if parameter.mean() > 0.5 else 0))
    return original.eval()


def network(size, **changes):
    from guided_diffusion.script_util import create_model

    flags = dict(
        num_channels=64, num_res_blocks=1, channel_mult="", learn_sigma=True, class_cond=True,
        attention_resolutions="32,16,8", num_heads=4, num_head_channels=64, resblock_updown=True, use_scale_shift_norm=True,
        use_new_attention_order=size == 64)
    flags.update(changes)
    return create_model(size, **flags)


def improved(size, multipliers=""):
    """A network of iDDPM: halving by convolutions, four heads."""
    return network(
        size, channel_mult=multipliers, num_head_channels=-1, resblock_updown=False, attention_resolutions="16,8", class_cond=False,
        use_new_attention_order=False)


def upsampler(size):
    from guided_diffusion.script_util import sr_create_model

    return sr_create_model(
        size, size // 4, 64, 1, learn_sigma=True, class_cond=True, use_checkpoint=False,
        attention_resolutions="32,16,8" if size == 256 else "32,16", num_heads=4, num_head_channels=-1 if size == 256 else 64,
        num_heads_upsample=-1, use_scale_shift_norm=True, dropout=0.0, resblock_updown=True, use_fp16=False)


def classifier(size):
    from guided_diffusion.script_util import create_classifier

    return create_classifier(size, False, 64, 1, "32,16,8", True, True, "attention")


def save(original, folder, name):
    path = os.path.join(folder, f"{name}.safetensors")
    save_file({name: tensor.contiguous() for name, tensor in original.state_dict().items()}, path)
    return path


# --- sampling by the original code ---------------------------------------------------------------------------------


def diffusion(steps, times=1000, cosine=False, rescaled=False):
    """The process of that code on every (times / steps)-th of its times."""
    from guided_diffusion import gaussian_diffusion as gd
    from guided_diffusion.respace import SpacedDiffusion

    stride = times // steps
    return SpacedDiffusion(
        use_timesteps=set(range(0, stride * steps, stride)),
        betas=gd.get_named_beta_schedule("cosine" if cosine else "linear", times), model_mean_type=gd.ModelMeanType.EPSILON,
        model_var_type=gd.ModelVarType.LEARNED_RANGE, loss_type=gd.LossType.MSE, rescale_timesteps=rescaled)


class Noise:
    """A stream for each picture, as the program draws from them: the last step draws nothing."""

    def __init__(self, seed, count):
        self.generators = [torch.Generator().manual_seed(seed + index) for index in range(count)]

    def draw(self, shape):
        return torch.cat([torch.randn(1, *shape[1:], generator=generator) for generator in self.generators])


def sampled(process, call, shape, noise, steps, ddim=False, condition=None, clips=True):
    from guided_diffusion import gaussian_diffusion as gd

    left = [steps]

    def randn_like(x):
        left[0] -= 1
        return noise.draw(x.shape) if left[0] > 0 and not ddim else torch.zeros_like(x)

    original, gd.th.randn_like = gd.th.randn_like, randn_like
    try:
        start = noise.draw(shape)
        loop = process.ddim_sample_loop if ddim else process.p_sample_loop
        with torch.no_grad():
            return loop(
                call, shape, noise=start, clip_denoised=clips, cond_fn=condition, model_kwargs={}, device="cpu")
    finally:
        gd.th.randn_like = original


def ours(program, folder, *arguments):
    path = os.path.join(folder, "out.safetensors")
    command = [program, "sample", *map(str, arguments), "--threads", "1", "-o", path]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return load_file(path)["samples"]


def compared(what, found, expected, limit=LIMIT):
    if found.shape != expected.shape:
        return f"{what}: {tuple(found.shape)} and not {tuple(expected.shape)}", False
    error = float((found - expected).abs().max() / expected.abs().max())
    return f"{what}: {error:.1e} apart", error < limit


# --- cases -----------------------------------------------------------------------------------------------------------


def original_code(case):
    """Passes a case over where there is no checkout."""
    def guarded(program, draw, folder, options):
        if not options.guided_diffusion:
            return "no --guided-diffusion", None
        if options.guided_diffusion not in sys.path:
            sys.path.insert(0, options.guided_diffusion)
        return case(program, draw, folder)
    return guarded


def base(size, make, side, cosine=False, times=1000, rescaled=False):
    def case(program, draw, folder):
        original = prepare(make(), draw.generator)
        steps, seed, label = draw.one(3, 4, 5), draw.integer(0, 10_000), draw.integer(0, CLASSES - 1)
        kwargs = {"y": torch.full((2,), label)} if original.num_classes else {}
        expected = sampled(
            diffusion(steps, times, cosine, rescaled), lambda x, t: original(x, t, **kwargs), (2, 3, side, side), Noise(seed, 2), steps)
        path = save(original, folder, f"{size}x{size}_diffusion")
        conditions = ["--class", label] if original.num_classes else []
        found = ours(program, folder, path, *conditions, "--steps", steps, "--seed", seed, "--count", 2, "--width", side,
                     "--height", side)
        return compared(f"{size} pixels, {steps} steps", found, expected, LIMIT if times == 1000 else LONG_LIMIT)
    return original_code(case)


def enlarged(size):
    """An upsampler on samples that are given."""
    def case(program, draw, folder):
        original = prepare(upsampler(size), draw.generator)
        steps, seed, label = draw.one(4, 5), draw.integer(0, 10_000), draw.integer(0, CLASSES - 1)
        low = draw.normal(2, 3, 8, 8, dtype=torch.float32).clamp(-1, 1)
        save_file({"samples": low}, os.path.join(folder, "low.safetensors"))
        call = lambda x, t: original(x, t, low_res=low, y=torch.full((2,), label))
        expected = sampled(diffusion(steps), call, (2, 3, 32, 32), Noise(seed, 2), steps)
        path = save(original, folder, "upsampler")
        found = ours(program, folder, path, "--class", label, "--steps", steps, "--seed", seed, "--count", 2, "--image",
                     os.path.join(folder, "low.safetensors"))
        return compared(f"to {size} pixels, {steps} steps", found, expected)
    return original_code(case)


def opened(program, original, folder, name, part, **changes):
    """The folder that the program makes of a network's file, with changes in the configuration of a part."""
    path = os.path.join(folder, name)
    subprocess.run([program, "convert", save(original, folder, name), path], check=True, capture_output=True)
    file = os.path.join(path, part, "scheduler_config.json" if part == "scheduler" else "config.json")
    with open(file) as stream:
        settings = json.load(stream)
    with open(file, "w") as stream:
        json.dump(settings | changes, stream)
    return path


def cascade(program, draw, folder):
    """A base and an upsampler behind it: the streams of the pictures run on."""
    first, second = prepare(network(64), draw.generator), prepare(upsampler(256), draw.generator)
    steps, more, seed, label = draw.one(3, 4), draw.one(2, 3), draw.integer(0, 10_000), draw.integer(0, CLASSES - 1)
    noise, y = Noise(seed, 2), torch.full((2,), label)
    low = sampled(diffusion(steps, cosine=True), lambda x, t: first(x, t, y=y), (2, 3, 16, 16), noise, steps)
    high = sampled(diffusion(more), lambda x, t: second(x, t, low_res=low, y=y), (2, 3, 64, 64), noise, more)
    found = ours(
        program, folder, save(first, folder, "base"), "--class", label, "--steps", steps, "--seed", seed, "--count", 2,
        "--width", 16, "--height", 16, "--then", opened(program, second, folder, "second", "unet", sample_size=64),
        "--steps", more)
    return compared(f"16 to 64 pixels, {steps} and {more} steps", found, high)


def guided(program, draw, folder):
    """A network under a class, guided to that class by a classifier, as the published commands do."""
    original, judge = prepare(network(64), draw.generator), prepare(classifier(64), draw.generator)
    steps, seed, label = draw.one(4, 5), draw.integer(0, 10_000), draw.integer(0, CLASSES - 1)
    scale, y = draw.real(1, 10), torch.full((2,), label)

    def condition(x, t, **_):
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            chosen = torch.log_softmax(judge(x, t), -1)[range(len(x)), y]
            return torch.autograd.grad(chosen.sum(), x)[0] * scale

    call = lambda x, t, **_: original(x, t, y=y)
    expected = sampled(diffusion(steps, cosine=True), call, (2, 3, 64, 64), Noise(seed, 2), steps, ddim=True, condition=condition,
                       clips=False)
    # Data that are cut off are another formula where DDIM is guided: without it both agree.
    model = opened(program, original, folder, "model", "scheduler", clip_sample=False)
    found = ours(
        program, folder, model, "--class", label, "--steps", steps, "--seed", seed, "--count", 2, "--solver", "ddim",
        "--guidance-method", "classifier", "--classifier", save(judge, folder, "judge"), "--guidance", scale)
    return compared(f"class {label}, scale {scale}, {steps} steps", found, expected)


CASES = [
    ("adm-64", base(64, lambda: network(64), 16, cosine=True)),
    ("adm-128", base(128, lambda: network(128, num_head_channels=-1), 16)),
    ("adm-256", base(256, lambda: network(256), 32)),
    ("adm-512", base(512, lambda: network(512, attention_resolutions="32,16,8"), 64)),
    ("adm-uncond", base(256, lambda: network(256, class_cond=False), 32)),
    ("iddpm-64", base(64, lambda: improved(64), 16, cosine=True, times=4000, rescaled=True)),
    ("iddpm-32", base(32, lambda: improved(32, "1,2,2,2"), 16, cosine=True, times=4000, rescaled=True)),
    ("adm-upsampler-256", enlarged(256)),
    ("adm-upsampler-512", enlarged(512)),
    ("adm-guided", original_code(guided)),
    ("adm-cascade", original_code(cascade)),
]
