"""Samples of OpenAI's networks of pictures, drawn from a seed by the original code, for tests that need no Python.

    glide.py --glide FOLDER --guided-diffusion FOLDER --seed 1 [--output Tests/Fixtures/glide]

Both checkouts stay outside this project. Weights are not written: a test draws them anew from the seed of its case, parameter by
parameter as `case["parameters"]` lists them. The vocabulary of texts is a few merges that are made up here.
"""
import argparse
import os
import sys
import tempfile

import torch

import cascades_adm as adm
import cascades_glide as glide
from common import Draw, write

MERGES = ["t h", "th e", "Ġ c", "o r", "g i", "Ġc or", "Ġcor gi", "Ġ a", "i n", "in g", "Ġ p", "a in", "Ġp ain", "t ing"]
PROMPTS = ["a corgi painting", "The  Σίσυφος' corgi, it's 1984!"]


def vocabulary():
    """The original's encoder over those merges."""
    from glide_text2im.tokenizer.bpe import Encoder, bytes_to_unicode

    merges = [tuple(line.split()) for line in MERGES]
    names = list(bytes_to_unicode().values()) + [left + right for left, right in merges] + ["<|endoftext|>"]
    return Encoder({name: index for index, name in enumerate(names)}, merges)


def described(model):
    """How the test draws each parameter: noise times a number over another, plus a third."""
    rows = []
    for name, parameter in model.named_parameters():
        isMatrix = parameter.dim() > 1
        rows.append(dict(
            name=name, shape=list(parameter.shape), fan=parameter[0].numel() if isMatrix else 0,
            shift=0.5 if not isMatrix and parameter.mean() > 0.4 else 0.0))
    return rows


def prepared(make, seed):
    """A network with weights drawn from a seed, and how."""
    model = make()
    rows = described(model)
    return adm.prepare(model, torch.Generator().manual_seed(seed)), rows


def tokens(folder, encoder):
    texts = PROMPTS + ["", " ", "\n\n  x ", "we'll  go\t3x", "ΑΣ ΣΑΣ.", "日本 ok", "a  ", "A" * 9]
    ids = [encoder.encode(text) for text in texts]
    padded = [encoder.padded_tokens_and_mask(row, glide.CONTEXT)[0] for row in ids]
    return write(folder, "tokens", {"ids": torch.tensor(padded)}, dict(texts=texts, full=ids, merges=MERGES, length=glide.CONTEXT))


def forward(model, prompt, seed, **others):
    """What a network makes of noise at two times."""
    x, times = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(seed + 5)), torch.tensor([7, 900])
    with torch.no_grad():
        return dict(x=x, time=times, output=model(x, times, **glide.tokens(model, [prompt, ""]), **others))


def base(folder, seed):
    model, rows = prepared(lambda: glide.network(16), seed)
    samples = glide.looped(glide.process(4), glide.guided(model, PROMPTS[0], 3.0), (2, 3, 16, 16), glide.Noise(seed, 2))
    return write(folder, "base", {"samples": samples} | forward(model, PROMPTS[0], seed), dict(
        parameters=rows, seed=seed, steps=4, guidance=3.0, prompt=PROMPTS[0], merges=MERGES))


def upsampler(folder, seed):
    model, rows = prepared(lambda: glide.network(64, enlarges=True), seed)
    low = glide.rounded(torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1)
    samples = glide.looped(
        glide.process("fast27", enlarges=True), glide.conditional(model, PROMPTS[1], low_res=low), (2, 3, 16, 16), glide.Noise(seed, 2),
        ddim=True, temperature=glide.TEMPERATURE)
    return write(folder, "upsampler", {"samples": samples, "low": low} | forward(model, PROMPTS[1], seed, low_res=low), dict(
        parameters=rows, seed=seed, prompt=PROMPTS[1], merges=MERGES))


def inpainting(folder, seed):
    model, rows = prepared(lambda: glide.network(16, inpaints=True), seed)
    draw = Draw(seed, "inpainting")
    with tempfile.TemporaryDirectory() as room:
        picture = glide.resized(glide.picture(draw, room, 16), 16)
        _, known = glide.masks(draw, room, 16, 16)
    mask = known.repeat(2, 1, 1, 1)
    given = picture.repeat(2, 1, 1, 1) * mask
    samples = glide.looped(
        glide.process(3), glide.guided(model, PROMPTS[0], 5.0, inpaint_image=given, inpaint_mask=mask), (2, 3, 16, 16),
        glide.Noise(seed, 2), known=(given, mask))
    network = forward(model, PROMPTS[0], seed, inpaint_image=given, inpaint_mask=mask)
    return write(folder, "inpainting", {"samples": samples, "picture": picture, "known": known} | network, dict(
        parameters=rows, seed=seed, steps=3, guidance=5.0, prompt=PROMPTS[0], merges=MERGES))


def clip(folder, seed):
    model, rows = prepared(lambda: glide.network(16), seed)
    with tempfile.TemporaryDirectory() as room:
        judge = glide.small_clip(room)
    encoders = []
    for offset, part in enumerate([judge.image_encoder, judge.text_encoder]):
        encoders.append(described(part))
        adm.prepare(part, torch.Generator().manual_seed(seed + 1 + offset))
    prompt, scale = "a corgi painting", 0.05
    samples = glide.looped(
        glide.process(4), glide.conditional(model, prompt), (2, 3, 16, 16), glide.Noise(seed, 2),
        condition=judge.cond_fn([prompt] * 2, scale))
    return write(folder, "clip", {"samples": samples}, dict(
        parameters=rows, image=encoders[0], text=encoders[1], seed=seed, steps=4, guidance=scale, prompt=prompt, merges=MERGES))


def classes(folder, seed):
    """Guided diffusion's network of 64 pixels under a class."""
    model, rows = prepared(lambda: adm.network(64), seed)
    labels = torch.full((2,), 7)
    samples = adm.sampled(
        adm.diffusion(4, cosine=True), lambda x, t: model(x, t, y=labels), (2, 3, 16, 16), adm.Noise(seed, 2), 4)
    return write(folder, "adm-64", {"samples": samples}, dict(parameters=rows, seed=seed, steps=4, label=7))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--glide", required=True)
    parser.add_argument("--guided-diffusion", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", default="Tests/Fixtures/glide")
    options = parser.parse_args()
    sys.path[:0] = [options.glide, options.guided_diffusion]
    import glide_text2im.model_creation as creation

    torch.set_num_threads(1)
    encoder = vocabulary()
    creation.get_encoder = lambda: encoder
    os.makedirs(options.output, exist_ok=True)
    size = tokens(options.output, encoder)
    for index, case in enumerate([base, upsampler, inpainting, clip, classes]):
        size += case(options.output, options.seed * 100 + index * 10)
    print(f"{size / 1024:.0f} KiB in all")


if __name__ == "__main__":
    main()
