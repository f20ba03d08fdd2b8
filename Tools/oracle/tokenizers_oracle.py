"""Tiny CLIP and T5 vocabularies trained on the spot, and the token ids of transformers 5 for texts of every script.

A folder for each tokenizer; `expected.safetensors` holds the texts (bytes one after the other, and where each ends)
and their ids. With `--strings 100000` the same becomes a long run: see LANGEVIN_TOKENIZERS in TokenizerParityTests.
"""
import collections
import contextlib
import json
import os
import shutil
import sys
import tempfile
import unicodedata

from common import Draw, arguments, write

import sentencepiece
import torch
from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer, T5Tokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTHS = {"clip": 77, "t5": 64}


# --- texts -----------------------------------------------------------------------------------------------------


def scripts():
    """Characters by the first word of their names, which is the script's for letters."""
    groups = {}
    for code in range(0x110000):
        name = unicodedata.name(chr(code), "")
        if name and code > 0x7F:
            groups.setdefault(name.split()[0].split("-")[0], []).append(chr(code))
    return [group for group in groups.values() if len(group) > 3]


SCRIPTS = scripts()
MARKS = [chr(code) for code in range(0x110000) if unicodedata.combining(chr(code))]
SPACES = [chr(code) for code in range(0x110000) if chr(code).isspace()] + ["\u180e", "\u200b", "\ufeff", "\u2060"]
WORDS = """a photo of an astronaut riding horse on mars the painting by Greg, 8k highly-detailed; cinematic lighting
it's don't we're I've she'll he'd I'm O'Neill rock'n'roll can't 35mm f/1.8 1girl (masterpiece:1.2) [blurry] 4K HDR!
Café naïve Zürich œuvre smörgåsbord İstanbul ΣΊΣΥΦΟΣ Straße ǅ ﬁne ½ ² Ⅷ ①② 10,000.50 $9.99
@user #tag C++ _x_ ~ ^""".split()
TOKENS = [START, END, START.upper(), "<|EndOfText|>", "<|endoftext|", "</s>", "<pad>", "<unk>", "<extra_id_7>",
          "<extra_id_99>", "\uff1c/s\uff1e", "!", "!!", "\uff01", "\u2581", "\u2581\u2581", "sks",
          "<Style>", "<style>", "[lora]", "Été", "E\u0301te\u0301"]
EMOJI = ["😀", "👩", "👨", "👧", "❤️", "🏳️", "🌈", "👍", "🏽", "🇩🇪", "🇯🇵", "3️⃣", "☠",
         "🧑‍🚀", "🏴\U000e0067\U000e0062\U000e007f", "🫠", "🩷"]
HANGUL = [chr(code) for code in range(0x1100, 0x1200)]


def word(draw):
    group = draw.one(*SCRIPTS)
    return "".join(draw.one(*group) for _ in range(draw.integer(1, 6)))


def english(draw):
    return "".join(draw.one(" ", " ", " ", ", ", "-", "'", "") + draw.one(*WORDS) for _ in range(draw.integer(1, 12)))


def mixed(draw):
    return draw.one(" ", " ", "", "\u3000").join(word(draw) for _ in range(draw.integer(1, 5)))


def folded(draw):
    text = mixed(draw) + draw.one("Ấ가각ｶﾞÅ", "fi", "")
    return unicodedata.normalize(draw.one("NFD", "NFC", "NFKD"), text)


def marked(draw):
    return "".join(draw.one("a", "e", "か", "ק", "ﬁ", "한", "ｶ", word(draw)[0]) + "".join(
        draw.one(*MARKS) for _ in range(draw.integer(0, 4))) for _ in range(draw.integer(1, 6)))


def emoji(draw):
    return draw.one("", "\u200d", " ").join(draw.one(*EMOJI) for _ in range(draw.integer(1, 6)))


def controls(draw):
    return "".join(draw.one(chr(draw.integer(0, 0xA0)), draw.one(*SPACES), draw.one(*WORDS))
                   for _ in range(draw.integer(1, 10)))


def special(draw):
    return "".join(draw.one(*TOKENS) + draw.one("", " ", "  ", "x", "1", "é", "_", "\n")
                   for _ in range(draw.integer(1, 6)))


def anything(draw):
    """Any character, assigned or not."""
    codes = (draw.one(draw.integer(0, 0xD7FF), draw.integer(0xE000, 0xFFFF), draw.integer(0x10000, 0x10FFFF),
                      draw.integer(0x10000, 0x1FFFF)) for _ in range(draw.integer(1, 8)))
    return "".join(map(chr, codes))


def broken(draw):
    """What is left of text that was cut or decoded wrongly: halves of surrogate pairs, UTF-8 read as Latin-1."""
    text = mixed(draw) + emoji(draw)
    if draw.chance(0.5):
        return text.encode("utf-8")[draw.integer(0, 3):].decode("latin-1" if draw.chance(0.5) else "utf-8", "replace")
    return text.encode("utf-16-le")[2 * draw.integer(0, 3):][:-2].decode("utf-16-le", "replace")


