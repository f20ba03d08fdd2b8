#!/usr/bin/env python3
"""Small safetensors files, most of them damaged, with the verdict of the reference implementation.

    safetensors_corpus.py --seed 1 --count 5000 --out DIR      writes DIR/corpus.bin

The file is a row of cases:  u32 size of the name, name of the mutation,  u8 verdict,  u32 size of the
listing, listing,  u32 size of the case, bytes of the case; all little-endian.

Verdicts: 0 the reference refuses the bytes; 1 it accepts them; 2 and up it accepts them and Langevin is
stricter, for the reason STRICTER[verdict - 2]. The listing of an accepted file has a line per tensor,
`type shape crc32 name`, in the order of the names' bytes.
"""

import argparse
import json
import pathlib
import random
import re
import struct
import zlib

import safetensors

STRICTER = [
    "a key stands twice",
    "an entry is a list",
    "a dtype is an object",
    "more than 64 dimensions",
    "a size of 2^63 or more",
]

DTYPES = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8,
    "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip
NAMES = ["weight", "conv.bias", "é", "e\u0301", "a\"b", "back\\slash", "../../x", "", "日本", "😀", "tab\t",
         "nul\0", "k", "\u212a", "__metadata", "down_blocks.0.resnets.1.conv1.weight"]  # fmt: skip
NUMBERS = ["0", "1", "2", "4", "-0", "-1", "00", "01", "+1", "1.0", "4.0", "0.0", "4e0", "4E+0", "1e-1", '"4"', "0x4",
           "18446744073709551615", "18446744073709551616", "9223372036854775807", "9223372036854775808",
           "18446744073709551614", "4611686018427387904", "1e400", "null", "true", "[]", "{}", "NaN", "Infinity",
           "99999999999999999999999999", "4.", ".4", "4e", "-", "1_0"]  # fmt: skip
VALUES = ["null", "true", "1", "-1.5e3", '"text"', "[1,2]", '{"k":"v"}', '{"k":{"k":[{}]}}', "1e400", "1e-400",
          "0e999", "1E5", "[1,]", "{,}", '"\\ud83d\\ude00"', '"\\ud83d"', '"\\u00zz"', '"\\x"', '"\x01"', "tru",
          '{"d":1,"d":2}', "[" * 124 + "]" * 124, "[" * 125 + "]" * 125, "[" * 126 + "]" * 126,
          "1" + "0" * 400, "-9223372036854775809"]  # fmt: skip


def pack(header, data):
    if isinstance(header, str):
        header = header.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(header)) + header + data


