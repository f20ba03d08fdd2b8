"""The basic colours of a picture as people name them, and the same picture in another colour."""
import numpy as np

# Berlin and Kay's eleven basic colours.
NAMES = ("black", "grey", "white", "red", "orange", "brown", "yellow", "green", "blue", "purple", "pink")
WORDS = set(NAMES) | {"gray", "gold", "golden", "silver", "violet", "beige", "cyan", "magenta", "turquoise", "coloured", "colored"}


def hsv(pixels):
    """[…, 3] of 0 … 255 as hue in degrees, saturation and value."""
    rgb = pixels.astype(np.float64) / 255
    high, low = rgb.max(-1), rgb.min(-1)
    spread = high - low
    safe = np.where(spread == 0, 1, spread)
    r, g, b = np.moveaxis(rgb, -1, 0)
    hue = np.where(high == r, (g - b) / safe % 6, np.where(high == g, (b - r) / safe + 2, (r - g) / safe + 4)) * 60
    return np.where(spread == 0, 0, hue), np.where(high == 0, 0, spread / np.where(high == 0, 1, high)), high


def rgb(hue, saturation, value):
    """The way back."""
    def channel(shift):
        place = (shift + hue / 60) % 6
        return value - value * saturation * np.clip(np.minimum(place, 4 - place), 0, 1)
    return np.rint(255 * np.stack([channel(5), channel(3), channel(1)], -1)).astype(np.uint8)


def indices(pixels):
    """The place of each pixel's colour in `NAMES`."""
    hue, saturation, value = hsv(pixels)
    found = np.full(hue.shape, NAMES.index("red"))
    for low, high, name in [(15, 42, "orange"), (42, 70, "yellow"), (70, 168, "green"), (168, 258, "blue"), (258, 292, "purple"),
                            (292, 345, "pink")]:
        found[(hue >= low) & (hue < high)] = NAMES.index(name)
    warm = (hue < 42) | (hue >= 345)
    found[warm & (hue < 345) & (hue >= 8) & (value < 0.68)] = NAMES.index("brown")
    found[(hue >= 15) & (hue < 48) & (saturation < 0.55) & (value < 0.8)] = NAMES.index("brown")
    found[((hue < 12) | (hue >= 330)) & (saturation < 0.58) & (value > 0.75)] = NAMES.index("pink")
    found[(hue >= 292) & (hue < 330) & (value < 0.6)] = NAMES.index("purple")
    pale = saturation < 0.14
    found[pale] = NAMES.index("grey")
    found[pale & (value > 0.9)] = NAMES.index("white")
    found[(value < 0.24) | (pale & (value < 0.3))] = NAMES.index("black")
    return found


def shares(picture, inside):
    """{colour: share of the object}, the largest first."""
    counts = np.bincount(indices(picture[inside]), minlength=len(NAMES))
    total = max(1, counts.sum())
    return {NAMES[index]: counts[index] / total for index in np.argsort(-counts, kind="stable") if counts[index]}


def main_colours(picture, inside, least=0.18):
    """At most three colours that cover a good part of the object."""
    return [name for name, share in shares(picture, inside).items() if share >= least][:3]


def one_hue(picture, inside):
    """The hue that nearly all coloured pixels of the object have; `None` where there are several or few such pixels."""
    hue, saturation, value = hsv(picture)
    coloured = inside & (saturation > 0.25) & (value > 0.2)
    if coloured.sum() < 0.5 * inside.sum():
        return None
    angle = np.radians(hue[coloured])
    mean = np.degrees(np.arctan2(np.sin(angle).mean(), np.cos(angle).mean())) % 360
    near = np.abs((hue[coloured] - mean + 180) % 360 - 180) < 32
    return mean if near.mean() > 0.78 else None


# Hue, factor of saturation, and value as v ↦ offset + factor·v.
TARGETS = {
    "red": (0, 1.1, 0.05, 0.9), "orange": (30, 1.1, 0.15, 0.85), "yellow": (54, 1.0, 0.25, 0.75), "green": (125, 0.9, 0, 0.8),
    "blue": (218, 1.0, 0.05, 0.9), "purple": (275, 0.85, 0, 0.8), "pink": (335, 0.5, 0.35, 0.65), "brown": (24, 0.85, 0, 0.55),
    "black": (0, 0, 0, 0.22), "grey": (0, 0, 0.25, 0.45)}


def recoloured(picture, inside, name):
    """The object with its one hue turned into a colour; `None` where it has no such hue, or where the colour that comes out
    is not the one that its name says."""
    mean = one_hue(picture, inside)
    if mean is None:
        return None
    hue, saturation, value = hsv(picture)
    changed = inside & (np.abs((hue - mean + 180) % 360 - 180) < 40) & (saturation > 0.1)
    target, factor, offset, slope = TARGETS[name]
    offsets = (hue - mean + 180) % 360 - 180
    made = rgb((target + 0.3 * offsets) % 360, np.clip(saturation * factor, 0, 1), np.clip(offset + slope * value, 0, 1))
    result = np.where(changed[..., None], made, picture)
    before, after = shares(picture, inside), shares(result, inside)
    own = indices(result[changed])
    is_right = (own == NAMES.index(name)).mean() > 0.6 and after.get(name, 0) > 0.4 and next(iter(after)) == name
    return result if is_right and before.get(name, 0) < 0.3 else None
