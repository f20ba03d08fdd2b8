"""`generate --prompt-weights`: AUTOMATIC1111's syntax of prompts, drawn together with what it means, on tiny models.

    prompts.py --program .build/release/langevin --seed 3 [--cases 4] [--only KIND] [--keep FOLDER]

Each prompt is drawn as a tree, of which this file writes the text and says what is encoded at which step, by the documentation
of the syntax and not by a parser; diffusers then samples with these states. Prints a line a case; exit code 1 where one failed.
"""
import torch

import pipelines
from pipeline_references import Unfit, with_solver

WORDS = "cat dog mat house sky red blue old small on of a the seen from afar".split()
# A call of the network is a step in these.
SINGLE = ("DDIMScheduler", "DDPMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "LMSDiscreteScheduler",
          "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler")


# --- prompts -----------------------------------------------------------------------------------------------------


def words(draw):
    text = " ".join(draw.one(*WORDS) for _ in range(draw.integer(1, 3)))
    return text, lambda step: [(text, 1.0)]


def scaled(meaning, factor):
    return lambda step: [(text, weight * factor) for text, weight in meaning(step)]


def weight(draw, steps, depth):
    text, meaning = sequence(draw, steps, depth + 1)
    form = draw.integer(0, 2)
    if form == 0:
        factor = draw.one(1.3, 0.5, 1.75)
        return f"({text}:{factor})", scaled(meaning, factor)
    return (f"({text})", scaled(meaning, 1.1)) if form == 1 else (f"[{text}]", scaled(meaning, 1 / 1.1))


def change(draw, steps, depth):
    before, after = sequence(draw, steps, depth + 1), sequence(draw, steps, depth + 1)
    share = draw.chance(0.5)
    number = draw.one(0.0, 0.25, 0.5, 0.7, 1.0) if share else draw.integer(0, steps)
    at = int(number * steps) if share else number
    space = draw.one("", " ")
    form = draw.integer(0, 2)
    if form == 0:
        text = f"[{before[0]}:{after[0]}:{space}{number}]"
    elif form == 1:
        text, before = f"[{after[0]}:{space}{number}]", ("", lambda step: [])
    else:
        text, after = f"[{before[0]}::{number}{space}]", ("", lambda step: [])
    return text, lambda step: (before if step < at else after)[1](step)


def turns(draw, steps, depth):
    options = [sequence(draw, steps, depth + 1) for _ in range(draw.integer(2, 3))]
    if draw.chance(0.2):
        options[-1] = ("", lambda step: [])
    return "[" + "|".join(text for text, _ in options) + "]", lambda step: options[step % len(options)][1](step)


def sequence(draw, steps, depth=0):
    makers = [lambda: words(draw)]
    if depth < 3:
        makers += [lambda make=make: make(draw, steps, depth) for make in (weight, change, turns)]
    parts = [draw.one(*makers)() for _ in range(draw.integer(1, 3 if depth == 0 else 2))]
    return " ".join(text for text, _ in parts), lambda step: [piece for _, meaning in parts for piece in meaning(step)]


def prompt(draw, steps):
    """A prompt, and its chunks of weighted texts at a step."""
    chunks = [sequence(draw, steps) for _ in range(draw.one(1, 1, 2, 3))]
    return " BREAK ".join(text for text, _ in chunks), lambda step: [meaning(step) for _, meaning in chunks]


# --- states ------------------------------------------------------------------------------------------------------


def joined(pieces):
    """Neighbours of one weight are one text, as they stand in the prompt."""
    found = []
    for text, weight in pieces:
        if found and found[-1][1] == weight:
            found[-1] = (found[-1][0] + " " + text, weight)
        else:
            found.append((text, weight))
    return found


def encoded(pipe, pieces, normalization):
    """The states of one chunk, [1, 77, width]."""
    tokenizer, ids, weights = pipe.tokenizer, [], []
    for text, weight in joined(pieces):
        own = tokenizer(text, add_special_tokens=False).input_ids
        ids += own
        weights += [weight] * len(own)
    length = tokenizer.model_max_length
    if len(ids) > length - 2:
        raise Unfit("a prompt that is cut")
    padding = length - 2 - len(ids)
    row = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id] + [tokenizer.pad_token_id] * padding
    states = pipe.text_encoder(torch.tensor([row]))[0]
    weights = torch.tensor([1.0, *weights, 1.0] + [1.0] * padding)[None, :, None]
    if bool((weights == 1).all()):
        return states
    if normalization == "comfyui":
        empty = encoded(pipe, [], None)
        return empty + (states - empty) * weights
    weighted = states * weights
    return weighted * (states.mean() / weighted.mean())


class Edited:
    """A pipeline whose network is given the states of each step."""

    def __init__(self, opened, wanted, unwanted, normalization):
        self.opened, self.wanted, self.unwanted, self.normalization = opened, wanted, unwanted, normalization

    def __getattr__(self, name):
        return getattr(self.opened, name)

    def states(self, chunks, count):
        filled = chunks + [[]] * (count - len(chunks))
        return torch.cat([encoded(self.opened.pipe, chunk, self.normalization) for chunk in filled], 1)

    def __call__(self, request, **more):
        pipe, calls = self.opened.pipe, [0]
        wanted = self.wanted[1] if request.prompt == self.wanted[0] else lambda step: [[(request.prompt, 1.0)]]
        unwanted = self.unwanted[1] if self.unwanted else lambda step: [[]]
        forward = pipe.unet.forward

        def edited(sample, time, encoder_hidden_states=None, **rest):
            own, other = wanted(calls[0]), unwanted(calls[0])
            guided = sample.shape[0] == 2 * request.count
            count = max(len(own), len(other)) if guided else len(own)
            rows = [self.states(own, count)] * request.count
            rows = [self.states(other, count)] * request.count + rows if guided else rows
            calls[0] += 1
            return forward(sample, time, encoder_hidden_states=torch.cat(rows), **rest)

        pipe.unet.forward = edited
        try:
            return self.opened(request.changed(prompt="a", negative=None), **more)
        finally:
            pipe.unet.forward = forward


def case(base, normalization):
    def make(place):
        job, draw = KINDS_OF_MODELS[base](place), place.draw
        scheduler = with_solver(job.open().pipe.scheduler, job.request)
        if type(scheduler).__name__ not in SINGLE:
            raise Unfit("several calls a step")
        steps = draw.integer(3, 6)
        wanted = prompt(draw, steps)
        unwanted = prompt(draw, steps) if draw.chance(0.5) else None
        asked = job.request.changed(prompt=wanted[0], negative=unwanted and unwanted[0], steps=steps, clip_skip=None)
        if asked.guidance is not None and asked.guidance <= 1 and unwanted:
            raise Unfit("a negative prompt that nothing reads")
        reference = job.open
        job.request = asked
        job.open = lambda folder=job.folder: Edited(reference(folder), wanted, unwanted, normalization)
        job.options = (*job.options, "--prompt-weights", *([] if normalization == "a1111" and draw.chance(0.5) else
                                                           ["--weight-normalization", normalization]))
        return job
    return make


if __name__ == "__main__":
    KINDS_OF_MODELS = pipelines.KINDS
    pipelines.KINDS = {f"{base}-{normalization}": case(base, normalization) for base in ("sd1", "sd2") for normalization in
                       ("a1111", "comfyui")}
    pipelines.main()
