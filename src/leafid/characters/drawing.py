"""Draw what was measured over the leaf, so that a botanist can check every number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from leafid.characters.comparison import compare, describe, describe_fit
from leafid.characters.images import MAX_LEAVES, MeasuredImage, measure_file
from leafid.characters.measurement import Lines, MeasuredLeaf
from leafid.characters.values import NotMeasuredReason
from leafid.images import guard_image

MIDRIB, VEIN, WIDEST, ANGLE = (0, 70, 220), (215, 0, 30), (0, 130, 70), (190, 0, 190)

_SIDE = 720  # longer side of a leaf, pixels
_WIDTH = 560  # of a column, pixels
_GAP, _LINE = 16, 20
_COLUMNS = 3
_SENTENCE_TAXA = 3  # taxa in the sentence under a leaf


def preview_characters(path: Path, *, leaves: int = MAX_LEAVES, px_per_mm: float | None = None) -> Image.Image:
    """Draw the measured leaves of an image file.

    Raises:
        ImageError: the file cannot be read or drawn.
    """
    measured = measure_file(path, leaves=leaves, px_per_mm=px_per_mm)
    with guard_image(path):
        return draw_characters(measured, title=path.name)


def draw_characters(measured: MeasuredImage, *, title: str = "") -> Image.Image:
    """Draw the leaves of an image side by side, each with its lines, its characters and its fit to the floras."""
    cells = [_cell(number, leaf) for number, leaf in enumerate(measured.leaves, start=1)]
    if not cells:
        reason = (measured.not_measured or NotMeasuredReason.NO_LEAF).words
        cells = [_with_caption(None, [f"{title}: {reason}" if title else reason])]
    columns = min(_COLUMNS, len(cells))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    heights = [max(cell.height for cell in row) for row in rows]
    top = _LINE + _GAP if title else 0
    canvas = Image.new("RGB", (columns * (_WIDTH + _GAP) + _GAP, top + sum(heights) + _GAP * (len(rows) + 1)), "white")
    if title:
        ImageDraw.Draw(canvas).text((_GAP, _GAP), title, (0, 0, 0), _font(18))
    y = top + _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, cell in enumerate(row):
            canvas.paste(cell, (_GAP + column * (_WIDTH + _GAP), y))
        y += height + _GAP
    return canvas


def draw_leaf_lines(pixels: NDArray[np.uint8], lines: Lines | None, *, longest: int = _SIDE) -> Image.Image:
    """Draw one leaf, apex up, with midrib, numbered secondary veins, widest line, apex and base angles.

    Args:
        pixels: uint8 RGB (H, W, 3), the leaf, apex up, as `MeasuredLeaf` has it.
        lines: the measured lines; None draws the leaf alone.
        longest: longer side of the drawing in pixels.
    """
    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    picture = Image.fromarray(pixels).resize(
        (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS
    )
    if lines is None:
        return picture
    draw = ImageDraw.Draw(picture)

    def line(points: NDArray[np.float64], colour: tuple[int, int, int], thickness: int) -> None:
        draw.line([(float(x), float(y)) for x, y in points * scale], colour, thickness, joint="curve")

    line(lines.widest, WIDEST, 2)
    line(lines.apex_angle, ANGLE, 2)
    line(lines.base_angle, ANGLE, 2)
    line(lines.midrib, MIDRIB, 2)
    for side in (lines.left, lines.right):
        for number, vein in enumerate(reversed(side), start=1):  # botanists count from the base
            line(vein, VEIN, 3)
            x, y = vein[-1] * scale
            draw.text((x, y), str(number), VEIN, _font(16), anchor="mm", stroke_width=2, stroke_fill="white")
    return picture


def _cell(number: int, leaf: MeasuredLeaf) -> Image.Image:
    """Draw one leaf, apex up, with its text."""
    reason = leaf.not_measured or leaf.no_veins
    text = [f"Leaf {number}"]
    if leaf.lines is not None:
        fits = [fit for fit in compare(leaf.characters) if fit.fits]
        text.append(describe_fit(leaf.characters, fits[:_SENTENCE_TAXA]) if fits else describe(leaf.characters))
    if reason is not None:
        text.append(f"{reason.words[0].upper()}{reason.words[1:]}.")
    return _with_caption(draw_leaf_lines(leaf.pixels, leaf.lines), text)


def _with_caption(picture: Image.Image | None, text: list[str]) -> Image.Image:
    lines = [line for paragraph in text for line in _wrap(paragraph)]
    if picture is not None and picture.width > _WIDTH:
        picture = picture.resize((_WIDTH, round(picture.height * _WIDTH / picture.width)), Image.Resampling.LANCZOS)
    above = picture.height + 8 if picture is not None else 0
    cell = Image.new("RGB", (_WIDTH, above + len(lines) * _LINE + 4), "white")
    if picture is not None:
        cell.paste(picture, ((_WIDTH - picture.width) // 2, 0))
    draw = ImageDraw.Draw(cell)
    for index, line in enumerate(lines):
        draw.text((0, above + index * _LINE), line, (0, 0, 0), _font(15))
    return cell


def _wrap(text: str) -> list[str]:
    """Break a text into lines of a column's width."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _font(15).getlength(longer) > _WIDTH and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
