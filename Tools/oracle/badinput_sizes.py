"""Small or plain inputs that stand for much work: bombs, chains, and files that are long (see badinput_campaign.py)."""
import gzip
import io
import json
import struct
import zipfile
import zlib

import headers as edge
from badinput_cases import Case
from badinput_files import trains
from badinput_mutations import FORGED
from badinput_pictures import chunk
from badinput_runs import SHORT
from badinput_stock import RECIPE, packed

MILLION = 1_000_000
REPEATED = [b"\n", b" ", b"\t", b"[", b"{", b'{"', b'"', b"\\", b'"\\u0061', b'{"a":', b'"a":', b"0", b"9", b"[]", b"[],", b"1,",
            b"-", b"\0", b"\xff", b"\xc3\xa9", b"null,", b'"a",', b'{"a":1},', b"\r\n", b"e", b"//", b'"\n']


def filled(piece, size):
    return piece * (size // len(piece) + 1)


def header(random):
    """A header of one piece over and over."""
    size = random.choice([MILLION, 10 * MILLION, 50 * MILLION, 99 * MILLION])
    piece, head = random.choice(REPEATED), random.choice([b"", b"{", b'{"', b'{"__metadata__":{"a":"',
                                                          b'{"a":{"dtype":"F32","shape":[', b'{"a":'])
    body = (head + filled(piece, size))[:size]
    return random.choice([edge.file(body, b""), struct.pack("<Q", 2 * size) + body, body])


def many_tensors(random):
    count = random.choice([10_000, 100_000, MILLION])
    fact = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    style = random.choice(["t%d", "block.%d.weight", "a.b.c.d.e.f.%d", "model.diffusion_model.x%d", "%d." * 1 + "x",
                           "\\u001b[2J%d"])
    return edge.file("{" + ",".join(f'"{style % number}":{fact}' for number in range(count)) + "}", b"")


def metadata(random):
    size = random.choice([MILLION, 50 * MILLION])
    inner = {"a": "x" * size} if random.random() < 0.5 else {f"k{number}": "v" for number in range(size // 50)}
    return edge.file({"__metadata__": inner, **edge.one()})


def tensors(random, room, stock):
    content = random.choice([header, header, many_tensors, metadata])(random)
    room.write("x.safetensors", content)
    held = len(content) / 2**20
    use = random.randrange(5)
    if use <= 2:
        return Case(["inspect", "x.safetensors", *random.choice([[], ["--json"], ["--depth", "3"], ["--names", "original"]])],
                    measured=True, held=held)
    return Case(random.choice([["convert", "x.safetensors", "out.safetensors"], ["convert", "x.safetensors", "made"],
                               ["sample", "x.safetensors", "-o", "out.png"],
                               ["generate", "a", "--model", "x.safetensors", "-o", "out.png"]]), measured=True, held=held)


def configuration(random, room, stock):
    base = stock.base(random.choice(["sd1", "ddpm", "sd3", "xl", "dit"]))
    room.link(base.folder)
    name = random.choice(base.files(".json", ".txt", ".model"))
    size = random.choice([300_000, MILLION, 4 * MILLION, 16 * MILLION])
    tree = room.read(name).strip()
    long = random.choice([b"", b'{"a":', b'{"_class_name":"', b"[", b'{"_class_name":[', tree[:-1] + b',"x":',
                          tree[:-1] + b',"x":[', tree[:-1] + b',"x":"', tree, tree + b"\n"])
    content = long + filled(random.choice(REPEATED), size)
    ends = {b"[": b"1]}", b'"': b'"}'}
    if random.random() < 0.4:
        content += ends.get(long[-1:], b"}")
    if random.random() < 0.2:
        keys = {f"k{number}": number for number in range(size // 20)}
        content = json.dumps({**json.loads(tree), **keys} if tree[:1] == b"{" else keys).encode()
    room.write(name, content)
    if random.random() < 0.3:
        return Case(["inspect", base.model, *random.choice([[], ["--json"]])], measured=True)
    return Case([*base.words, "-o", "out.png"], output="out.png")


def recipe(random, room, stock):
    room.link(stock.run().folder)
    room.remove("run")
    size = random.choice([3000, 100_000, MILLION])
    kind = random.randrange(6)
    if kind == 0:
        content = RECIPE.encode() + filled(random.choice([b"\n", b" ", b"#", b"a: 1\n", b"- ", b"[", b"{", b"&a ", b"? ", b"'",
                                                          b'"', b"a: ", b"---\n", b"!!str ", b"\t", b"a: |\n "]), size)
    elif kind == 1:
        content = b"seed: " + filled(random.choice([b"1", b"x", b"[", b"{a: ", b"'", b"\\", b"- "]), size)
    elif kind == 2:
        content = "".join(f"k{number}: {number}\n" for number in range(size // 12)).encode()
    elif kind == 3:
        count = size // 40
        content = ("a: &a [" + "x, " * count + "x]\nb: [" + "*a, " * count + "*a]\n").encode()
    elif kind == 4:
        depth = random.choice([8, 12, 16, 24, 40])
        levels = [f"  a{level}: &a{level} {{x: *a{level - 1}, y: *a{level - 1}}}" for level in range(1, depth)]
        content = "\n".join(["model:", "  a0: &a0 {x: 1}", *levels, ""]).encode()
    else:
        content = ("".join(f"a{number}: &a{number} 1\n" for number in range(size // 30)) + f"seed: *a{size // 60}\n").encode()
    if random.random() < 0.2:
        text = content.decode(errors="replace")[:100_000].replace("\n", " ")
        return Case(["train", "recipe.yaml", "--out", "made", "--set",
                     random.choice(["seed=", "model=", "data.kind=", "training.steps="]) + text, *SHORT], output="made")
    room.write("recipe.yaml", content)
    return Case(["train", "recipe.yaml", "--out", "made", *SHORT], output="made")


# --- pickles -------------------------------------------------------------------------------------------------------


def chain(random):
    """Operations over and over: each is right where it stands."""
    count = random.choice([1000, 40_000, 300_000])
    text, pair = b"X\1\0\0\0a", b"X\1\0\0\0aK\1"
    names = [b"X\6\0\0\0%06d" % (number % MILLION) for number in range(count)]
    return b"\x80\2" + random.choice([
        b"}" + (pair + b"s") * count + b".", b"}(" + pair * count + b"u.", b"(" + b"}" * count + b"t.",
        b"]" + b"K\1a" * count + b".",
        b"}" + (text + b"}" + pair + b"ss") * count + b".", b"}q\0" + b"0h\0" * count + b".",
        b"]" * count + b"a" * (count - 1) + b".",
        b"(" * count + b"t" * count + b".", b"N" * count + b".",
        b"".join(b"Nr" + struct.pack("<I", number) for number in range(count)) + b".",
        b"Nr\xff\xff\xff\xff" + b"Nr\xff\xff\xff\x7f" + b".", b"\x8b" + struct.pack("<I", count) + b"\x7f" * count + b".",
        b"I" + b"9" * count + b"\n.", b"V" + b"\\u0061" * count + b"\n.", b"}" + b"".join(name + b"Ns" for name in names) + b".",
        b"}(" + b"".join(name + b"}" + pair + b"s" for name in names) + b"u.", b"c" + b"x" * count + b"\ny\n.",
        b"}q\0(" + (text + b"h\0") * count + b"u.", b"ccollections\nOrderedDict\n)R" + (pair + b"s") * count + b".",
        b"]q\0(" + b"h\0" * count + b"e.", b"\x80\2" * count + b"N."])


def archive(data, others=(), method=zipfile.ZIP_STORED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as file:
        file.writestr("archive/data.pkl", data)
        for name, content in others:
            file.writestr(name, content)
    return made.getvalue()


def tensor_of(count, key=b"0"):
    """A pickle of one dictionary with a tensor of so many numbers."""
    size = b"J" + struct.pack("<i", count)
    return (b"\x80\2}X\1\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" + key
            + b"X\3\0\0\0cpu" + size + b"tQK\0" + size + b"\x85K\1\x85\x89ccollections\nOrderedDict\n)RtRs.")


def pickled(random, room, stock):
    kind = random.randrange(6)
    if kind <= 2:
        data = chain(random)
        content = data if random.random() < 0.3 else archive(data,
                                                             method=random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    elif kind == 3:
        size = random.choice([30, 200]) * MILLION
        content = stock.once(f"bomb {size}",
                             lambda: archive(b"\x80\2}.", [("archive/data/0", bytes(size))], zipfile.ZIP_DEFLATED))
    elif kind == 4:
        size = random.choice([30, 200]) * MILLION
        content = stock.once(f"tensor bomb {size}",
                             lambda: archive(tensor_of(size // 4), [("archive/data/0", bytes(size))], zipfile.ZIP_DEFLATED))
    else:
        size = random.choice([30, 200]) * MILLION
        content = stock.once(f"pickle bomb {size}", lambda: archive(b"\x80\2" + b"N" * size, [], zipfile.ZIP_DEFLATED))
    room.write("x.ckpt", content)
    return Case(random.choice([["convert", "x.ckpt", "out.safetensors"], ["convert", "x.ckpt", "out.safetensors"],
                               ["convert", "x.ckpt", "made"], ["inspect", "x.ckpt"], ["sample", "x.ckpt", "-o", "x.png"]]))


# --- pictures and data ---------------------------------------------------------------------------------------------


def png(random):
    width, height = random.choice([(65535, 65535), (2**31 - 1, 1), (1, 2**31 - 1), (30_000, 30_000), (8192, 8192), (4, 4)])
    depth, colour = random.choice([(1, 0), (8, 2), (16, 6), (1, 3), (8, 0)])
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, colour, 0, 0, random.choice([0, 1])))
    rows = chunk(b"IDAT", zlib.compress(bytes(random.choice([100, MILLION, 50 * MILLION])), 1))
    more = random.choice([b"", chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(30 * MILLION))),
                          chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(30 * MILLION))), chunk(b"tEXt", b"a\0b") * 100_000,
                          chunk(b"zTXt", b"langevin\0\0" + zlib.compress(b"[" * 10 * MILLION)),
                          chunk(b"tEXt", b"langevin\0" + b"[" * MILLION), chunk(b"IDAT", b"") * 200_000,
                          chunk(b"tEXt", b"parameters\0" + b"\n" * MILLION)])
    return b"\x89PNG\r\n\x1a\n" + head + more + rows + chunk(b"IEND", b"")


def jpeg(random, stock):
    content = bytearray(stock.pictures()[random.choice(["jpeg-progressive.jpg", "jpeg-RGB.jpg"])])
    frame = next(place for place in range(len(content) - 9) if content[place] == 0xFF and content[place + 1] in (0xC0, 0xC2))
    struct.pack_into(">2H", content, frame + 5, *random.choice([(65500, 65500), (65535, 1), (8000, 8000), (17, 23)]))
    scan = content.find(b"\xff\xda")
    return bytes(content[:-2]) + bytes(content[scan:-2]) * random.choice([1, 1000, 20_000]) + b"\xff\xd9"


def picture(random, room, stock):
    name, content = ("x.png", png(random)) if random.random() < 0.7 else ("x.jpg", jpeg(random, stock))
    if random.random() < 0.5:
        room.write(name, content)
        return Case(["inspect", name, *random.choice([[], ["--json"]])], measured=True)
    base = stock.base(random.choice(["sd-img2img", "sd-inpaint4"]))
    room.link(base.folder)
    room.write(name, content)
    words = list(base.words)
    option = random.choice([word for word in ("--image", "--mask") if word in words])
    words[words.index(option) + 1] = name
    return Case([*words, *([] if "--width" in words else ["--width", "16", "--height", "16"]), "-o", "out.png"], output="out.png")


def data(random, room, stock):
    size = random.choice([MILLION, 30 * MILLION, 300 * MILLION])
    if random.random() < 0.5:
        for name, content in stock.idx().items():
            room.write("data/" + name, content)
        claim = random.choice([(40, 8, 8), (size // 64, 8, 8), (1, 1, size), (2**32 - 1, 2**32 - 1, 2**32 - 1), (size, 1, 1)])
        head = struct.pack(">4I", 0x803, *claim)
        room.remove("data/train-images-idx3-ubyte")
        room.write("data/train-images-idx3-ubyte.gz",
                   stock.once(f"idx {claim} {size}", lambda: gzip.compress(head + bytes(size), 6)))
        return trains(random, room, stock, "data.kind=idx", "data.path=data", "data.split=train")
    body = random.choice([b"\n", b"0", b",", b"1,", b"x"])
    if random.random() < 0.7:
        content = stock.once(f"csv {body} {size}", lambda: packed(filled(body, size)))
    else:
        content = filled(body, min(size, 30 * MILLION))
    room.write("digits.csv", content)
    return trains(random, room, stock)


def analytic(random, room, stock):
    count = random.choice([100, 1000, 30_000])
    tree = {"kind": "gaussian-mixture", "weights": [1] * count, "means": [[0.0, 1.0]] * count,
            "covariances": [[[1, 0], [0, 1]]] * count, "schedule": {"kind": "flow", "shift": 3}, "prediction": "noise"}
    if random.random() < 0.5:
        wide = random.choice([50, 600])
        tree.update(weights=[1], means=[[0.0] * wide],
                    covariances=[[[1.0 * (row == column) for column in range(wide)] for row in range(wide)]])
    if random.random() < 0.3:
        tree["schedule"] = {"_class_name": "DDPMScheduler", "num_train_timesteps": random.choice([10**5, 10**6, 10**7]),
                            "trained_betas": random.choice([None, [0.01] * 100_000])}
    room.write("m.json", json.dumps(tree).encode())
    return Case(["sample", "analytic:m.json", "--steps", "2", "--count", "2", "-o", "out.safetensors"], output="out.safetensors")


def prompt(random, room, stock):
    base = stock.base(random.choice(["sd1", "xl", "sd3", "sd2"]))
    room.link(base.folder)
    words = list(base.words)
    piece = random.choice(["a", " ", "a ", "(", "((a:1.1)", ")", "\u0301", "😀", "\u200d", "<", "[", "a,", "\\", "é",
                           "<|endoftext|>", FORGED.split("\n")[1] + " ", ":", "[]", "가", "1"])
    words[1] = (piece * 130_000)[:random.choice([3000, 30_000])]
    return Case([*words, *random.choice([[], ["--prompt-weights"]]), "-o", "out.png"], output="out.png")


KINDS = [tensors, tensors, configuration, configuration, recipe, recipe, pickled, pickled, picture, data, analytic, prompt]


def size(random, room, stock):
    return random.choice(KINDS)(random, room, stock)
