"""Draw augmented views, so that a person can judge whether the leaf is still recognisable as its taxon."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from leafid.images import guard_image
from leafid.jobs import Preprocessing, Strength
from leafid.learning.data.augmentation import augment, margin, unaugmented
from leafid.learning.data.leaf_augmentations import LEAF_AUGMENTATIONS
from leafid.sheets import prepare_file

_STRENGTHS: tuple[Strength, ...] = ("light", "medium", "strong")
_DRAWS_PER_STRENGTH = 3
_DRAWS_PER_CHANGE = 2  # makes the two rows of a view equally long
_GAP, _CAPTION = 10, 24  # pixels
_CELL = 230  # side of a view in the picture, in pixels


def preview_augmentation(path: Path, preprocessing: Preprocessing, *, seed: int = 0) -> Image.Image:
    """Draw the first view of each kind, as in identification and augmented.

    Each view has two rows: three draws of each strength; two draws of each single change from ``LEAF_AUGMENTATIONS``.

    Args:
        path: an image file.
        preprocessing: defines the views.
        seed: of all random draws.

    Raises:
        ImageError: the file cannot be read or drawn.
    """
    with guard_image(path):
        return _preview(path, preprocessing, seed)


def _preview(path: Path, preprocessing: Preprocessing, seed: int) -> Image.Image:
    prepared = prepare_file(path, preprocessing, enlarged=margin("medium"))
    views = {kind: view for view, kind in reversed(list(zip(prepared.views, prepared.kinds, strict=True)))}
    seeds = np.random.default_rng(seed)
    rows = [row for kind in sorted(views) for row in _rows(kind, views[kind], seeds)]
    across, down = _CELL + _GAP, _CELL + _CAPTION + _GAP
    canvas = Image.new("RGB", (max(map(len, rows)) * across + _GAP, len(rows) * down + _GAP), "white")
    for row, pictures in enumerate(rows):
        for column, (caption, pixels) in enumerate(pictures):
            x, y = _GAP + column * across, _GAP + row * down
            ImageDraw.Draw(canvas).text((x, y), caption, "black", ImageFont.load_default(16))
            canvas.paste(Image.fromarray(pixels).resize((_CELL, _CELL), Image.Resampling.LANCZOS), (x, y + _CAPTION))
    return canvas


def _rows(kind: str, view: NDArray[np.uint8], seeds: np.random.Generator) -> list[list[tuple[str, NDArray[np.uint8]]]]:
    """Return the two rows of a view: captions and pictures."""
    plain = unaugmented(view, "medium")
    strengths = [
        (name, augment(view, name, int(seeds.integers(2**31))))
        for name in _STRENGTHS
        for _ in range(_DRAWS_PER_STRENGTH)
    ]
    changes = [
        (name, change(plain, seeds)) for name, change in LEAF_AUGMENTATIONS.items() for _ in range(_DRAWS_PER_CHANGE)
    ]
    return [[(f"{kind} as it is", plain), *strengths], changes]
