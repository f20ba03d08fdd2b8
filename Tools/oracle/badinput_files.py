"""Bad files: safetensors, pickles, data sets (see badinput_campaign.py)."""
import io
import json
import pickletools
import struct
import zipfile

import headers as edge
from badinput_cases import Case, chosen
from badinput_models import STRANGERS, changed_file
from badinput_mutations import ESCAPE, FORGED, TEXTS, changed_bytes, changed_json, changed_text
from badinput_pictures import changed_picture
from badinput_stock import RECIPE, packed

NAMES = ["x", "x.safetensors", "a b.safetensors", "é.safetensors", "x\n.safetensors", "\x1b[31m.safetensors", "-x.safetensors",
         "x.SAFETENSORS", "%d.safetensors", "x" * 200 + ".safetensors", "x.png", "x.ckpt", "x.json", "folder/x.safetensors"]


# --- safetensors ---------------------------------------------------------------------------------------------------


def safetensors(random, room, stock):
    """A file of tensors to look at, to write again, to begin from, or in place of a picture."""
    good, kind = stock.tensors(), random.random()
    known = stock.once("edge", lambda: [item[1] for item in (*edge.rejected(), *edge.accepted()) if len(item[1]) < 10_000])
    if kind < 0.65:
        content = changed_file(random, good, ["latents", "samples", "../x"])
    elif kind < 0.85:
        content = changed_bytes(random, random.choice(known), good, count=random.choice([1, 1, 2]))
    else:
        content = changed_bytes(random, edge.file(json.dumps(edge.one())), b"".join(known), count=1)
    use = chosen(random, inspect=5, convert=3, initial=1, image=1, model=1)
    if use in ("inspect", "convert", "model"):
        name = random.choice(NAMES) if random.random() < 0.3 else "x.safetensors"
        room.write(name, content)
        name = "./" + name if name.startswith("-") else name
        if use == "inspect":
            return Case(["inspect", name,
                         *random.choice([[], [], ["--json"], ["--json"], ["--names", "original"], ["--depth", "2"]])],
                        measured=True)
        if use == "convert":
            output = random.choice(["out.safetensors", "converted"])
            return Case(["convert", name, output, *random.choice([[], [], ["--dtype", "bfloat16"]])], output=output,
                        measured=True)
        return Case(["sample", name, "-o", "out.png"], output="out.png")
    base = stock.base("sd-img2img" if use == "image" else random.choice(["sd1", "ddpm", "sd3"]))
    room.link(base.folder)
    room.write("x.safetensors", content)
    words = list(base.words)
    if use == "image":
        words[words.index("--image") + 1] = "x.safetensors"
    elif "--initial" in words:
        words[words.index("--initial") + 1] = "x.safetensors"
    else:
        words += ["--initial", "x.safetensors"]
    return Case([*words, "-o", "out.png"], output="out.png")


# --- pickles -------------------------------------------------------------------------------------------------------


GLOBALS = ["os system", "posix system", "builtins eval", "builtins exec", "subprocess Popen", "torch._utils _rebuild_tensor_v2",
           "torch FloatStorage", "torch HalfStorage", "torch QUInt8Storage", "torch.storage UntypedStorage",
           "collections OrderedDict", "torch Size", "torch device", "torch float16", "torch._utils _rebuild_parameter",
           "torch._utils _rebuild_tensor", "numpy.core.multiarray scalar", "__builtin__ getattr", "argparse Namespace",
           "x\x1b[2Jy z", "torch.nn.modules.linear Linear", "torch._utils _rebuild_sparse_tensor", "builtins set"]
