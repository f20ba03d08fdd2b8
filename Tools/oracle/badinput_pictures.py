"""Bad pictures: PNG by its chunks, WebP by its, JPEG by its bytes (see badinput_campaign.py)."""
import struct
import zlib

from badinput_cases import Case, chosen
from badinput_models import STRANGERS
from badinput_mutations import FORGED, changed_bytes, changed_json


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def chunks(content):
    at, found = 8, []
    while at + 12 <= len(content):
        length, = struct.unpack_from(">I", content, at)
        found.append([content[at + 4:at + 8], content[at + 8:at + 8 + length]])
        at += 12 + length
    return found


def text_chunk(random):
    """A text of a picture: a receipt that `inspect` reads, or one that claims or hides much."""
    key = random.choice([b"langevin", b"parameters", b"prompt", b"", b"k" * 80, b"a\x1b[2J"])
    receipt = b'{"seed":1,"steps":2,"prompt":"a","model":"m","solver":"ddim","width":8,"height":8}'
    body = random.choice([changed_json(random, receipt), b"a\nSteps: 1, Seed: 2, Size: 8x8", b"", b"\xff\xfe\x1b[2J",
                          FORGED.encode(), b"x" * 20_000])
    kind, packed = random.randrange(4), zlib.compress(body)
    if kind == 0:
        return [b"tEXt", key + b"\0" + body]
    if kind == 1:
        return [b"zTXt", key + b"\0\0" + (changed_bytes(random, packed, count=1) if random.random() < 0.5 else packed)]
    if kind == 2:
        flags = random.choice([b"\0\0", b"\1\0", b"\1\1", b"\xff\xff"])
        return [b"iTXt", key + b"\0" + flags + b"en\0\0" + random.choice([body, packed])]
    return [random.choice([b"eXIf", b"iCCP", b"tRNS", b"gAMA", b"acTL", b"fcTL", b"sBIT", b"ABCD", b"PLTE", b"hIST", b"bKGD"]),
            random.randbytes(random.choice([0, 1, 6, 26, 768, 900]))]


def changed_png(random, content):
    found = chunks(content)
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        at, kind = random.randrange(len(found)), random.randrange(9)
        if kind <= 1:
            place, size = random.choice([(0, 4), (4, 4), (8, 1), (9, 1), (10, 1), (11, 1), (12, 1)])
            narrow = [0, 1, 2, 3, 4, 6, 7, 8, 16, 255]
            wide = [0, 1, 16, 22, 24, 8192, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1]
            number = random.choice(narrow if size == 1 else wide)
            data = bytearray(found[0][1])
            data[place:place + size] = number.to_bytes(size, "big")
            found[0] = [found[0][0], bytes(data)]
        elif kind == 2:
            del found[at]
            found = found or [[b"IEND", b""]]
        elif kind == 3:
            found.insert(at, list(found[random.randrange(len(found))]))
        elif kind <= 5:
            found.insert(random.randrange(1, len(found) + 1), text_chunk(random))
        elif kind == 6:
            found[at][1] = changed_bytes(random, found[at][1], count=1) if found[at][1] else b"x"
        elif kind == 7:
            data = next((place for place, piece in enumerate(found) if piece[0] == b"IDAT"), 0)
            try:
                raw = bytearray(zlib.decompress(found[data][1]))
            except zlib.error:
                continue
            raw = random.choice([raw[:-5], raw + b"\0" * 1000, bytes(random.choice([0, 5, 9, 255]) for _ in raw), raw * 300])
            found[data][1] = zlib.compress(bytes(raw))
        else:
            found[at][0] = random.choice([b"IDAT", b"IEND", b"IHDR", b"PLTE", b"idat", b"\0\0\0\0", b"\x1b[2J"])
    made = content[:8] + b"".join(chunk(name, data) for name, data in found)
    return changed_bytes(random, made, count=1) if random.random() < 0.15 else made


def changed_riff(random, content):
    """A WebP whose chunks are exchanged, cut or claim other sizes."""
    found, at = bytearray(content), 12
    places = []
    while at + 8 <= len(found):
        places.append(at)
        at += 8 + (struct.unpack_from("<I", found, at)[0] + 1 & ~1)
    at, kind = random.choice(places), random.randrange(5)
    if kind == 0:
        struct.pack_into("<I", found, random.choice([4, at + 4]), random.choice([0, 1, 2**31, 2**32 - 1, 2**32 - 2, len(found)]))
    elif kind == 1:
        found[at:at + 4] = random.choice([b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"EXIF", b"ALPH", b"XXXX"])
    elif kind == 2:
        found[at:at] = found[at:at + 64]
    elif kind == 3 and len(found) >= at + 18:
        found[at + 8:at + 18] = random.randbytes(10)
    else:
        return changed_bytes(random, content)
    return bytes(found)


def changed_picture(random, stock):
    """(name, content) of a picture with a change, of all forms that are read and some that are not."""
    known = stock.pictures()
    name = random.choice(sorted(known))
    content, kind = known[name], random.random()
    if kind < 0.04:
        return name, random.choice([*STRANGERS, b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a\x01\0\x01\0\0\0\0;",
                                    b"BM" + b"\0" * 60, known["jpeg-L.jpg"]])
    if name.endswith(".png") and kind < 0.8:
        return name, changed_png(random, content)
    if name.endswith(".webp") and kind < 0.5:
        return name, changed_riff(random, content)
    return name, changed_bytes(random, content, known["jpeg-progressive.jpg"])


def picture(random, room, stock):
    name, content = changed_picture(random, stock)
    use = chosen(random, image=4, mask=3, inspect=4)
    if use == "inspect":
        room.write(name, content)
        return Case(["inspect", name, *random.choice([[], ["--json"]])], measured=True)
    base = stock.base(random.choice(["sd-img2img", "sd3-img2img", "xl-refiner", "sd-inpaint4",
                                     "sd-inpaint9"] if use == "image" else
                                    ["sd-inpaint4", "sd-inpaint9", "xl-inpaint9"]))
    room.link(base.folder)
    room.write(name, content)
    words = list(base.words)
    words[words.index("--" + use) + 1] = name
    if "--width" not in words and random.random() < 0.8:
        words += ["--width", "16", "--height", "16"]
    return Case([*words, "-o", "out.png"], output="out.png")
