"""A picture of what training does to views, so that a person can judge whether a leaf stays the leaf it was."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from leafid.jobs import Preprocessing, Strength
from leafid.learning.data.augmentation import augment, margin, unaugmented
from leafid.learning.data.leaf_augmentations import CHANGES
from leafid.sheets import prepare_file

_STRENGTHS: tuple[Strength, ...] = ("light", "medium", "strong")
_EACH = 3  # draws of a strength
_ALONE = 2  # draws of a change by itself, so that the two rows of a view are equally long
_GAP, _CAPTION = 10, 24
_ROOM = 230  # pixels across of a view


def preview_augmentation(path: Path, preprocessing: Preprocessing, *, seed: int = 0) -> Image.Image:
    """Draw the first view of each kind as identification sees it, and what is done to it.

    Beside it lie three draws of each strength, below it two draws of each change of leaves by itself.

    Args:
        path: an image file.
        preprocessing: which views.
        seed: another one gives other draws.

    Raises:
        ImageError: the file cannot be read.
    """
    prepared = prepare_file(path, preprocessing, enlarged=margin("medium"))
    views = {kind: view for view, kind in reversed(list(zip(prepared.views, prepared.kinds, strict=True)))}
    seeds = np.random.default_rng(seed)
    rows = [row for kind in sorted(views) for row in _rows(kind, views[kind], seeds)]
    across, down = _ROOM + _GAP, _ROOM + _CAPTION + _GAP
    canvas = Image.new("RGB", (max(map(len, rows)) * across + _GAP, len(rows) * down + _GAP), "white")
    for row, pictures in enumerate(rows):
        for column, (caption, pixels) in enumerate(pictures):
            x, y = _GAP + column * across, _GAP + row * down
            ImageDraw.Draw(canvas).text((x, y), caption, "black", ImageFont.load_default(16))
            canvas.paste(Image.fromarray(pixels).resize((_ROOM, _ROOM), Image.Resampling.LANCZOS), (x, y + _CAPTION))
    return canvas


def _rows(kind: str, view: NDArray[np.uint8], seeds: np.random.Generator) -> list[list[tuple[str, NDArray[np.uint8]]]]:
    """Return the two rows of a view: captions and pictures."""
    plain = unaugmented(view, "medium")
    strengths = [(name, augment(view, name, int(seeds.integers(2**31)))) for name in _STRENGTHS for _ in range(_EACH)]
    changes = [(name, change(plain, seeds)) for name, change in CHANGES.items() for _ in range(_ALONE)]
    return [[(f"{kind} as it is", plain), *strengths], changes]