# Pieces of pickles: sequences that are right nowhere, or that claim much.
PIECES = [b"}", b"]", b")", b"(", b"0", b"1", b"2", b"N", b"K\x01", b"a", b"e", b"s", b"u", b"t", b"l", b"d", b"\x85", b"\x86",
          b"\x87", b"R", b"b", b"\x81", b"\x92", b"\x93", b"\x94", b"q\x00", b"q\xff", b"r\xff\xff\xff\xff", b"h\x00", b"h\xff",
          b"j\xff\xff\xff\x7f", b"Q", b".", b"o", b"\x8a\x00", b"\x8a\xff" + b"\xff" * 255, b"\x8b\xff\xff\xff\x7f",
          b"\x8b\xff\xff\xff\xff", b"\x8d" + b"\xff" * 8, b"\x8e" + b"\xff" * 7 + b"\x7f", b"\x96" + b"\0" * 8,
          b"X\xff\xff\xff\xff", b"X\x03\0\0\0a\x1b\xff", b"T\xff\xff\xff\x7f", b"U\x01\xff", b"\x8c\x02\xed\xa0", b"C\x05abcde",
          b"\x80\x09", b"\x95" + b"\xff" * 8, b"G\x7f\xf0\0\0\0\0\0\0", b"G\x7f\xf8\0\0\0\0\0\0", b"I99999999999999999999\n",
          b"L1L\n", b"F1e400\n", b"S'x'\n", b"V\\ud800\n", b"p0\n", b"p99999999999\n", b"g0\n", b"g-1\n", b"P1\n",
          b"i__main__\nX\n", b"\x97", b"\x98", b"\x82\x01", b"\x8f", b"\x91", b"\x90", b"\xff"]


def operations(content):
    """The bytes of each operation of a pickle, up to and with its end, and how long they are together."""
    starts = [place for _, _, place in pickletools.genops(content)]
    return [content[begin:end] for begin, end in zip(starts, starts[1:])] + [b"."], starts[-1] + 1


def changed_operations(random, content):
    try:
        found, length = operations(content)
    except Exception:
        return changed_bytes(random, content)
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        at, kind = random.randrange(len(found)), random.randrange(11)
        if kind >= 9:
            texts = [place for place, piece in enumerate(found) if piece[:1] in (b"X", b"\x8c")] or [at]
            own = ["state_dict", "0", "1", "model", "storage", "cpu", "cuda:0"]
            text = random.choice(TEXTS if random.random() < 0.7 else own).encode(errors="surrogatepass")
            found[random.choice(texts)] = b"X" + struct.pack("<I", len(text)) + text
        elif kind == 0:
            del found[at]
            found = found or [b"."]
        elif kind == 1:
            found.insert(at, found[random.randrange(len(found))])
        elif kind == 2:
            found.insert(at, random.choice(PIECES) * random.choice([1, 1, 1, 2, 1000]))
        elif kind == 3:
            other = random.randrange(len(found))
            found[at], found[other] = found[other], found[at]
        elif kind == 4:
            found[at] = found[at][:1] + random.choice([b"", b"\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0",
                                                       b"\xff" * 8]) + found[at][1:]
        elif kind == 5 and len(found[at]) > 1:
            found[at] = found[at][:1] + changed_bytes(random, found[at][1:], count=1)
        elif kind == 6:
            globals_ = [place for place, piece in enumerate(found) if piece[:1] == b"c"] or [at]
            found[random.choice(globals_)] = b"c" + random.choice(GLOBALS).replace(" ", "\n").encode() + b"\n"
        elif kind == 7:
            pair = b"X\x01\0\0\0a" + random.choice([b"K\x01", b"N", b"}", b"h\x00", b"\x8a\x08" + b"\x7f" * 8])
            found.insert(at, b"}" + (pair + b"s") * random.choice([1, 100, 3000]))
        else:
            numbers = [place for place, piece in enumerate(found) if piece[:1] in (b"K", b"M", b"J")] or [at]
            number = random.choice([0, 1, -1, 2**31 - 1, -2**31, 255, 65536])
            found[random.choice(numbers)] = random.choice([b"J" + struct.pack("<i", number),
                                                           b"\x8a\x08" + struct.pack("<q", 2**62 + number),
                                                           b"\x8a\x09" + b"\xff" * 8 + b"\0", b"N",
                                                           b"G" + struct.pack(">d", 1e300)])
    return b"".join(found) + content[length:]


