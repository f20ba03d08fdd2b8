"""`generate --embedding`: learned vectors for words of prompts in every form of file, on tiny models drawn from a seed.

    inversions.py --program .build/release/langevin --seed 3 [--only KIND] [--cases 1] [--keep FOLDER]

The reference is `load_textual_inversion` of diffusers. Prints a line a case; exit code 1 where one failed.
"""
import os
import subprocess

import torch
from safetensors.torch import save_file

import pipelines
from pipeline_references import Unfit

FORMS = ["diffusers", "emb_params", "pickle", "clip_l"]
WORDS = ["<my-cat>", "easynegative", "EasyNegative", "Mein Stil", "<s0><s1>", "kätzchen"]


def encoders(pipe):
    """The text encoders of a pipeline with their tokenizers, by the names that files have for them."""
    found = {"clip_l": (pipe.text_encoder, pipe.tokenizer)}
    if getattr(pipe, "text_encoder_2", None) is not None:
        found["clip_g"] = (pipe.text_encoder_2, pipe.tokenizer_2)
    return {name: pair for name, pair in found.items() if pair[0] is not None}


def written(place, form, index, word, vectors, program):
    """The file of a word, `{encoder: vectors}`, and the value of the option."""
    draw, only = place.draw, next(iter(vectors.values()))
    if draw.chance(0.3) and only.shape[0] == 1 and form != "clip_l":
        only = only[0]
    path = place.file(f"learned-{index}.safetensors")
    if form == "clip_l":
        save_file(vectors, path)
        return f"{path}:{word}"
    if form == "diffusers":
        renamed = draw.chance(0.4)
        save_file({"<other>" if renamed else word: only}, path)
        return f"{path}:{word}" if renamed else path
    if form == "emb_params":
        if draw.chance(0.5):
            path = place.file(f"{word}.safetensors")
            save_file({"emb_params": only}, path)
            return path
        save_file({"emb_params": only}, path)
        return f"{path}:{word}"
    pickled = place.file(f"learned-{index}.pt")
    torch.save({"string_to_token": {"*": 265}, "string_to_param": {"*": only}, "name": word, "step": 500,
                "sd_checkpoint": "0" * 8, "sd_checkpoint_name": "model"}, pickled)
    if os.path.exists(path):
        os.remove(path)
    if program:
        subprocess.run([program, "convert", pickled, path], check=True, capture_output=True)
    return path


class Lowered:
    """A pipeline that reads prompts in lower case: in capitals it takes a word for its first vector alone."""

    def __init__(self, opened):
        self.opened = opened

    def __getattr__(self, name):
        return getattr(self.opened, name)

    def __call__(self, request, **more):
        return self.opened(request.changed(prompt=request.prompt.lower(), negative=request.negative and request.negative.lower()), **more)


def case(base, form, program):
    """A model of a kind of pipelines.py with one or two words; those of single tensors are the first encoder's of their width."""
    def make(place):
        job, draw = KINDS_OF_MODELS[base](place), place.draw
        opened = job.open()
        towers = encoders(opened.pipe)
        widths = {name: pair[0].get_input_embeddings().weight.shape[1] for name, pair in towers.items()}
        learned, options = [], []
        words = draw.choices.sample(WORDS, draw.integer(1, 2))
        if len({word.lower() for word in words}) < len(words):
            raise Unfit("words that differ in case alone")
        for index, word in enumerate(words):
            own = form if index == 0 else draw.one("diffusers", "emb_params")
            count = draw.integer(1, 4)
            names = list(towers) if own == "clip_l" else [draw.one(*towers)]
            if own != "clip_l":
                names = [next(name for name in towers if widths[name] == widths[names[0]])]
            vectors = {name: draw.normal(count, widths[name], dtype=torch.float32) for name in names}
            learned.append((word, vectors))
            options += ["--embedding", written(place, own, index, word, vectors, program)]
        first, last = words[0], words[-1]
        prompt = draw.one(f"a {first} on a mat", f"{first}{first}, seen from afar", f"the {first}s of {first}")
        negative = draw.one(None, f"no {last}, nothing") if first == last else f"blurry {last}"
        reference = job.open

        def open_with(folder=job.folder):
            opened = reference(folder)
            towers = encoders(opened.pipe)
            for word, vectors in learned:
                for name, tensor in vectors.items():
                    encoder, tokenizer = towers[name]
                    opened.pipe.load_textual_inversion(
                        {word.lower(): tensor}, token=word.lower(), text_encoder=encoder, tokenizer=tokenizer)
            return Lowered(opened)

        job.request = job.request.changed(prompt=prompt, negative=negative)
        plain = reference(job.folder)(job.request).pixels
        job.open = open_with
        if abs(plain.astype(int) - job.open()(job.request).pixels).mean() < 1:
            raise Unfit("vectors that hardly change the picture")
        job.options = (*job.options, *options)
        return job
    return make


if __name__ == "__main__":
    KINDS_OF_MODELS = pipelines.KINDS
    chosen = pipelines.arguments().program
    pipelines.KINDS = {f"{base}-{form}": case(base, form, chosen) for base in ("sd1", "sd2", "xl") for form in FORMS
                       if not (base == "sd2" and form == "clip_l")}
    pipelines.main()
