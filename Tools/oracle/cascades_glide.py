"""GLIDE beside the program: networks of the original code with random weights are sampled by its own loops and by the program,
from the same noise, and the samples compared.

The checkout of openai/glide-text2im stays outside this project; without `--glide` these cases are passed over. It needs attrs,
ftfy and PyYAML (`PYTHONPATH`). Prompts are drawn at random: a token that differs shows in the samples.
"""
import gzip
import json
import os
import subprocess
import sys

import numpy
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file

from cascades_adm import Noise, compared, prepare

CONTEXT = 16
TEMPERATURE = 0.997
WORDS = ["a", "corgi", "fox", "Panda", "on", "stained", "glass", "Ünïcode", "ΣΊΣΥΦΟΣ", "it's", "  two", "3", "1984", "snow-covered", "!?", "日本",
         "\ttab", "we'll", "O'Neill", "painting", "of"]


# --- networks ------------------------------------------------------------------------------------------------------


def network(size, enlarges=False, inpaints=False, width=64, layers=2):
    from glide_text2im.model_creation import create_model

    return create_model(
        image_size=size, num_channels=64, num_res_blocks=1, channel_mult={16: "1,2", 64: "1,1,2,2"}[size],
        attention_resolutions={16: "8", 64: "32,16,8"}[size], num_heads=1, num_head_channels=64, num_heads_upsample=-1,
        use_scale_shift_norm=True, dropout=0.1, text_ctx=CONTEXT, xf_width=width, xf_layers=layers, xf_heads=width // 64,
        xf_final_ln=True, xf_padding=True, resblock_updown=True, use_fp16=False, cache_text_emb=False, inpaint=inpaints,
        super_res=enlarges)


def saved(model, folder, name):
    path = os.path.join(folder, f"{name}.safetensors")
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, path)
    return path


def vocabulary(folder):
    """The merges, where the program looks for them: beside the file of the network."""
    import glide_text2im

    packed = os.path.join(os.path.dirname(glide_text2im.__file__), "tokenizer", "vocab.bpe.gz")
    with gzip.open(packed) as source, open(os.path.join(folder, "vocab.bpe"), "wb") as target:
        target.write(source.read())


def sentence(draw):
    return " ".join(draw.one(*WORDS) for _ in range(draw.integer(1, 9)))


def tokens(model, prompts):
    rows = [model.tokenizer.padded_tokens_and_mask(model.tokenizer.encode(prompt) if prompt else [], CONTEXT)
            for prompt in prompts]
    return dict(tokens=torch.tensor([row[0] for row in rows]), mask=torch.tensor([row[1] for row in rows]))


# --- the original's loops ------------------------------------------------------------------------------------------


def process(respacing, enlarges=False):
    from glide_text2im.model_creation import create_gaussian_diffusion

    return create_gaussian_diffusion(1000, "linear" if enlarges else "squaredcos_cap_v2", str(respacing))


def looped(spaced, call, shape, noise, ddim=False, temperature=1.0, condition=None, known=None):
    """A sampling loop with the noise that the program draws: the last step draws none."""
    from glide_text2im import gaussian_diffusion as gd

    left = [spaced.num_timesteps]

    def randn_like(x):
        left[0] -= 1
        return noise.draw(x.shape) if left[0] > 0 and not ddim else torch.zeros_like(x)

    def restored(x):
        return x if known is None else x * (1 - known[1]) + known[0] * known[1]

    original, gd.th.randn_like = gd.th.randn_like, randn_like
    try:
        start = noise.draw(shape) * temperature
        loop = spaced.ddim_sample_loop if ddim else spaced.p_sample_loop
        with torch.no_grad():
            return loop(call, shape, noise=start, clip_denoised=True, denoised_fn=restored, cond_fn=condition, model_kwargs={},
                        device="cpu")
    finally:
        gd.th.randn_like = original


def guided(model, prompt, scale, **others):
    """Classifier-free guidance of ε; the variance is the conditional one."""
    wanted, unwanted = tokens(model, [prompt] * 2), tokens(model, [""] * 2)

    def call(x, t, **_):
        output = model(x, t, **wanted, **others)
        other = model(x, t, **unwanted, **others)[:, :3]
        return torch.cat([other + scale * (output[:, :3] - other), output[:, 3:]], dim=1)
    return call


def conditional(model, prompt, **others):
    wanted = tokens(model, [prompt] * 2)
    return lambda x, t, **_: model(x, t, **wanted, **others)


def rounded(samples):
    return ((samples + 1) * 127.5).round() / 127.5 - 1


# --- pictures ------------------------------------------------------------------------------------------------------


def picture(draw, folder, size):
    values = torch.randint(0, 256, (size, size, 3), generator=draw.generator, dtype=torch.uint8).numpy()
    path = os.path.join(folder, "picture.png")
    Image.fromarray(values).save(path)
    return path


