"""Writes the reference pictures that PicturesTests and DatasetsTests compare with.

    python Tools/oracle/pictures.py [--seed S] [--out Tests/Fixtures/pictures]

Needs Pillow and numpy. Files are JSON; bytes are base64. All random content comes from the seed.
"""
import argparse
import base64
import gzip
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def b64(data):
    return base64.b64encode(bytes(data)).decode()


def record(image):
    """A picture of mode L, RGB or RGBA as size and bytes."""
    return {
        "width": image.width,
        "height": image.height,
        "channels": len(image.getbands()),
        "pixels": b64(image.tobytes()),
    }


def noise(rng, width, height, channels):
    """Half noise, half hard edges, so that filters over- and undershoot."""
    pixels = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    pixels[: height // 2] = np.where(pixels[: height // 2] > 127, 255, 0)
    return Image.fromarray(pixels.squeeze(), MODES[channels])


def smooth(rng, width, height, channels):
    """A picture that JPEG and WebP can represent well."""
    small = rng.integers(0, 256, (4, 5, channels), dtype=np.uint8)
    return Image.fromarray(small.squeeze(), MODES[channels]).resize((width, height), Image.Resampling.BICUBIC)


def resizing(rng):
    cases = []
    for channels in MODES:
        source = noise(rng, 13, 11, channels)
        for name, resample in FILTERS.items():
            for width, height in [(29, 7), (5, 23), (13, 4), tuple(int(n) for n in rng.integers(1, 33, 2))]:
                result = source.resize((width, height), resample)
                cases.append({"source": record(source), "filter": name, "result": record(result)})
    return cases


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(rows_of_passes, width, height, depth, colour, interlace=0, extra=b""):
    """A PNG put together by hand, for what Pillow does not write. Every row has filter 0."""
    data = b"".join(b"\0" + row for rows in rows_of_passes for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
            + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


def interlaced(image):
    pixels = np.asarray(image)
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = [[row.tobytes() for row in pixels[y::dy, x::dx]] for x, y, dx, dy in passes]
    rows = [r for r, (x, y, dx, dy) in zip(rows, passes) if image.width > x and image.height > y]
    return raw_png(rows, image.width, image.height, 8, 2, interlace=1)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(data):
    """What Pillow makes of a file, as L, RGB or RGBA."""
    image = Image.open(io.BytesIO(data))
    if image.mode in ("P", "PA", "LA"):
        image = image.convert("RGBA" if "transparency" in image.info or image.mode != "P" else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode == "CMYK":
        image = image.convert("RGB")
    return image


def decoding(rng):
    files = {}
    grey, colour, alpha = (noise(rng, 9, 7, c) for c in (1, 3, 4))
    files["grey.png"] = saved(grey, "PNG")
    files["colour.png"] = saved(colour, "PNG")
    files["alpha.png"] = saved(alpha, "PNG")
    files["grey-alpha.png"] = saved(alpha.convert("LA"), "PNG")
    files["bits.png"] = saved(grey.convert("1"), "PNG")
    palette = colour.quantize(11)
    files["palette.png"] = saved(palette, "PNG")
    files["palette-alpha.png"] = saved(palette, "PNG", transparency=3)
    files["interlaced.png"] = interlaced(colour)
    files["animated.png"] = saved(colour, "PNG", save_all=True, append_images=[noise(rng, 9, 7, 3)])
    soft_grey, soft = smooth(rng, 37, 29, 1), smooth(rng, 37, 29, 3)
    files["grey.jpg"] = saved(soft_grey, "JPEG", quality=90)
    files["subsampled.jpg"] = saved(soft, "JPEG", quality=80)
    files["full.jpg"] = saved(soft, "JPEG", quality=95, subsampling=0)
    files["progressive.jpg"] = saved(soft, "JPEG", quality=85, progressive=True)
    files["inks.jpg"] = saved(soft.convert("CMYK"), "JPEG", quality=95)
    files["lossless.webp"] = saved(colour, "WEBP", lossless=True)
    files["lossless-alpha.webp"] = saved(alpha, "WEBP", lossless=True, exact=True)
    files["lossy.webp"] = saved(soft, "WEBP", quality=80)
    cases = [{"name": n, "file": b64(d), "result": record(decoded(d))} for n, d in files.items()]

    # A gamma and a profile that cannot be unpacked: both are left aside, the pixels are as stored.
    ignored = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"iCCP", b"x\0\0broken")
    cases.append({"name": "ignored-chunks.png", "result": record(colour), "file": b64(
        raw_png([[row.tobytes() for row in np.asarray(colour)]], 9, 7, 8, 2, extra=ignored))})

    # 16 bits: the nearest 8-bit level, 65535 levels onto 255 (PNG specification, 13.12).
    deep = rng.integers(0, 65536, (7, 9, 3), dtype=np.uint16)
    rows = [[row.astype(">u2").tobytes() for row in deep]]
    shallow = np.floor(deep / 257 + 0.5).astype(np.uint8)
    cases.append({"name": "deep.png", "file": b64(raw_png(rows, 9, 7, 16, 2)),
                  "result": record(Image.fromarray(shallow, "RGB"))})
    rows = [[row.astype(">u2").tobytes() for row in deep[..., 0]]]
    cases.append({"name": "deep-grey.png", "file": b64(raw_png(rows, 9, 7, 16, 0)),
                  "result": record(Image.fromarray(shallow[..., 0], "L"))})
    return cases


def tiff(order, value, kind=3, count=1, before=()):
    """Exif data put together by hand: other tags, and the orientation as a value of a given type."""
    mark = {"little": "<", "big": ">"}[order]
    code = {1: "B3x", 3: "H2x", 4: "I", 6: "b3x", 8: "h2x", 9: "i"}[kind]
    entries = [struct.pack(mark + "HHIH2x", tag, 3, 1, number) for tag, number in before]
    if struct.calcsize(code.replace("2x", "").replace("3x", "")) * count <= 4:
        entries.append(struct.pack(mark + "HHI" + code, 274, kind, count, value))
        rest = b""
    else:
        place = 8 + 2 + 12 * (len(entries) + 1) + 4
        entries.append(struct.pack(mark + "HHII", 274, kind, count, place))
        rest = struct.pack(mark + code.replace("2x", "").replace("3x", "") * count, *[value] * count)
    return (struct.pack(mark + "2sHI", {"little": b"II", "big": b"MM"}[order], 42, 8)
            + struct.pack(mark + "H", len(entries)) + b"".join(entries) + b"\0" * 4 + rest)


def xmp(value, form):
    """A packet of XMP that says which way up a picture is."""
    text = f'tiff:Orientation="{value}"/>' if form else f"><tiff:Orientation>{value}</tiff:Orientation></x>"
    return f"<x:xmpmeta><rdf:Description {text}</x:xmpmeta>".encode()


def raw_profile(exif):
    return "\nexif\n" + f"{len(exif):8}\n" + "\n".join(exif.hex()[i:i + 72] for i in range(0, 2 * len(exif), 72)) + "\n"


def turned(rng, image, kind, exif=None, **options):
    """A file of one kind with Exif data in it."""
    if exif is not None:
        options["exif"] = exif if kind == "PNG" else b"Exif\0\0" + exif
    if kind == "WEBP":
        options |= {"lossless": True}
    if kind == "JPEG":
        options |= {"quality": 95}
    return saved(image, kind, **options)


def orientations(rng):
    """Pictures of every orientation in every kind of file, and what Pillow's exif_transpose makes of them."""
    from PIL import ImageOps
    soft, files = smooth(rng, 24, 16, 3), {}
    hard = noise(rng, 5, 3, 3)
    image = {"JPEG": soft, "PNG": hard, "WEBP": hard}
    other = [(256, int(rng.integers(1, 9))), (259, int(rng.integers(1, 9)))]
    for kind in image:
        for order in ("little", "big"):
            for value in range(1, 10):
                files[f"{kind} {order} {value}"] = turned(rng, image[kind], kind, tiff(order, value, before=other))
    for kind in (1, 4, 6, 8, 9):
        for order in ("little", "big"):
            exif = tiff(order, int(rng.integers(2, 9)), kind)
            files[f"type {kind} {order}"] = turned(rng, hard, "PNG", exif)
    for order in ("little", "big"):
        files[f"three values {order}"] = turned(rng, hard, "PNG", tiff(order, int(rng.integers(2, 9)), count=3))
        files[f"twice {order}"] = turned(rng, hard, "PNG", tiff(order, 6, before=[(274, 3)]))
    exif = tiff("big", 6)
    for name, options in {"zTXt": {"zip": True}, "tEXt": {}}.items():
        info = PngImagePlugin.PngInfo()
        info.add_text("Raw profile type exif", raw_profile(exif), **options)
        files[f"raw profile {name}"] = turned(rng, hard, "PNG", pnginfo=info)
        files[f"raw profile {name} and eXIf"] = turned(rng, hard, "PNG", tiff("big", 3), pnginfo=info)
    # XMP counts where Exif says nothing, be it that its value is none.
    for form in (True, False):
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp(8, form).decode(), zip=form)
        files[f"XMP {form} PNG"] = turned(rng, hard, "PNG", pnginfo=info)
        files[f"XMP {form} and Exif 5"] = turned(rng, hard, "PNG", tiff("big", 5), pnginfo=info)
        files[f"XMP {form} and Exif 9"] = turned(rng, hard, "PNG", tiff("big", 9), pnginfo=info)
        files[f"XMP {form} JPEG"] = turned(rng, soft, "JPEG", xmp=xmp(7, form))
        files[f"XMP {form} WebP"] = turned(rng, hard, "WEBP", xmp=xmp(6, form))
    cases = []
    for name, data in files.items():
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        cases.append({"name": name, "file": b64(data), "result": record(upright)})
    return cases


def transparency(rng):
    """Files with transparent parts: what Pillow's convert leaves of them, and what they are on a colour."""
    alpha, colour, grey = noise(rng, 9, 7, 4), noise(rng, 9, 7, 3), noise(rng, 9, 7, 1)
    palette = colour.quantize(11)
    files = {
        "colour.png": saved(alpha, "PNG"), "grey.png": saved(alpha.convert("LA"), "PNG"),
        "palette.png": saved(palette, "PNG", transparency=bytes(rng.integers(0, 256, 11, dtype=np.uint8))),
        "key.png": saved(colour, "PNG", transparency=colour.getpixel((4, 5))),
        "grey-key.png": saved(grey, "PNG", transparency=grey.getpixel((4, 5))),
        "lossless.webp": saved(alpha, "WEBP", lossless=True, exact=True),
    }
    cases = []
    for name, data in files.items():
        paper = tuple(int(v) for v in rng.integers(0, 256, 3))
        image, on = Image.open(io.BytesIO(data)), Image.new("RGB", alpha.size, paper)
        wide = image.convert("RGBA")
        on.paste(wide, mask=wide.getchannel("A"))
        cases.append({"name": name, "file": b64(data), "colour": record(image.convert("RGB")),
                      "grey": record(image.convert("L")), "paper": "#%02x%02x%02x" % paper, "on_paper": record(on)})
    return cases


def conversions(rng):
    colour, alpha = noise(rng, 16, 16, 3), noise(rng, 16, 16, 4)
    white = Image.new("RGBA", alpha.size, "white")
    return {
        "colour": record(colour),
        "grey": record(colour.convert("L")),
        "alpha": record(alpha),
        "dropped": record(alpha.convert("RGB")),
        "on_white": record(Image.alpha_composite(white, alpha).convert("RGB")),
    }


def texts(rng):
    info = PngImagePlugin.PngInfo()
    long = "abc " * 500
    info.add_text("parameters", "a digit\nSteps: 20")
    info.add_text("packed", long, zip=True)
    info.add_itxt("Title", "σ = η·√β̃ — ünï", lang="en", tkey="Titel")
    info.add_itxt("Packed", "β" * 400, zip=True)
    info.add_text("latin", "é\u00ff")
    data = saved(noise(rng, 3, 3, 3), "PNG", pnginfo=info)
    expected = [["parameters", "a digit\nSteps: 20"], ["packed", long], ["Title", "σ = η·√β̃ — ünï"],
                ["Packed", "β" * 400], ["latin", "éÿ"]]
    return {"file": b64(data), "texts": expected}


def tensors(rng):
    """diffusers' way back to pixels in float32: (x / 2 + 0.5).clamp(0, 1), times 255, rounded half to even."""
    x = rng.uniform(-1.4, 1.4, (3, 6, 7)).astype(np.float32)
    # Values whose level is exactly a half, and the levels themselves.
    x.flat[:9] = [(k + 0.5) / 255 * 2 - 1 for k in (0, 1, 2, 63, 64, 127, 128, 253, 254)]
    x.flat[9:12] = [-1, 1, 0]
    pixels = np.rint(np.clip(x / np.float32(2) + np.float32(0.5), 0, 1) * np.float32(255)).astype(np.uint8)
    levels = np.float32(2) * (np.arange(256, dtype=np.float32) / np.float32(255)) - np.float32(1)
    return {"values": [float(v) for v in x.flat], "shape": list(x.shape),
            "result": record(Image.fromarray(pixels.transpose(1, 2, 0), "RGB")),
            "levels": [float(v) for v in levels]}


def idx(rng):
    """A small idx pair, gzip and plain."""
    pictures = rng.integers(0, 256, (12, 5, 4), dtype=np.uint8)
    labels = np.concatenate([np.arange(4), rng.integers(0, 4, 8)]).astype(np.uint8)
    images = struct.pack(">IIII", 2051, 12, 5, 4) + pictures.tobytes()
    classes = struct.pack(">II", 2049, 12) + labels.tobytes()
    picked = [int(i) for i in rng.integers(0, 12, 5)]
    batch = pictures[picked].astype(np.float32) / np.float32(255) * 2 - 1
    return {"images": b64(images), "images_gz": b64(gzip.compress(images, mtime=0)),
            "labels": b64(classes), "labels_gz": b64(gzip.compress(classes, mtime=0)),
            "picked": picked, "batch": [float(v) for v in batch.flat],
            "batch_labels": [int(v) for v in labels[picked]]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("Tests/Fixtures/pictures"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    makers = [resizing, decoding, orientations, conversions, texts, tensors, idx, transparency]
    for number, make in enumerate(makers):
        content = make(np.random.default_rng([options.seed, number]))
        path = options.out / f"{make.__name__}.json"
        path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
        print(path, path.stat().st_size)


main()
