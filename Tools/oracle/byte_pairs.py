"""Byte-pair vocabularies learnt from texts: merges by a plain implementation of algorithm 1 of Sennrich, Haddow and
Birch 2016, checked against the trainer of `tokenizers` as far as no two pairs are equally frequent, and the ids that
CLIPTokenizer of transformers gives with them."""
import collections
import os
import tempfile

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from common import Draw, arguments, write
from tokenizers_oracle import END, START, WORDS, clip_folder, word


def pieces(texts):
    """The words that CLIP's tokenizer cuts texts into, as characters of the byte alphabet, with their counts."""
    blank = CLIPTokenizer().backend_tokenizer
    lines = map(blank.normalizer.normalize_str, texts)
    return collections.Counter(part for line in lines for part, _ in blank.pre_tokenizer.pre_tokenize_str(line))


def alphabet():
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet())
    return tokens + [token + "</w>" for token in tokens]


def learn(words, count):
    """The merges, and how many come before the first tie. Of equal pairs the one whose tokens were learnt first."""
    ids = {token: index for index, token in enumerate(alphabet())}
    rows = {text: [*text[:-1], text[-1] + "</w>"] for text in words}
    merges, untied = [], None
    while len(merges) < count:
        pairs = collections.Counter()
        for text, row in rows.items():
            for pair in zip(row, row[1:]):
                pairs[pair] += words[text]
        if not pairs or max(pairs.values()) < 2:
            break
        most = max(pairs.values())
        best = min((pair for pair in pairs if pairs[pair] == most), key=lambda pair: (ids[pair[0]], ids[pair[1]]))
        if untied is None and sum(value == most for value in pairs.values()) > 1:
            untied = len(merges)
        merges.append(best)
        ids.setdefault("".join(best), len(ids))
        for text, row in rows.items():
            joined, index = [], 0
            while index < len(row):
                found = tuple(row[index:index + 2]) == best
                joined.append("".join(best) if found else row[index])
                index += 2 if found else 1
            rows[text] = joined
    return merges, len(merges) if untied is None else untied


def library(words, count):
    """The merges of `tokenizers` for the same words."""
    trainer = trainers.BpeTrainer(
        vocab_size=100_000, min_frequency=2, end_of_word_suffix="</w>", show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.train_from_iterator((text for text, times in words.items() for _ in range(times)), trainer)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.model.save(folder)
        with open(f"{folder}/merges.txt", encoding="utf-8") as file:
            return [tuple(line.rstrip("\n").split(" ")) for line in file if not line.startswith("#version")][:count]


def main():
    options = arguments(__doc__, cases=3)
    for index in range(options.cases):
        draw = Draw(options.seed + index, "byte pairs")
        vocabulary = WORDS + [word(draw) for _ in range(20)]
        texts = [" ".join(draw.one(*vocabulary) for _ in range(draw.integer(3, 8))) for _ in range(80)]
        words = pieces(texts)
        merges, untied = learn(words, 150)
        # Few letters and counts that are seldom equal, so that ties, which the library breaks in its own way, are rare.
        counted = {"".join(draw.one(*"aeinst") for _ in range(draw.integer(1, 7))): draw.integer(1, 5000) for _ in range(60)}
        ours, untied = learn(counted, 150)
        assert untied >= 10 and library(counted, untied) == ours[:untied], f"case {index}: {ours[:untied]}"
        tokens = list(dict.fromkeys(alphabet() + ["".join(merge) for merge in merges]))
        prompts = [draw.one(*texts) for _ in range(6)] + ["", "a cat", f"{END} {START.upper()}", "".join(map(word, [draw] * 9))]
        with tempfile.TemporaryDirectory() as folder:
            ids = {token: place for place, token in enumerate(tokens + [START, END])}
            clip_folder(folder, ids, merges, END, None, model_max_length=16)
            tokenizer = CLIPTokenizer.from_pretrained(folder)
            rows = tokenizer(prompts, padding="max_length", max_length=16, truncation=True).input_ids
        case = {"texts": texts, "merges": [" ".join(merge) for merge in merges], "prompts": prompts}
        write(options.out, f"seed-{options.seed + index}", {"ids": torch.tensor(rows, dtype=torch.int32)}, case)
        print(f"case {index}: {len(merges)} merges; of another count, {untied} before the first tie equal those of tokenizers")


if __name__ == "__main__":
    main()