def syllables(draw):
    return "".join(draw.one(*HANGUL) for _ in range(draw.integer(1, 8)))


def long(draw):
    return draw.one(english(draw), word(draw), "a", "🫠 ", "!") * draw.integer(2, 30)


KINDS = [english, english, mixed, mixed, folded, marked, emoji, controls, special, anything, broken, syllables, long]


def texts(draw, count):
    fixed = ["", " ", "\n\t ", "!", "\u0301", "\ufffd", "\x00", "a\x00b", "\r\n", "x" * 300]
    found = fixed + [draw.one(*KINDS)(draw) for _ in range(count)]
    return [draw.one(*KINDS)(draw) if draw.chance(0.02) else text for text in found]


# --- vocabularies ----------------------------------------------------------------------------------------------


def corpus(draw):
    """Few words said often, so that a small vocabulary learns them."""
    words = WORDS * 4 + [word(draw) for _ in range(60)] + [emoji(draw) for _ in range(5)]
    words = [word.replace("!", "") for word in words]
    return [" ".join(draw.one(*words) for _ in range(10)) for _ in range(600)]


def byte_pairs(words, count):
    """The pairs that a byte-pair encoding learns, the most frequent first. (That of `tokenizers` breaks ties anew in
    every run.)"""
    rows = {word: [*word[:-1], word[-1] + "</w>"] for word in words}
    merges = []
    for _ in range(count):
        pairs = collections.Counter()
        for word, row in rows.items():
            for pair in zip(row, row[1:]):
                pairs[pair] += words[word]
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for row in rows.values():
            for i in range(len(row) - 2, -1, -1):
                if tuple(row[i:i + 2]) == best:
                    row[i:i + 2] = ["".join(best)]
    return merges


def clip_model(draw):
    """Tokens in the order of CLIP's own vocabulary (bytes, bytes that end a word, merges, start, end), and merges."""
    blank = CLIPTokenizer().backend_tokenizer
    lines = map(blank.normalizer.normalize_str, corpus(draw))
    merges = byte_pairs(
        collections.Counter(word for line in lines for word, _ in blank.pre_tokenizer.pre_tokenize_str(line)), 440)
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens += [byte + "</w>" for byte in tokens]
    tokens += dict.fromkeys("".join(merge) for merge in merges)
    return {token: index for index, token in enumerate(tokens + [START, END])}, merges


def dump(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))


def flags(content, **changed):
    return {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False, **changed}


def clip_folder(folder, vocabulary, merges, padding, pad_flags, **configuration):
    """The four files of Stable Diffusion's tokenizers."""
    os.makedirs(folder, exist_ok=True)
    dump(f"{folder}/vocab.json", vocabulary)
    with open(f"{folder}/merges.txt", "w", encoding="utf-8") as file:
        file.write("#version: 0.2\n" + "".join(" ".join(merge) + "\n" for merge in merges))
    named = {"bos_token": flags(START), "eos_token": flags(END), "unk_token": flags(END)}
    typed = {key: {"__type": "AddedToken", **value} for key, value in named.items()}
    dump(f"{folder}/tokenizer_config.json", {
        "add_prefix_space": False, "do_lower_case": True, "model_max_length": LENGTHS["clip"],
        "tokenizer_class": "CLIPTokenizer", **typed, "pad_token": padding, **configuration})
    dump(f"{folder}/special_tokens_map.json", {**named, "pad_token": pad_flags or padding})


def unigram_model(draw, full):
    """A SentencePiece model in the current folder, because it names the files that it was made with. Its map of
    characters is SentencePiece's own where `full`, or a small part of it."""
    options = {"normalization_rule_name": "nmt_nfkc"}
    rules = "unigram.tsv"
    if not full:
        options = {"normalization_rule_tsv": rules}
        pairs = {(ord(space),): " " for space in SPACES if space.isspace() and space != " "}
        characters = [draw.one(*draw.one(*SCRIPTS)) for _ in range(3000)]
        for character in characters + list("ﬁ½²ⅧǅＡ！＜＞①②ｶﾞ"):
            for form in ("NFD", "NFKD"):
                source = unicodedata.normalize(form, character)
                target = unicodedata.normalize("NFKC", character)
                if len(pairs) < 500:
                    pairs |= {tuple(map(ord, text)): target for text in (source, character) if text != target}
        with open(rules, "w", encoding="utf-8") as file:
            for source, target in pairs.items():
                codes = [" ".join(f"{code:X}" for code in row) for row in (source, map(ord, target))]
                file.write("\t".join(codes) + "\n")
    lines = [line.replace("\x00", "") for line in corpus(draw)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix="unigram", num_threads=1, vocab_size=800, model_type="unigram",
        character_coverage=1.0, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False,
        minloglevel=2, **options)


