"""Pictures of one size on white, what of them is the object, and which of them are alike."""
import dataclasses
import io
import subprocess

import numpy as np
import PIL.Image

SIZE = 64


@dataclasses.dataclass
class Item:
    """A picture `[SIZE, SIZE, 3]` on white, what it shows, and where it is from."""
    name: str
    picture: np.ndarray
    kind: str
    group: str
    licence: str
    source: str
    keywords: list = dataclasses.field(default_factory=list)
    subgroup: str = ""
    is_held_out: bool = False
    codepoints: list = dataclasses.field(default_factory=list)
    captions: list = dataclasses.field(default_factory=list)

    @property
    def inside(self):
        return inside(self.picture)


def rasterised(path, pixels=4 * SIZE):
    """An SVG as RGBA by librsvg; `None` where it cannot draw it."""
    command = ["rsvg-convert", "--keep-aspect-ratio", f"--width={pixels}", f"--height={pixels}", path]
    try:
        done = subprocess.run(command, capture_output=True, timeout=30)
        return PIL.Image.open(io.BytesIO(done.stdout)).convert("RGBA") if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, OSError):
        return None


def fitted(image, margin=2, size=SIZE):
    """What is not transparent of an RGBA picture in the middle of a white square; `None` where there is nothing."""
    box = image.getchannel("A").point(lambda value: 255 if value > 8 else 0).getbbox()
    if box is None:
        return None
    image = image.crop(box)
    scale = (size - 2 * margin) / max(image.size)
    extent = [max(1, round(side * scale)) for side in image.size]
    # Reduced with premultiplied alpha, so that colours under transparent pixels do not count.
    small = image.convert("RGBa").resize(extent, PIL.Image.Resampling.BOX if scale < 0.5 else PIL.Image.Resampling.LANCZOS)
    square = PIL.Image.new("RGBA", (size, size), "white")
    square.alpha_composite(small.convert("RGBA"), ((size - extent[0]) // 2, (size - extent[1]) // 2))
    return np.asarray(square.convert("RGB")).copy()


def inside(picture):
    """Which pixels are the object: all that the white around it does not reach."""
    white = (picture >= 248).all(-1)
    reached = np.zeros(white.shape, bool)
    reached[[0, -1]], reached[:, [0, -1]] = white[[0, -1]], white[:, [0, -1]]
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= white
        if (grown == reached).all():
            return ~reached
        reached = grown


def reduced(picture, size):
    """Another size by means of boxes."""
    return np.asarray(PIL.Image.fromarray(picture).resize((size, size), PIL.Image.Resampling.BOX)).copy()


def is_plain(picture):
    """Whether a drawing says something at this size: neither nearly empty, nor full to the edges, nor thin lines."""
    within = inside(picture)
    ink = (picture < 236).any(-1)
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if len(rows) < SIZE // 4 or len(columns) < SIZE // 4:
        return False
    filled = ink[within].mean() if within.any() else 0
    edge = np.concatenate([within[2], within[-3], within[:, 2], within[:, -3]]).mean()
    return 0.08 < within.mean() < 0.9 and filled > 0.55 and edge < 0.8 and picture[within].std() > 10


def signature(picture):
    """12×12 RGB: what an eye sees from afar."""
    return reduced(picture, 12).astype(np.float32).reshape(-1)


class Seen:
    """Pictures that are kept, and whether another one is nearly the same as one of them."""

    def __init__(self, limit):
        self.limit, self.signatures, self.items = limit, np.zeros((0, 432), np.float32), []

    def nearest(self, picture):
        """(root mean square in 1/255, the item), or infinity."""
        if not self.items:
            return float("inf"), None
        away = np.sqrt(((self.signatures - signature(picture)) ** 2).mean(1))
        index = int(away.argmin())
        return float(away[index]), self.items[index]

    def add(self, item):
        self.signatures = np.concatenate([self.signatures, signature(item.picture)[None]])
        self.items.append(item)

    def takes(self, item):
        """Adds a picture that is not nearly the same as an earlier one."""
        if self.nearest(item.picture)[0] < self.limit:
            return False
        self.add(item)
        return True
