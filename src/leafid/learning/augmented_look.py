"""A picture of what training does to views, so that a person can judge whether a leaf stays the leaf it was."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from leafid.jobs import Preprocessing
from leafid.learning.augmentation import Strength, augment, margin, unaugmented
from leafid.sheets import prepare_file

_STRENGTHS: tuple[Strength, ...] = ("light", "medium", "strong")
_EACH = 3  # draws of a strength
_GAP, _CAPTION = 10, 24
_ROOM = 230  # pixels across of a view


def look_at_augmentation(path: Path, preprocessing: Preprocessing, *, seed: int = 0) -> Image.Image:
    """Draw the first view of each kind as identification sees it, and beside it three draws of each strength.

    Args:
        path: an image file.
        preprocessing: which views.
        seed: another one gives other draws.

    Raises:
        ImageError: the file cannot be read.
    """
    prepared = prepare_file(path, preprocessing, enlarged=margin("medium"))
    rows = {kind: view for view, kind in reversed(list(zip(prepared.views, prepared.kinds, strict=True)))}
    columns = 1 + _EACH * len(_STRENGTHS)
    across, down = _ROOM + _GAP, _ROOM + _CAPTION + _GAP
    canvas = Image.new("RGB", (columns * across + _GAP, len(rows) * down + _GAP), "white")
    seeds = np.random.default_rng(seed)
    for row, kind in enumerate(sorted(rows)):
        view = rows[kind]
        pictures = [(f"{kind} as it is", unaugmented(view, "medium"))]
        for strength in _STRENGTHS:
            pictures += [(strength, augment(view, strength, int(seeds.integers(2**31)))) for _ in range(_EACH)]
        for column, (caption, pixels) in enumerate(pictures):
            x, y = _GAP + column * across, _GAP + row * down
            ImageDraw.Draw(canvas).text((x, y), caption, "black", ImageFont.load_default(16))
            canvas.paste(Image.fromarray(pixels).resize((_ROOM, _ROOM), Image.Resampling.LANCZOS), (x, y + _CAPTION))
    return canvas