def build(draw, out, full):
    """The folders, with the class that reads each."""
    vocabulary, merges = clip_model(draw)
    clip_folder(f"{out}/clip-sd1", vocabulary, merges, END, None)
    clip_folder(f"{out}/clip-sd2", vocabulary, merges, "!", None)
    clip_folder(f"{out}/clip-added", vocabulary, merges, "!", flags("!", normalized=False))
    dump(f"{out}/clip-added/added_tokens.json", {"<Style>": len(vocabulary), "Été": len(vocabulary) + 1})
    # As transformers 5 saves it: one file, and tokens with every flag.
    count = len(vocabulary)
    added = {
        "0": flags("!", normalized=False, special=True), str(count - 2): flags(START, special=True),
        str(count - 1): flags(END, special=True), str(count): flags("sks", single_word=True, normalized=False),
        str(count + 1): flags("<Style>", lstrip=True, special=False),
        str(count + 2): flags("[lora]", rstrip=True, lstrip=True, normalized=False, special=False)}
    clip_folder(f"{out}/clip-json", vocabulary, merges, "!", None, added_tokens_decoder=added)
    CLIPTokenizer.from_pretrained(f"{out}/clip-json").save_pretrained(f"{out}/clip-json")
    for name in ("vocab.json", "merges.txt", "special_tokens_map.json"):
        os.remove(f"{out}/clip-json/{name}")
    os.makedirs(f"{out}/t5-spiece", exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        unigram_model(draw, full)
        shutil.move("unigram.model", f"{out}/t5-spiece/spiece.model")
    tokenizer = T5Tokenizer.from_pretrained(f"{out}/t5-spiece")
    tokenizer.model_max_length = LENGTHS["t5"]
    tokenizer.save_pretrained(f"{out}/t5-json")
    # As older versions saved it beside the model.
    named = {"additional_special_tokens": [f"<extra_id_{i}>" for i in range(100)],
             "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    dump(f"{out}/t5-spiece/special_tokens_map.json", named)
    dump(f"{out}/t5-spiece/tokenizer_config.json", {
        **named, "extra_ids": 100, "model_max_length": LENGTHS["t5"], "sp_model_kwargs": {},
        "tokenizer_class": "T5Tokenizer"})
    classes = {"clip": CLIPTokenizer, "t5": T5Tokenizer}
    names = ["clip-sd1", "clip-sd2", "clip-added", "clip-json", "t5-spiece", "t5-json"]
    return {name: classes[name.split("-")[0]].from_pretrained(f"{out}/{name}") for name in names}


# --- files -----------------------------------------------------------------------------------------------------


def joined(rows):
    """Rows of numbers one after the other, and where each ends."""
    ends, flat = [], []
    for row in rows:
        flat += row
        ends.append(len(flat))
    return flat, ends


def expected(tokenizer, strings, padded_count, integers=torch.int16):
    ids = tokenizer(strings, add_special_tokens=True).input_ids
    length = LENGTHS["clip" if isinstance(tokenizer, CLIPTokenizer) else "t5"]
    padded = tokenizer(
        strings[:padded_count], padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    text, text_ends = joined([list(string.encode()) for string in strings])
    flat, id_ends = joined(ids)
    tensors = {
        "text": torch.tensor(text, dtype=torch.uint8), "text_ends": torch.tensor(text_ends, dtype=torch.int32),
        "ids": torch.tensor(flat, dtype=integers), "id_ends": torch.tensor(id_ends, dtype=torch.int32),
        "padded": padded.input_ids.to(integers), "mask": padded.attention_mask.sum(1).to(torch.int16)}
    return tensors, {"class": type(tokenizer).__name__, "length": length}


def compare_with_sentencepiece(tokenizer, path, strings):
    """How often transformers and SentencePiece itself differ on the same model; for the record only."""
    processor = sentencepiece.SentencePieceProcessor(model_file=path)
    plain = [string for string in strings if "<" not in string]
    different = sum(processor.encode(text) + [1] != tokenizer(text).input_ids for text in plain)
    print(f"SentencePiece itself differs on {different} of {len(plain)} texts", file=sys.stderr)


def main():
    options = arguments(__doc__, strings=150, full=False)
    options.out = os.path.abspath(options.out)
    draw = Draw(options.seed, "tokenizers")
    tokenizers = build(draw, options.out, options.full or options.strings > 1000)
    strings = texts(draw, options.strings)
    for name, tokenizer in tokenizers.items():
        few = strings if name in ("clip-sd1", "t5-json") or options.strings > 1000 else strings[: len(strings) // 2]
        tensors, case = expected(tokenizer, few, 60 if options.strings > 1000 else 20)
        write(f"{options.out}/{name}", "expected", tensors, case)
    compare_with_sentencepiece(tokenizers["t5-spiece"], f"{options.out}/t5-spiece/spiece.model", strings)


if __name__ == "__main__":
    main()
