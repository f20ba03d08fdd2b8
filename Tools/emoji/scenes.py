"""Pictures that are made of others: another colour, several of one thing, two things, one thing that is small somewhere.

They teach what words like "blue", "three", "and", "left of" mean, whatever they stand beside."""
import numpy as np

import captions
import colours
from pictures import SIZE, Item, reduced

# Things that can be of any colour and stand beside others.
THINGS = ("Animals & Nature", "Food & Drink", "Objects", "Travel & Places", "Activities")
NOT_THINGS = ("sky & weather", "time", "place-map", "place-geographic", "place-other", "hotel", "event", "sound", "other-object", "mail",
              "money", "transport-sign")
LONGEST = 22


def is_thing(item):
    """Whether a picture shows one thing by a short name that can be counted."""
    return (item.group in THINGS and item.subgroup not in NOT_THINGS and ":" not in item.name and len(item.name) <= LONGEST
            and "face" not in item.name and not any(letter.isdigit() for letter in item.name))


def composed(tiles):
    """Tiles `(picture, left, top)` on white; where they overlap the darker value counts."""
    square = np.full((SIZE, SIZE, 3), 255, np.uint8)
    for tile, left, top in tiles:
        part = square[top:top + len(tile), left:left + len(tile)]
        np.minimum(part, tile, out=part)
    return square


def made(name, picture, kind, group, parts, texts):
    """An item that is made of others, under the strictest of their licences."""
    licences = sorted({part.licence for part in parts}, key=lambda text: (text != "Apache-2.0", text))
    return Item(
        name, picture, kind, group, " and ".join(licences), "; ".join(part.source for part in parts) + " (changed)",
        captions=texts)


def recoloured(things, draw, most):
    """Things in other colours, each in at most `most`."""
    for item in things:
        base = captions.uncoloured(item.name)
        if base is None or captions.is_mass(item.name):
            continue
        inside, left = item.inside, most
        for colour in draw.sample(list(colours.TARGETS), len(colours.TARGETS)):
            picture = colours.recoloured(item.picture, inside, colour) if left else None
            if picture is None:
                continue
            left -= 1
            name = f"{colour} {base}"
            texts = [name, name, captions.with_article(name), f"a picture of {captions.with_article(name)}"]
            yield made(name, picture, "recoloured", item.group, [item], texts)


def described(item):
    """A thing with its colour, where it has one and its name has none."""
    found = colours.main_colours(item.picture, item.inside, 0.6)
    if found and found[0] != "white" and not set(item.name.lower().split()) & colours.WORDS:
        return f"{found[0]} {item.name}"
    return item.name


def pairs(things, draw, count):
    """Two things side by side, or one above the other."""
    for _ in range(count):
        first, second = draw.sample(things, 2)
        if first.name == second.name:
            continue
        size = draw.choice((30, 31, 32))
        rest, shift = SIZE - 2 * size, draw.randint(8, SIZE - size - 8)
        one, two = (described(item) if draw.random() < 0.5 else item.name for item in (first, second))
        one, two = captions.with_article(one), captions.with_article(two)
        tiles = [reduced(item.picture, size) for item in (first, second)]
        if draw.random() < 0.7:
            picture = composed([(tiles[0], 0, shift), (tiles[1], size + rest, shift)])
            places = [f"{one} to the left of {two}", f"{two} to the right of {one}", f"{one} beside {two}"]
        else:
            picture = composed([(tiles[0], shift, 0), (tiles[1], shift, size + rest)])
            places = [f"{one} above {two}", f"{two} below {one}"]
        texts = [f"{one} and {two}", f"{two} and {one}", *draw.sample(places, 2)]
        yield made(f"{first.name} and {second.name}", picture, "two things", "Scenes", [first, second], texts)


PLACES = {2: [(0, 16), (32, 16)], 3: [(0, 0), (32, 0), (16, 32)], 4: [(0, 0), (32, 0), (0, 32), (32, 32)]}


def counted(things, draw, count):
    """Two to four of one thing."""
    things = [item for item in things if not captions.is_plural(item.name) and not captions.is_mass(item.name)]
    for _ in range(count):
        item, number = draw.choice(things), draw.choice(list(PLACES))
        tile = reduced(item.picture, 32)
        picture = composed([(tile, left, top) for left, top in PLACES[number]])
        word = captions.COUNTS[number]
        texts = [f"{word} {captions.plural(item.name)}"] * 2 + [
            f"{word} {captions.plural(described(item))}", f"a picture of {word} {captions.plural(item.name)}"]
        yield made(f"{word} {captions.plural(item.name)}", picture, "several", item.group, [item], texts)


def placed(things, draw, count):
    """One thing that is small, in a corner or in the middle."""
    corners = {"in the top left corner": (2, 2), "in the top right corner": (34, 2), "in the bottom left corner": (2, 34),
               "in the bottom right corner": (34, 34), "in the middle": (18, 18)}
    for _ in range(count):
        item, (words, (left, top)) = draw.choice(things), draw.choice(list(corners.items()))
        picture = composed([(reduced(item.picture, 28), left, top)])
        small = captions.with_article(f"small {item.name}")
        texts = [f"{small} {words}", f"{captions.with_article(item.name)} {words}", f"{captions.with_article('small ' + described(item))} {words}"]
        yield made(f"{small} {words}", picture, "placed", item.group, [item], texts)
