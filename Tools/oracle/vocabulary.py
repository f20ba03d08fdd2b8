"""The vocabulary that comes with the program: token ids of transformers 5 for texts of every script.

The vocabulary is put together here once more from the committed merges (`Sources/CCLIPVocabulary`); `--published
FOLDER` compares it with a published tokenizer's files.
"""
import gzip
import json
import os
import tempfile

import torch
from transformers import CLIPTokenizer

from common import Draw, arguments, write
from tokenizers_oracle import END, START, clip_folder, expected, texts

MERGES = os.path.join(os.path.dirname(__file__), "../../Sources/CCLIPVocabulary/merges.txt.gz")
PROMPTS = ["a photo of a cat", "An astronaut riding a horse on Mars, 8k, highly detailed!", "日本の桜 🌸", "!!! wow !"]


def symbols():
    """GPT-2's characters for bytes: those that print first, then the others."""
    prints = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in prints]
    return [chr(byte) for byte in prints] + [chr(256 + index) for index in range(len(others))]


def model():
    with gzip.open(MERGES, "rt", encoding="utf-8") as file:
        merges = [line.split() for line in file.read().split("\n") if line]
    tokens = symbols() + [symbol + "</w>" for symbol in symbols()] + ["".join(merge) for merge in merges] + [START, END]
    assert len(merges) == 48_894 and len(set(tokens)) == len(tokens) == 49_408
    return {token: index for index, token in enumerate(tokens)}, merges


def main():
    options = arguments(__doc__, strings=300, published="")
    draw = Draw(options.seed, "vocabulary")
    vocabulary, merges = model()
    if options.published:
        with open(f"{options.published}/vocab.json", encoding="utf-8") as file:
            assert json.load(file) == vocabulary, "the published vocabulary is another one"
        with open(f"{options.published}/merges.txt", encoding="utf-8") as file:
            assert [line.split() for line in file.read().split("\n")[1:] if line] == merges
    strings = PROMPTS + texts(draw, options.strings)
    for name, padding in (("end", END), ("exclamationMark", "!")):
        with tempfile.TemporaryDirectory() as folder:
            clip_folder(folder, vocabulary, merges, padding, None)
            tensors, case = expected(CLIPTokenizer.from_pretrained(folder), strings, 20, torch.int32)
        write(options.out, name, tensors, case)


if __name__ == "__main__":
    main()