def resized(path, size):
    image = Image.open(path).convert("RGB").resize((size, size), resample=Image.BICUBIC)
    return torch.from_numpy(numpy.array(image))[None].permute(0, 3, 1, 2).float() / 127.5 - 1


def masks(draw, folder, small, large):
    """A mask of the smaller size, written in the larger one: white where the picture is made anew. 1 where it is known."""
    known = (torch.rand(small, small, generator=draw.generator) < 0.5).float()
    enlarged = F.interpolate(known[None, None], (large, large), mode="nearest")
    path = os.path.join(folder, "mask.png")
    Image.fromarray(((1 - enlarged[0, 0]) * 255).byte().numpy()).save(path)
    return path, known[None, None]


def ours(program, folder, *arguments):
    path = os.path.join(folder, "out.safetensors")
    command = [program, "generate", *map(str, arguments), "--count", "2", "--threads", "1", "-o", path]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return load_file(path)["samples"]


# --- cases ---------------------------------------------------------------------------------------------------------


def original_code(case):
    """Passes a case over where there is no checkout."""
    def checked(program, draw, folder, options):
        if not options.glide:
            return "no --glide", None
        if options.glide not in sys.path:
            sys.path.insert(0, options.glide)
        vocabulary(folder)
        return case(program, draw, folder)
    return checked


def drawn(draw, *sizes, **kinds):
    """A network with random weights. Its last ones are smaller than the others, as 27 steps make much of a difference in the last
    digit where estimates change with the picture as wildly as random weights let them."""
    model = prepare(network(*sizes, width=draw.one(64, 128), layers=draw.one(1, 2), **kinds), draw.generator)
    with torch.no_grad():
        model.out[2].weight.mul_(0.3)
    return model


def base(program, draw, folder):
    model, prompt = drawn(draw, 16), sentence(draw)
    steps, seed, scale = draw.one(3, 4, 7), draw.integer(0, 10_000), draw.real(1.5, 5)
    expected = looped(process(steps), guided(model, prompt, scale), (2, 3, 16, 16), Noise(seed, 2))
    found = ours(program, folder, prompt, "--model", saved(model, folder, "base"), "--steps", steps, "--seed", seed, "--guidance", scale)
    return compared(f"{prompt!r}, scale {scale}, {steps} steps", found, expected)


def upsampler(program, draw, folder):
    model, prompt = drawn(draw, 64, enlarges=True), sentence(draw)
    seed, low = draw.integer(0, 10_000), rounded(draw.normal(2, 3, 8, 8, dtype=torch.float32).clamp(-1, 1))
    save_file({"samples": low}, os.path.join(folder, "low.safetensors"))
    expected = looped(
        process("fast27", enlarges=True), conditional(model, prompt, low_res=low), (2, 3, 32, 32), Noise(seed, 2), ddim=True,
        temperature=TEMPERATURE)
    found = ours(program, folder, prompt, "--model", saved(model, folder, "upsampler"), "--seed", seed, "--image",
                 os.path.join(folder, "low.safetensors"))
    return compared(f"{prompt!r}, fast27", found, expected)


def both(found, expected, line):
    """The result of a base and of what enlarges its pictures. These are rounded to bytes, so that a difference in the last digit of
    one can be one of a whole level: the second network of the original is given what the program's first one drew."""
    (low, small), (high, large) = [compared(line, *pair) for pair in zip(found, expected)]
    return f"{low}, then {high.removeprefix(line + ': ')}", small and large


def cascade(program, draw, folder):
    """The base and its upsampler; the streams of the pictures run on."""
    first, second, prompt = drawn(draw, 16), drawn(draw, 64, enlarges=True), sentence(draw)
    steps, seed = draw.one(3, 5), draw.integer(0, 10_000)
    noise, temperature = Noise(seed, 2), draw.one(None, 0.9, 1.0)
    low = looped(process(steps), guided(first, prompt, 3.0), (2, 3, 16, 16), noise)
    arguments = [prompt, "--model", saved(first, folder, "base"), "--steps", steps, "--seed", seed]
    drawn_low = ours(program, folder, *arguments)
    high = looped(
        process("fast27", enlarges=True), conditional(second, prompt, low_res=rounded(drawn_low)), (2, 3, 64, 64), noise, ddim=True,
        temperature=temperature or TEMPERATURE)
    drawn_high = ours(
        program, folder, *arguments, "--then", saved(second, folder, "second"),
        *([] if temperature is None else ["--temperature", temperature]))
    return both((drawn_low, drawn_high), (low, high), f"{prompt!r}, {steps} and 27 steps")