def changed_archive(random, content):
    """A zip file with another pickle, other members, or other facts about them."""
    with zipfile.ZipFile(io.BytesIO(content)) as given:
        members = [[name, given.read(name)] for name in given.namelist()]
    place = next(index for index, (name, _) in enumerate(members) if name.endswith("data.pkl"))
    kind, method = chosen(random, operations=6, members=3, facts=3), zipfile.ZIP_STORED
    if kind == "operations":
        members[place][1] = changed_operations(random, members[place][1])
    elif kind == "members":
        at, change = random.randrange(len(members)), random.randrange(7)
        if change == 0:
            del members[at]
        elif change == 1:
            members[at][1] = members[at][1][:-random.randrange(1, 9)]
        elif change == 2:
            members[at][1] += b"\0" * random.choice([1, 4, 1000])
        elif change == 3:
            members[at][0] = random.choice(["../../x", "/etc/x", members[at][0] + FORGED, members[at][0].upper(), "data.pkl",
                                            "x/data.pkl", ESCAPE, ""])
        elif change == 4:
            members.append([members[at][0], random.choice([b"", members[place][1], b"x"])])
        elif change == 5:
            members.append([random.choice(["x/data.pkl", "y/data.pkl", "x/version", "byteorder", "x/byteorder",
                                           ".data/serialization_id"]), random.choice([b"", b"3\n", b"big", b"9"])])
        else:
            members[place][1] = members[place][1] * 2
        method = random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    found = made.getvalue()
    if kind != "facts":
        return found
    found, marks = bytearray(found), [b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"]
    for _ in range(random.choice([1, 1, 2])):
        mark, at = random.choice(marks), 0
        places = []
        while (at := found.find(mark, at)) >= 0:
            places.append(at)
            at += 4
        at = random.choice(places) + random.randrange(4, {b"PK\x01\x02": 46, b"PK\x03\x04": 30, b"PK\x05\x06": 22}[mark])
        wide = random.choice([b"\0", b"\xff", b"\1", b"\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f"])
        found[at:at + len(wide)] = wide
    return bytes(found)


def pickled(random, room, stock):
    known = stock.pickles()
    name = random.choice(sorted(known))
    content, kind = known[name], chosen(random, structure=8, bytes=2, stranger=0.3)
    if kind == "stranger":
        content = random.choice(STRANGERS)
    elif kind == "bytes":
        content = changed_bytes(random, content, known["legacy.bin"])
    elif content[:2] == b"PK":
        content = changed_archive(random, content)
    else:
        # The old form is four pickles one after the other, then the storages.
        rest, pieces = content, []
        for _ in range(random.randrange(4)):
            _, length = operations(rest)
            pieces.append(rest[:length])
            rest = rest[length:]
        content = b"".join(pieces) + changed_operations(random, rest)
    path = random.choice([name, name, "model.ckpt", "x.pt", "x.safetensors", "x"])
    room.write(path, content)
    use = chosen(random, tensors=6, folder=2, inspect=1, model=1)
    if use == "tensors":
        return Case(["convert", path, "out.safetensors",
                     *(["--entry",
                        random.choice(["model", "ema", "state_dict",
                                       FORGED])] if name == "pair.pt" or random.random() < 0.05 else [])],
                    output="out.safetensors", measured=True)
    if use == "folder":
        base = stock.base("file-sd1")
        room.link(base.folder + "/config", "config")
        return Case(["convert", path, "converted", "--config", "config", *random.choice([[], ["--allow-strays"]])],
                    output="converted", measured=True)
    if use == "inspect":
        return Case(["inspect", path, *random.choice([[], ["--json"]])], measured=True)
    return Case(random.choice([["sample", path, "-o", "out.png"], ["generate", "a cat", "--model", path, "-o", "out.png"]]),
                output="out.png")


# --- data sets -----------------------------------------------------------------------------------------------------


def trains(random, room, stock, *changes):
    """A run of two steps on the data that lie in the room, or a comparison with them."""
    base = stock.run()
    room.write("recipe.yaml", RECIPE.encode())
    if random.random() < 0.06:
        room.link(base.folder + "/run", "run")
        return Case(["evaluate", "run", "--against", "data", "--count", "8", "--steps", "1", *random.choice([[], ["--json"]])])
    return Case(["train", "recipe.yaml", "--out", "made", *(word for change in changes for word in ("--set", change))],
                output="made")


def data(random, room, stock):
    return chosen_data(random)(random, room, stock)


def chosen_data(random):
    return {"idx": idx, "digits": digits, "pictures": pictures}[chosen(random, idx=3, digits=2, pictures=4)]


def idx(random, room, stock):
    files, zipped = stock.idx(), random.random() < 0.5
    hurt = random.choice([name for name in files if name.startswith("train")])
    for name, content in files.items():
        if name == hurt and random.random() < 0.85:
            content = changed_bytes(random, content, count=random.choice([1, 1, 2]))
        content = packed(content) if zipped else content
        if name == hurt and zipped and random.random() < 0.5:
            content = random.choice([changed_bytes(random, content, count=1), content + content, content + b"x",
                                     content[:-8] + b"\xff" * 8])
        if name == hurt and random.random() < 0.05:
            continue
        room.write(f"data/{name}" + (".gz" if zipped else ""), content)
    return trains(random, room, stock, "data.kind=idx", "data.path=data", "data.split=train")


def digits(random, room, stock):
    content, zipped = stock.digits(), random.random() < 0.4
    rows = content.split(b"\n")
    at = random.randrange(1500, 1797)
    kind = random.randrange(5)
    if kind == 0:
        content = changed_text(random, content)
    elif kind == 1:
        rows[at] = random.choice(TEXTS).encode(errors="surrogatepass") + b"," + rows[at]
        content = b"\n".join(rows)
    elif kind == 2:
        fields = rows[at].split(b",")
        fields[random.randrange(65)] = random.choice([b"", b"17", b"-1", b"1.5", b"256", b" 3", b"0x1", b"\x1b[2J", b"\xff",
                                                      b"9" * 300, "３".encode(), b"a\rb"])
        rows[at] = b",".join(fields)
        content = b"\n".join(rows)
    elif kind == 3:
        content = content.replace(b"\n", random.choice([b"\r\n", b"\n\n", b"\r", b""]), random.choice([-1, 3]))
    else:
        content = changed_bytes(random, content)
    if zipped:
        content = packed(content)
        content = changed_bytes(random, content, count=1) if random.random() < 0.4 else content
    room.write("digits.csv", content)
    return trains(random, room, stock)


def pictures(random, room, stock):
    """A folder of some forty pictures with one or a few that are damaged, strange names, or bad notes beside them."""
    known, classes = stock.pictures(), random.random() < 0.6
    names = sorted(name for name in known if name != "webp-moving.webp")
    for number in range(random.choice([3, 24, 44])):
        name = random.choice(names)
        room.write(f"data/{'ab'[number % 2] + '/' if classes else ''}{number:03d}-{name}", known[name])
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        name, content = changed_picture(random, stock)
        kind = random.randrange(6)
        name = name if kind else random.choice(["\x1b[2J.png", "a\nb.png", ".png", "x.PNG", "é.jpg", "\u202e.webp", "-x.png",
                                                "%d.png", "n" * 200 + ".png"])
        room.write(f"data/{random.choice(['a/', 'b/', 'c/']) if classes or kind == 5 else ''}{name}", content)
    if random.random() < 0.4:
        notes = "".join(json.dumps({"file_name": f"{number:03d}.png", "text": "a",
                                    "label": number % 2}) + "\n" for number in range(4)).encode()
        room.write("data/metadata.jsonl",
                   changed_text(random, notes) if random.random() < 0.5 else changed_json(random, notes.split(b"\n")[0]))
    return trains(random, room, stock, "data.kind=folder", "data.path=data", "data.size=8", "data.channels=1",
                  f"model.class_conditional={'true' if classes else 'false'}")
