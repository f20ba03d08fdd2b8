"""A small vocabulary of word pieces, texts of every script, and their ids by transformers' `BertTokenizer`.

    bert.py --seed 0 --out Tests/Fixtures/bert [--texts 60]
"""
import json
import os

import transformers

import pipeline_requests
from common import Draw, arguments

WORDS = ["a", "the", "of", "cat", "dog", "red", "paint", "squirrel", "burger", "un", "able", "cafe", "e", "##s", "##ing", "##er",
         "##ed", "##a", "##b", "##e", "##r", "##t", "!", "?", ".", ",", "'", "-", "$", "(", ")", "中", "国", "日", "ı", "ß", "##ß", "α", "##α"]
FIXED = ["", " ", "The CAT's painting, of a dog!", "unable  cafés naïve", "中国red日", "a" * 101, "burgers\tdogs\nreds", "[MASK] a [SEP]",
         "Ǆ İ ẞ", "cat\u200bdog", "x\u0301y", "e\u0301", "„dog“ — ¿a?", "👍🏽 cat", "$a+b=c^_`|~<>", "\u00a0a\u3000b", "ﬁ ½", "[unk]"]


def main():
    options = arguments(__doc__, texts=60)
    draw = Draw(options.seed, "bert")
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list(dict.fromkeys(
        WORDS + [letter for letter in letters if draw.chance(0.8)] + ["##" + letter for letter in letters if draw.chance(0.8)]))
    with open(os.path.join(options.out, "vocab.txt"), "w") as file:
        file.write("\n".join(pieces) + "\n")
    tokenizer = transformers.BertTokenizer(os.path.join(options.out, "vocab.txt"), model_max_length=77)
    texts = FIXED + [pipeline_requests.text(draw) for _ in range(options.texts)]
    ids = [tokenizer(text, padding="max_length", max_length=77, truncation=True).input_ids for text in texts]
    with open(os.path.join(options.out, "tokenizer_config.json"), "w") as file:
        json.dump({"tokenizer_class": "BertTokenizer", "model_max_length": 77}, file)
    with open(os.path.join(options.out, "expected.json"), "w") as file:
        json.dump({"texts": texts, "ids": [[token for token in row if token != 0] for row in ids]}, file, ensure_ascii=True)


if __name__ == "__main__":
    main()
