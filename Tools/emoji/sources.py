"""The pictures that everything is made of, each with its name, licence and source."""
import concurrent.futures
import csv
import io
import json
import os
import tarfile

import numpy as np
import PIL.Image
import uharfbuzz
from fontTools.ttLib import TTFont

import names
from pictures import Item, fitted, is_plain, rasterised

TONES = {0x1F3FB: "light", 0x1F3FC: "medium-light", 0x1F3FD: "medium", 0x1F3FE: "medium-dark", 0x1F3FF: "dark"}
STYLE = 0xFE0F
# The pictures of noto-emoji are under Apache-2.0, as its README has it; the font that also carries them is under the OFL.
NOTO = "Apache-2.0"
REGION_FLAGS, PUBLIC_DOMAIN = "public domain (region-flags)", "public domain"


def emoji(path):
    """The emoji with Unicode's names in `emoji-64.tar.gz`, every twentieth held out."""
    found = []
    with tarfile.open(path) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
    for name in sorted(name for name in files if name.endswith(".json")):
        index, row = int(name[:-5]), json.loads(files[name])
        picture = np.asarray(PIL.Image.open(io.BytesIO(files[name[:-5] + ".png"])).convert("RGB")).copy()
        found.append(Item(
            row["name"], picture, "emoji", row["group"], REGION_FLAGS if row["flag"] else NOTO, f"noto-emoji {row['codepoints']}",
            [word for word in row["keywords"] if word != row["name"]], row["subgroup"], is_held_out=index % 20 == 7,
            codepoints=[int(code, 16) for code in row["codepoints"].split()]))
    return found


class EmojiFont:
    """The pictures of a font of bitmaps, by the text that they stand for."""

    def __init__(self, path):
        self.font = uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(path)))
        table = TTFont(path)
        self.order, self.bitmaps = table.getGlyphOrder(), table["CBDT"].strikeData[0]

    def glyph(self, codepoints):
        """The glyph that a text becomes; `None` where it becomes several, or has no picture."""
        buffer = uharfbuzz.Buffer()
        buffer.add_str("".join(map(chr, codepoints)))
        buffer.guess_segment_properties()
        uharfbuzz.shape(self.font, buffer)
        glyphs = [self.order[info.codepoint] for info in buffer.glyph_infos]
        return glyphs[0] if len(glyphs) == 1 and glyphs[0] in self.bitmaps else None

    def picture(self, glyph, size=64):
        """As the emoji of the data set were made: the square of 128 on white, reduced by means of boxes."""
        image = PIL.Image.open(io.BytesIO(self.bitmaps[glyph].imageData)).convert("RGBA")
        side = max(image.size)
        square = PIL.Image.new("RGBA", (side, side), "white")
        square.alpha_composite(image, ((side - image.width) // 2, (side - image.height) // 2))
        return np.asarray(square.convert("RGB").resize((size, size), PIL.Image.Resampling.BOX)).copy()


def toned(codepoints, tone, places):
    """An emoji with a modifier behind the characters at some places."""
    out = []
    for index, code in enumerate(codepoints):
        if code == STYLE and out and out[-1] == tone:
            continue
        out += [code, tone] if index in places else [code]
    return out


def skin_tones(emojis, path):
    """Every person and hand with each colour of skin, both of two people with the same one."""
    font, found = EmojiFont(path), []
    for item in emojis:
        plain, last = font.glyph(item.codepoints), len(item.codepoints) - 1
        for tone, word in TONES.items():
            forms = [toned(item.codepoints, tone, places) for places in ({0}, {0, last})]
            made = [(form, font.glyph(form)) for form in forms]
            made = [(form, glyph) for form, glyph in made if glyph not in (None, plain)]
            if not made:
                continue
            form, glyph = made[0]
            separator = ", " if ":" in item.name else ": "
            found.append(Item(
                f"{item.name}{separator}{word} skin tone", font.picture(glyph), "emoji with skin tone", item.group, NOTO,
                "noto-emoji " + " ".join(f"{code:04X}" for code in form), [item.name, *item.keywords], item.subgroup,
                is_held_out=item.is_held_out))
    return found


def things(emojis):
    """The words of names and keywords of emoji that are no flags."""
    texts = [text for item in emojis if item.group != "Flags" for text in (item.name, *item.keywords)]
    return {word for text in texts for word in names.words(text) if len(word) > 2}


def clip_art(folder, dictionary, known, workers):
    """The drawings of Open Clip Art that are public domain, have an English name, and say something at this size.

    Names are of the words of a dictionary, and what they call a thing is `known` or one of the keywords.
    """
    entries = []
    for place, _, files in sorted(os.walk(folder)):
        for name in sorted(files):
            path = os.path.join(place, name)
            inner = os.path.relpath(path, folder)
            if not name.endswith(".svg") or os.path.islink(path) or names.is_left_out(inner):
                continue
            with open(path, encoding="utf-8", errors="replace") as file:
                metadata = names.Metadata(file.read())
            is_other = names.LINE_ART.search(f"{inner} {metadata.title}") or names.SIGN.search(metadata.title)
            if metadata.licence in names.PUBLIC_DOMAIN and not (metadata.has_text or metadata.has_picture or is_other):
                entries.append((inner, metadata))
    namer = names.Names(names.english(dictionary), known, entries)
    named = [(inner, metadata, namer.name(inner, metadata)) for inner, metadata in entries]
    named = [entry for entry in named if entry[2]]
    drawn = drawings([os.path.join(folder, inner) for inner, _, _ in named], workers)
    return [Item(name, picture, "clip art", names.group(inner), PUBLIC_DOMAIN, f"openclipart {inner}",
                 [word for word in metadata.keywords if names.is_word(word)])
            for (inner, metadata, name), picture in zip(named, drawn) if picture is not None]


def icons(folder, table, workers):
    """The icons of Tango that show a thing, by a table of their names."""
    with open(table, encoding="utf-8") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if row]
    drawn = drawings([os.path.join(folder, f"{name}.svg") for name, _, _ in rows], workers)
    return [Item(text, picture, "icon", group, PUBLIC_DOMAIN, f"tango-icon-theme {name}")
            for (name, text, group), picture in zip(rows, drawn) if picture is not None]


def drawings(paths, workers):
    """SVGs as pictures; `None` for each that cannot be drawn or says nothing at this size."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return list(pool.map(drawing, paths))


def drawing(path):
    image = rasterised(path)
    picture = image and fitted(image)
    return picture if picture is not None and is_plain(picture) else None
