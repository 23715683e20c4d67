"""Draw what the network will see of an image, so that a person can check masks and crops."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from leafid.images import OpenedImage, guard_image
from leafid.jobs import Preprocessing
from leafid.sheets.crops.crop_cutting import cut_crop
from leafid.sheets.crops.crop_plan import CropKind, CropPlan
from leafid.sheets.plants import PlantMask
from leafid.sheets.preparation import PreparedImage, open_for_views, prepare
from leafid.sheets.scale_bar import find_scale
from leafid.sheets.vein_map import draw_vein_map
from leafid.sheets.views import find_views

COLOURS = {
    CropKind.IMAGE: (90, 90, 90),
    CropKind.PLANT: (0, 120, 60),
    CropKind.LEAF: (0, 80, 220),
    CropKind.TILE: (230, 110, 0),
    CropKind.VEINS: (0, 80, 220),
}
OUTLINE = (220, 0, 110)

_CELL = 230  # side of a view, pixels
_GAP, _CAPTION = 16, 26
_PANEL = 900  # least height of the image and of the mask, pixels
_COLUMNS = 6
_MIN_OUTLINED = 0.0003  # share of the image; smaller pieces and holes would hide the plant under their outlines


@dataclass(frozen=True)
class _Cell:
    picture: Image.Image
    caption: str
    colour: tuple[int, int, int]


def preview_image(path: Path, preprocessing: Preprocessing) -> Image.Image:
    """Draw what the network will see of an image file; see ``draw_preview``.

    Raises:
        ImageError: the file cannot be read or drawn.
    """
    with guard_image(path):
        return draw_preview(open_for_views(path, preprocessing), preprocessing, title=path.name)


def draw_preview(image: OpenedImage, preprocessing: Preprocessing, *, title: str = "") -> Image.Image:
    """Draw, side by side: the image with outline and boxes, the mask, the views, and the vein maps of the leaves.

    The mask is shown if views depend on it. The title gives the scale if the image shows a ruler or scale bar.
    Vein maps of the leaf views are drawn even if the network does not see any.
    """
    prepared = prepare(image, preprocessing)
    rows = [_views(prepared, CropKind.IMAGE) + _views(prepared, CropKind.PLANT), _views(prepared, CropKind.LEAF)]
    panels = [_Cell(image.rgb, panel_title(image, title), OUTLINE)]
    requested = preprocessing.views
    if requested.needs_segmentation:
        found = find_views(image, preprocessing)
        panels = [
            _Cell(_annotate(image.rgb, found.plant, found.plans), panels[0].caption, OUTLINE),
            _Cell(_mask_picture(found.plant), f"mask: {found.plant.fraction:.1%} plant", (0, 0, 0)),
        ]
        rows.append(_views(prepared, CropKind.VEINS) or _vein_maps(np.asarray(image.rgb), found.plans))
    rows.append(_views(prepared, CropKind.TILE))
    return _compose(panels, [row for row in rows if row], prepared.notes)


def panel_title(image: OpenedImage, title: str) -> str:
    """Return name, size in pixels and, if the image shows a ruler or scale bar, the scale of the original."""
    found = find_scale(np.asarray(image.rgb))
    scale = f", {found * image.width / image.rgb.width:.1f} px/mm" if found else ""
    return f"{title}  {image.width} x {image.height} pixels{scale}".strip()


def _views(prepared: PreparedImage, kind: CropKind) -> list[_Cell]:
    of_kind = [view for view, shown in zip(prepared.views, prepared.kinds, strict=True) if shown is kind]
    return [
        _Cell(Image.fromarray(view), f"{kind} {number}" if kind in _NUMBERED else str(kind), COLOURS[kind])
        for number, view in enumerate(of_kind, start=1)
    ]


_NUMBERED = (CropKind.LEAF, CropKind.TILE, CropKind.VEINS)


def _vein_maps(pixels: NDArray[np.uint8], plans: Sequence[CropPlan]) -> list[_Cell]:
    cells: list[_Cell] = []
    for plan in plans:
        if plan.kind is CropKind.LEAF:
            crop = cut_crop(pixels, plan)
            veins = Image.fromarray(draw_vein_map(crop.pixels, crop.mask))
            cells.append(_Cell(veins, f"veins {len(cells) + 1}", COLOURS[CropKind.VEINS]))
    return cells


def _annotate(image: Image.Image, plant: PlantMask, plans: Sequence[CropPlan]) -> Image.Image:
    """Draw the outline of the mask, the boxes of the crops, and the direction of each leaf with a clear axis."""
    scale = _PANEL / image.height
    marked = np.asarray(image.resize((max(1, round(image.width * scale)), _PANEL), Image.Resampling.LANCZOS)).copy()
    mask = cv2.resize(plant.reduced.astype(np.uint8), (marked.shape[1], marked.shape[0]))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    lines = [contour for contour in contours if cv2.contourArea(contour) >= _MIN_OUTLINED * mask.size]
    cv2.drawContours(marked, lines, -1, OUTLINE, 2, cv2.LINE_8)
    picture = Image.fromarray(marked)
    draw = ImageDraw.Draw(picture)
    numbers = dict.fromkeys(CropKind, 0)
    for plan in plans:
        numbers[plan.kind] += 1
        left, top, right, bottom = (value * scale for value in plan.box)
        draw.rectangle((left, top, right - 1, bottom - 1), outline=COLOURS[plan.kind], width=2)
        if plan.kind in _NUMBERED:
            draw.text((left + 5, top + 2), str(numbers[plan.kind]), COLOURS[plan.kind], _font(), stroke_width=1)
        if plan.axis_clear:
            angle, length = np.radians(plan.angle), 0.35 * max(right - left, bottom - top)
            x, y = (left + right) / 2, (top + bottom) / 2
            tip = (x + length * np.sin(angle), y - length * np.cos(angle))
            draw.line((x, y, *tip), COLOURS[plan.kind], width=2)
            draw.ellipse((tip[0] - 4, tip[1] - 4, tip[0] + 4, tip[1] + 4), COLOURS[plan.kind])
    return picture


def _mask_picture(plant: PlantMask) -> Image.Image:
    return Image.fromarray(np.where(plant.reduced, 40, 255).astype(np.uint8)).convert("RGB")


def _compose(panels: Sequence[_Cell], rows: Sequence[Sequence[_Cell]], notes: Sequence[str]) -> Image.Image:
    """Place the panels on the left, as high as all rows of views together, and the rows on the right."""
    lines = [row[start : start + _COLUMNS] for row in rows for start in range(0, len(row), _COLUMNS)]
    pitch = _CELL + _CAPTION + _GAP
    height = max(_PANEL, len(lines) * pitch - _GAP - _CAPTION)
    widths = [max(1, round(panel.picture.width * height / panel.picture.height)) for panel in panels]
    across = max(len(line) for line in lines)
    size = (
        sum(widths) + len(panels) * _GAP + across * (_CELL + _GAP) + _GAP,
        height + _CAPTION + 2 * _GAP + (_CAPTION if notes else 0),
    )
    canvas = Image.new("RGB", size, "white")
    x = _GAP
    for panel, width in zip(panels, widths, strict=True):
        _place(canvas, panel, x, _GAP, (width, height))
        x += width + _GAP
    for number, line in enumerate(lines):
        for column, cell in enumerate(line):
            _place(canvas, cell, x + column * (_CELL + _GAP), _GAP + number * pitch, (_CELL, _CELL))
    if notes:
        note = "; ".join(notes)
        ImageDraw.Draw(canvas).text((_GAP, size[1] - _CAPTION - _GAP // 2), f"Note: {note}", (180, 0, 0), _font())
    return canvas


def _place(canvas: Image.Image, cell: _Cell, x: int, y: int, size: tuple[int, int]) -> None:
    """Draw a picture, as large as fits, with a frame and its caption above."""
    draw = ImageDraw.Draw(canvas)
    caption = cell.caption
    while caption and draw.textlength(caption, _font()) > size[0]:
        caption = caption[:-2]
    draw.text((x, y), caption, cell.colour, _font())
    scale = min(size[0] / cell.picture.width, size[1] / cell.picture.height)
    fitted = (max(1, round(cell.picture.width * scale)), max(1, round(cell.picture.height * scale)))
    left, top = x + (size[0] - fitted[0]) // 2, y + _CAPTION
    canvas.paste(cell.picture.resize(fitted, Image.Resampling.LANCZOS), (left, top))
    draw.rectangle((left - 1, top - 1, left + fitted[0], top + fitted[1]), outline=(170, 170, 170))


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(18)
