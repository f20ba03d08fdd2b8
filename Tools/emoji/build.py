"""Builds the captioned pictures of 64×64 that the text-to-image model learns from: `build.sh` calls it.

    build.py --emoji emoji-64.tar.gz [--packages FOLDER] --out FOLDER [--seed 0] [--tars 1000]

FOLDER/train and FOLDER/held-out get pictures and `metadata.jsonl`: on each line `file_name`, `text` (a list, of which training
draws one a time: as many bare names as longer captions), `label` (the group), `name`, `kind`, `licence`, `source`. With
`--tars N` there are WebDataset tars of N pictures beside them, and no folders. Without `--packages` there are the emoji of some
groups, and what is made of them: a set that a small model can learn in an hour. Everything follows from the seed.
"""
import argparse
import collections
import io
import json
import os
import random
import tarfile

import PIL.Image

import captions
import scenes
import sources
from pictures import SIZE, Seen

# Drawings nearer than this to one that is kept (root mean square of 12×12 RGB, in 1/255) are left out.
NEARLY_THE_SAME = 14.0
# The groups of emoji that stand for themselves.
GROUPS = ("Smileys & Emotion", "Animals & Nature", "Food & Drink", "Travel & Places", "Activities", "Objects")
# Emoji this near to one another are the same picture under two names.
THE_SAME = 2.0


def with_its_copies(emojis):
    """Pictures that are the same under several names stand on one side: held out, if any of them is."""
    seen = Seen(0)
    for item in sorted(emojis, key=lambda item: not item.is_held_out):
        away, other = seen.nearest(item.picture)
        if away < THE_SAME and other.is_held_out:
            item.is_held_out = True
        seen.add(item)
    return emojis


def gathered(options):
    """The pictures that others are made of, without those that are nearly the same."""
    everything = with_its_copies(sources.emoji(options.emoji))
    emojis = [item for item in everything if item.group in options.groups] if options.groups else everything
    if options.packages is None:
        return emojis
    share = os.path.join(options.packages, "usr/share")
    font = os.path.join(share, "fonts/truetype/noto/NotoColorEmoji.ttf")
    tones = sources.skin_tones(emojis, font) if options.tones else []
    seen = Seen(NEARLY_THE_SAME)
    for item in emojis:
        seen.add(item)
    icons = sources.icons(
        os.path.join(share, "icons/Tango/scalable"), os.path.join(os.path.dirname(__file__), "tango.tsv"), options.workers)
    art = sources.clip_art(
        os.path.join(share, "openclipart/svg"), os.path.join(share, "dict/american-english-small"), sources.things(emojis),
        options.workers)
    return [*emojis, *tones, *[item for item in [*icons, *art] if seen.takes(item)]]


def scenery(items, options):
    """What is made of pictures that are learnt from; nothing of one that is held out is in it."""
    things = [item for item in items if not item.is_held_out and scenes.is_thing(item)]
    # Drawings have rare things and names of less care; those that emoji have, too, stand in scenes.
    known = sources.things([item for item in items if item.kind == "emoji"])
    simple = [item for item in things if item.kind == "emoji" or item.kind == "clip art" and item.name in known]
    draw = lambda name: random.Random(f"{options.seed}/{name}")
    coloured = list(scenes.recoloured(things, draw("recoloured"), options.colours))
    plain = [item for item in coloured if len(item.name) <= scenes.LONGEST and "openclipart" not in item.source]
    yield from coloured
    yield from scenes.pairs(simple + draw("mixed").sample(plain, min(len(plain), len(simple) // 2)), draw("pairs"), options.pairs)
    yield from scenes.counted(simple, draw("counted"), options.counted)
    yield from scenes.placed(simple, draw("placed"), options.placed)


# --- what is written ---------------------------------------------------------------------------------------------


def encoded(picture):
    buffer = io.BytesIO()
    PIL.Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def row(item, **more):
    return {**more, "text": item.captions, "label": item.group, "name": item.name, "kind": item.kind, "licence": item.licence,
            "source": item.source}


def write_folder(items, folder):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "metadata.jsonl"), "w", encoding="utf-8") as lines:
        for index, item in enumerate(items):
            name = f"{index:06d}.png"
            with open(os.path.join(folder, name), "wb") as file:
                file.write(encoded(item.picture))
            lines.write(json.dumps(row(item, file_name=name), ensure_ascii=False) + "\n")


def write_tars(items, folder, name, count):
    """WebDataset: the files of an example have one stem and follow one another; the same bytes for the same seed."""
    os.makedirs(folder, exist_ok=True)
    for shard, first in enumerate(range(0, len(items), count)):
        with tarfile.open(os.path.join(folder, f"{name}-{shard:04d}.tar"), "w", format=tarfile.USTAR_FORMAT) as archive:
            for index, item in enumerate(items[first:first + count], first):
                files = {"png": encoded(item.picture), "txt": item.captions[0].encode(),
                         "json": json.dumps(row(item), ensure_ascii=False).encode()}
                for ending, content in files.items():
                    member = tarfile.TarInfo(f"{index:06d}.{ending}")
                    member.size, member.mode = len(content), 0o644
                    archive.addfile(member, io.BytesIO(content))


def report(items):
    """How many pictures there are of each kind, and under which licence."""
    counts = collections.Counter((("held out" if item.is_held_out else "train"), item.kind, item.licence) for item in items)
    return "".join(f"{count:6d}  {split:9} {kind:21} {licence}\n" for (split, kind, licence), count in sorted(counts.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emoji", required=True, help="emoji-64.tar.gz")
    parser.add_argument("--packages", help="folder into which Debian's packages were unpacked; the emoji alone without it")
    parser.add_argument("--groups", nargs="+", help=f"groups of emoji that are taken; without --packages {', '.join(GROUPS)}")
    parser.add_argument("--things-only", dest="groups", action="store_const", const=GROUPS, help="these groups, with --packages, too")
    parser.add_argument("--no-tones", dest="tones", action="store_false", help="no skin tones, which are glyphs of a font")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tars", type=int, default=0, help="pictures of a WebDataset tar; 0 writes folders")
    parser.add_argument("--colours", type=int, default=3, help="other colours of a thing")
    parser.add_argument("--pairs", type=int, default=4000)
    parser.add_argument("--counted", type=int, default=1200)
    parser.add_argument("--placed", type=int, default=1200)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.packages is None and options.groups is None:
        options.groups = GROUPS
    items = gathered(options)
    for index, item in enumerate(items):
        item.captions = captions.of_item(item, random.Random(f"{options.seed}/{index}/{item.name}"))
    items += scenery(items, options)
    assert all(item.picture.shape == (SIZE, SIZE, 3) for item in items)
    # Licences are those of pictures; nothing is share-alike.
    assert {part for item in items for part in item.licence.split(" and ")} <= {
        sources.NOTO, sources.REGION_FLAGS, sources.PUBLIC_DOMAIN}
    train, held_out = ([item for item in items if item.is_held_out == wanted] for wanted in (False, True))
    random.Random(options.seed).shuffle(train)
    for split, chosen in (("train", train), ("held-out", held_out)):
        if options.tars:
            write_tars(chosen, options.out, split, options.tars)
        else:
            write_folder(chosen, os.path.join(options.out, split))
    text = report(items)
    with open(os.path.join(options.out, "COUNTS.txt"), "w", encoding="utf-8") as file:
        file.write(text)
    print(text, end="")


if __name__ == "__main__":
    main()