def inpainting(program, draw, folder):
    """A hidden part is made anew by both networks."""
    first, second = drawn(draw, 16, inpaints=True), drawn(draw, 64, enlarges=True, inpaints=True)
    prompt, steps, seed, scale = sentence(draw), draw.one(3, 5), draw.integer(0, 10_000), draw.real(2, 6)
    image, noise = picture(draw, folder, 64), Noise(seed, 2)
    mask, known = masks(draw, folder, 16, 64)

    def given(size):
        mask = F.interpolate(known, (size, size), mode="nearest").repeat(2, 1, 1, 1)
        return resized(image, size).repeat(2, 1, 1, 1) * mask, mask
    small, large = given(16), given(64)
    low = looped(
        process(steps), guided(first, prompt, scale, inpaint_image=small[0], inpaint_mask=small[1]), (2, 3, 16, 16), noise, known=small)
    arguments = [
        prompt, "--model", saved(first, folder, "base"), "--steps", steps, "--seed", seed, "--guidance", scale, "--image", image,
        "--mask", mask]
    drawn_low = ours(program, folder, *arguments)
    call = conditional(second, prompt, low_res=rounded(drawn_low), inpaint_image=large[0], inpaint_mask=large[1])
    high = looped(
        process("fast27", enlarges=True), call, (2, 3, 64, 64), noise, temperature=TEMPERATURE, known=large)
    drawn_high = ours(program, folder, *arguments, "--then", saved(second, folder, "second"))
    return both((drawn_low, drawn_high), (low, high), f"{prompt!r}, scale {scale}, {steps} and 27 steps")


# --- guidance by CLIP ----------------------------------------------------------------------------------------------


def small_clip(folder):
    """A small CLIP that knows noise, as the original code begins it."""
    import yaml
    from glide_text2im.clip.model_creation import create_clip_model

    sizes = dict(
        logit_scale=100.0, beta_schedule="squaredcos_cap_v2", n_timesteps=1000, image_size=16, patch_size=4, n_vocab=65536,
        max_text_len=77, n_embd=32, n_head_state_text=16, n_head_text=2, n_xf_blocks_text=2, n_head_state_image=16, n_head_image=2,
        n_xf_blocks_image=2)
    config = os.path.join(folder, "clip.yaml")
    with open(config, "w") as stream:
        yaml.safe_dump(sizes, stream)
    return create_clip_model(config, device=torch.device("cpu"))


def clip(draw, folder):
    """A small CLIP with random weights, and its folder for the program."""
    model = small_clip(folder)
    path = os.path.join(folder, "clip")
    common = dict(n_embd=32)
    parts = {
        "image_encoder": (prepare(model.image_encoder, draw.generator), dict(
            common, _class_name="NoisyCLIPImage", image_size=16, patch_size=4, n_head=2, n_head_state=16, n_xf_blocks=2,
            n_timesteps=1000)),
        "text_encoder": (prepare(model.text_encoder, draw.generator), dict(
            common, _class_name="NoisyCLIPText", n_vocab=65536, max_text_len=77, n_head=2, n_head_state=16, n_xf_blocks=2)),
    }
    for name, (part, settings) in parts.items():
        os.makedirs(os.path.join(path, name))
        save_file({key: value.contiguous() for key, value in part.state_dict().items()},
                  os.path.join(path, name, "diffusion_pytorch_model.safetensors"))
        write(path, f"{name}/config.json", settings)
    os.makedirs(os.path.join(path, "scheduler"))
    write(path, "scheduler/scheduler_config.json", {
        "_class_name": "DDPMScheduler", "beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 1000})
    write(path, "model_index.json", {
        "_class_name": "NoisyCLIPPipeline", "logit_scale": 100.0,
        "image_encoder": ["langevin", "NoisyCLIPImage"], "text_encoder": ["langevin", "NoisyCLIPText"],
        "scheduler": ["diffusers", "DDPMScheduler"]})
    return model, path


def write(folder, name, settings):
    with open(os.path.join(folder, name), "w") as stream:
        json.dump(settings, stream)


def clip_guided(program, draw, folder):
    model, prompt = drawn(draw, 16), " ".join(draw.one("a", "fox", "Corgi", "painting", "of", "3") for _ in range(5))
    judge, path = clip(draw, folder)
    steps, seed, scale = draw.one(4, 6), draw.integer(0, 10_000), draw.real(0.02, 0.2)
    call = conditional(model, prompt)
    expected = looped(
        process(steps), call, (2, 3, 16, 16), Noise(seed, 2), condition=judge.cond_fn([prompt] * 2, scale))
    plain = looped(process(steps), call, (2, 3, 16, 16), Noise(seed, 2))
    found = ours(
        program, folder, prompt, "--model", saved(model, folder, "base"), "--steps", steps, "--seed", seed, "--guidance-method", "clip",
        "--noisy-clip", path, "--guidance", scale)
    line, agrees = compared(f"{prompt!r}, scale {scale}, {steps} steps", found, expected)
    return f"{line}, {float((plain - expected).abs().max()):.1e} by guidance", agrees


CASES = [
    ("glide-base", original_code(base)),
    ("glide-upsampler", original_code(upsampler)),
    ("glide-cascade", original_code(cascade)),
    ("glide-inpainting", original_code(inpainting)),
    ("glide-clip", original_code(clip_guided)),
]