def tensors(rng):
    """Random tensors as a list of [name, dtype, shape, begin, end], and their bytes."""
    rows, end = [], 0
    for name in rng.sample(NAMES, rng.randint(1, 5)):
        dtype = rng.choice(list(DTYPES)) if rng.random() < 0.5 else rng.choice(["F32", "F16", "I64", "BF16"])
        shape = [rng.choice([0, 1, 2, 3, 4]) for _ in range(rng.randint(0, 3))]
        bits = DTYPES[dtype]
        for size in shape:
            bits *= size
        if bits % 8:
            shape.append(4)
            bits *= 4
        rows.append([name, dtype, shape, end, end + bits // 8])
        end += bits // 8
    return rows, bytes(rng.randrange(256) for _ in range(end))


def write_json(rng, rows, metadata, ascii_only=False, spaces=False):
    entries = {n: {"dtype": d, "shape": s, "data_offsets": [b, e]} for n, d, s, b, e in rows}
    if metadata is not None:
        entries = {"__metadata__": metadata, **entries}
    order = list(entries)
    if rng.random() < 0.3:
        rng.shuffle(order)
    entries = {name: entries[name] for name in order}
    separators = (" , ", "\t:\n") if spaces else (",", ":")
    return json.dumps(entries, ensure_ascii=ascii_only, separators=separators)


def base(rng):
    rows, data = tensors(rng)
    metadata = rng.choice([None, None, {}, {"format": "pt"}, {"é": "ü", "e\u0301": "\n"}])
    text = write_json(rng, rows, metadata, rng.random() < 0.3, rng.random() < 0.2)
    return rows, metadata, text, data


def replace_number(rng, text):
    spots = [m.span() for m in re.finditer(r"(?<=[\[, ])\d+(?=[\], ])", text)]
    if not spots:
        return text
    begin, end = rng.choice(spots)
    return text[:begin] + rng.choice(NUMBERS) + text[end:]


def insert(rng, text, what):
    at = rng.randint(0, len(text))
    return text[:at] + what + text[at:]


def mutate(rng):
    """A case: the name of the mutation and the bytes."""
    rows, metadata, text, data = base(rng)
    entry = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    kind = rng.choice(KINDS)
    whole = bytearray(pack(text, data))
    if kind == "none":
        pass
    elif kind == "flip":
        for _ in range(rng.randint(1, 3)):
            whole[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
    elif kind == "header byte":
        for _ in range(rng.randint(1, 2)):
            whole[8 + rng.randrange(len(text.encode()))] = rng.choice(b'{}[]",:0123456789eE+-. \t\n\r\\u\xff\x80\xc3\0Fnul')
    elif kind == "delete":
        at = rng.randrange(len(whole))
        del whole[at : at + rng.randint(1, 4)]
    elif kind == "insert":
        at = rng.randrange(len(whole))
        whole[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 4)))
    elif kind == "cut":
        del whole[rng.randrange(len(whole)) :]
    elif kind == "grow":
        whole += b"\0" * rng.randint(1, 9)
    elif kind == "length":
        size = rng.choice([0, 1, len(text) - 1, len(text) + 1, 1 << 63, (1 << 64) - 1, (1 << 64) - 8, 100000001,
                           100000000, len(text.encode()) + len(data)])  # fmt: skip
        whole[:8] = struct.pack("<Q", size)
    elif kind == "number":
        whole = pack(replace_number(rng, text), data)
    elif kind == "white space":
        pieces = [rng.choice([" ", "\n", "\t", "\r", "\v", "\f", "\0", "\u00a0", "\ufeff"]) for _ in range(rng.randint(1, 3))]
        text = rng.choice([lambda p: p + text, lambda p: text + p, lambda p: insert(rng, text, p)])("".join(pieces))
        whole = pack(text, data)
    elif kind == "encoding":
        encoding = rng.choice(["utf-16-le", "utf-16", "utf-8-sig", "utf-32-le", "latin-1"])
        whole = pack(text.encode(encoding, "replace"), data)
    elif kind == "comma":
        at = rng.choice([i for i, c in enumerate(text) if c in "}],"])
        whole = pack(text[:at] + "," + text[at:], data)
    elif kind == "repeat":
        name = rng.choice(rows)[0]
        key = json.dumps(name, ensure_ascii=rng.random() < 0.5)
        if rng.random() < 0.5:
            units = name.encode("utf-16-be").hex()
            key = '"' + "".join("\\u" + units[i : i + 4] for i in range(0, len(units), 4)) + '"'
        whole = pack(text[: text.rindex("}")] + "," + key + ":" + entry + "}", data)
    elif kind == "inner repeat":
        extra = rng.choice(['"dtype":"F32"', '"shape":[1]', '"data_offsets":[0,4]', '"x":1,"x":2', '"sh\\u0061pe":[1]'])
        at = text.index("{", 1) + 1
        whole = pack(text[:at] + extra + "," + text[at:], data)
    elif kind == "inner member":
        at = text.rindex("}", 0, text.rindex("}"))
        whole = pack(text[:at] + ',"extra":' + rng.choice(VALUES) + text[at:], data)
    elif kind == "missing member":
        victim = rng.choice(["dtype", "shape", "data_offsets"])
        whole = pack(text.replace('"%s"' % victim, '"x%s"' % victim, 1), data)
    elif kind == "dtype":
        dtype = rng.choice([json.dumps(d) for d in DTYPES] + ['"F33"', '"f32"', '"F32 "', "32", '{"F32":null}', '{"U8":1}', '"\\u00462"', '"F\\u00332"', '""', "null"])
        old = rng.choice(rows)[1]
        whole = pack(text.replace('"%s"' % old, dtype, 1), data)
    elif kind == "metadata":
        value = rng.choice(VALUES + ['{"a":"b"}', '{"a":1}', '{"a":null}', '{"a":["b"]}', '{"a":{"b":"c"}}', '{"a":"b","a":"c"}', "{}", '{"":""}'])
        key = rng.choice(['"__metadata__"', '"\\u005f_metadata__"'])
        whole = pack(text[:-1] + "," + key + ":" + value + "}", data)
    elif kind == "entry":
        name, dtype, shape, begin, end = rows[-1]
        listed = json.dumps([dtype, shape, [begin, end]])
        value = rng.choice(VALUES + [listed, listed, "[]"])
        rest = write_json(rng, rows[:-1], metadata)
        whole = pack(rest[:-1] + ("," if len(rest) > 2 else "") + json.dumps(name) + ":" + value + "}", data)
    elif kind == "ranges":
        for _ in range(rng.randint(1, 2)):
            row = rng.choice(rows)
            row[rng.choice([3, 4])] += rng.choice([-8, -4, -1, 1, 4, 8])
        whole = pack(write_json(rng, rows, metadata), data)
    elif kind == "swap":
        row = rng.choice(rows)
        row[3], row[4] = row[4], row[3]
        whole = pack(write_json(rng, rows, metadata), data)
    elif kind == "overlap":
        other = list(rng.choice(rows))
        other[0] = "again"
        whole = pack(write_json(rng, rows + [other], metadata), data)
    elif kind == "empty tensors":
        edges = sorted({r[3] for r in rows} | {r[4] for r in rows} | {1})
        for i in range(rng.randint(1, 4)):
            at = rng.choice(edges)
            rows.insert(rng.randint(0, len(rows)), ["empty%d" % i, rng.choice(list(DTYPES)), [2, 0], at, at])
        whole = pack(write_json(rng, rows, metadata), data)
    elif kind == "shape":
        big = [1 << 63, (1 << 63) - 1, (1 << 64) - 1, (1 << 64) - 2, 1 << 62, 1 << 32, 0, 1, 2]
        shape = [rng.choice(big) for _ in range(rng.randint(1, 4))]
        if rng.random() < 0.3:
            shape = [rng.choice([0, 1])] * rng.choice([60, 64, 65, 70])
        at = rows[-1][4]
        bits = 1
        for size in shape:
            bits *= size
        extra = min(bits, 1)
        rows.append(["shaped", rng.choice(["U8", "F64", "F4"]), shape, at, at + (extra if bits < 2 else rng.choice([0, 8]))])
        data += bytes(rows[-1][4] - at)
        whole = pack(write_json(rng, rows, metadata), data)
    elif kind == "root":
        whole = pack(rng.choice(["", "[]", "null", '"x"', "{", "}", "{}{}", "{} {}", "[{}]", "1", "{" * 10, "[" * 100000, "{}", " {}", "{}  ",
                                 '{"a"}', '{"a":}', "{:1}", "{1:2}", "{'a':1}"]), data if rng.random() < 0.2 else b"")  # fmt: skip
    elif kind == "utf8":
        bad = rng.choice([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"\x80", b"\x7f", b"\xc2\x80"])
        raw = text.encode()
        at = rng.choice([i for i, c in enumerate(raw) if c == 0x22]) + 1
        whole = pack(raw[:at] + bad + raw[at:], data)
    return kind, bytes(whole)


KINDS = ["none", "flip", "flip", "header byte", "header byte", "delete", "insert", "cut", "grow", "length", "number",
         "number", "white space", "encoding", "comma", "repeat", "inner repeat", "inner member", "missing member",
         "dtype", "metadata", "entry", "ranges", "swap", "overlap", "empty tensors", "shape", "root", "utf8"]  # fmt: skip


def stricter(case):
    """Why Langevin refuses a file that the reference accepts: an index into STRICTER, or None."""
    repeated = []

    def members(pairs):
        if len({key for key, _ in pairs}) < len(pairs):
            repeated.append(pairs)
        return dict(pairs)

    size = struct.unpack("<Q", case[:8])[0]
    header = json.loads(case[8 : 8 + size], object_pairs_hook=members)
    entries = [value for key, value in header.items() if key != "__metadata__"]
    if repeated:
        return 0
    if any(isinstance(entry, list) for entry in entries):
        return 1
    if any(isinstance(entry["dtype"], dict) for entry in entries):
        return 2
    if any(len(entry["shape"]) > 64 for entry in entries):
        return 3
    for entry in entries:
        count = 1
        for extent in entry["shape"]:
            count *= extent
            if max(count, extent) >= 1 << 63:
                return 4
    return None


def sized(piece):
    return struct.pack("<I", len(piece)) + piece


def judge(case):
    """The verdict and the listing of a case."""
    try:
        found = safetensors.deserialize(case)
    except (safetensors.SafetensorError, OverflowError):
        return 0, b""
    reason = stricter(case)
    if reason is not None:
        return 2 + reason, b""
    lines = []
    for name, tensor in sorted(found, key=lambda item: item[0].encode()):
        shape = "x".join(str(size) for size in tensor["shape"])
        crc = zlib.crc32(bytes(tensor["data"]))
        lines.append(b"%s %s %08x %s\n" % (tensor["dtype"].encode(), shape.encode(), crc, name.encode()))
    return 1, b"".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--largest", type=int, default=1 << 20, help="leave out cases of more bytes")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    verdicts = {}
    with open(arguments.out / "corpus.bin", "wb") as file:
        written = 0
        while written < arguments.count:
            kind, case = mutate(rng)
            if len(case) > arguments.largest:
                continue
            verdict, listing = judge(case)
            file.write(sized(kind.encode()) + bytes([verdict]) + sized(listing) + sized(case))
            verdicts[verdict] = verdicts.get(verdict, 0) + 1
            written += 1
    names = {0: "refused", 1: "accepted", **{2 + i: "stricter: " + name for i, name in enumerate(STRICTER)}}
    for verdict, count in sorted(verdicts.items()):
        print(f"{count:8} {names[verdict]}")


if __name__ == "__main__":
    main()
